package hostile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	testenv.Main(m)
}

// patience is how long an answer may take: only a hang reaches it.
func patience() time.Duration { return testenv.Deadline(60 * time.Second) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said is what a program answered.
type said struct {
	out, err string
	exit     int
}

func (s said) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", s.exit, s.out, s.err)
}

// silent runs a zoneadm command that has to succeed without a word.
func silent(t *testing.T, z *testenv.Zones, zone string, args ...string) {
	t.Helper()
	out, errs, exit := z.Zoneadm(append([]string{"-z", zone}, args...)...)
	if exit != 0 || out+errs != "" {
		t.Fatalf("zoneadm -z %s %s: %v", zone, strings.Join(args, " "), said{out, errs, exit})
	}
}

// listed is the zone's state as zoneadm tells it.
func listed(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	f := strings.Split(z.Must("zoneadm", "-z", zone, "list", "-p"), ":")
	if len(f) < 3 {
		t.Fatalf("zoneadm list -p: %q", f)
	}
	return f[2]
}

// running makes and boots a sparse zone.
func running(t *testing.T, z *testenv.Zones, zone string, commands ...string) {
	t.Helper()
	z.Sparse(zone, commands...)
	silent(t, z, zone, "boot")
}

func inside(z *testenv.Zones, zone, path string) string {
	return filepath.Join(z.ZonePath(zone), "root", path)
}

func door(z *testenv.Zones, zone string) string { return filepath.Join(z.ZoneState(zone), "door") }
func consoleOf(z *testenv.Zones, zone string) string {
	return filepath.Join(z.ZoneState(zone), "console")
}

// open lets everybody through to the sockets of a zone, as no administrator should. The
// programs refuse directories that are open, so whoever goes on closes them.
func open(t *testing.T, z *testenv.Zones, zone string) (closeAgain func()) {
	t.Helper()
	must(t, os.Chmod(z.State(), 0o755))
	must(t, os.Chmod(z.ZoneState(zone), 0o755))
	for _, socket := range []string{door(z, zone), consoleOf(z, zone)} {
		must(t, os.Chmod(socket, 0o666))
	}
	closeAgain = func() {
		_ = os.Chmod(z.State(), 0o700)
		_ = os.Chmod(z.ZoneState(zone), 0o700)
	}
	t.Cleanup(closeAgain)
	return closeAgain
}

// attacker is a copy of this program that everybody may run.
func attacker(t *testing.T, z *testenv.Zones) string {
	t.Helper()
	name := filepath.Join(z.Root, "attacker")
	copyProgram(t, name)
	return name
}

func copyProgram(t *testing.T, name string) {
	t.Helper()
	testenv.CopyProgram(t, testenv.Self(t), name)
}

// attack runs a command, in the attacker's role where it runs the attacker, and gives all it
// printed.
func attack(t *testing.T, role string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("attacker:")) {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return string(out)
}

// frame is a payload as the door wants it.
func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// replies reads frames until the other side closes.
func replies(conn net.Conn) [][]byte {
	_ = conn.SetReadDeadline(time.Now().Add(patience()))
	var list [][]byte
	for {
		var header [4]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return list
		}
		body := make([]byte, binary.BigEndian.Uint32(header[:]))
		if _, err := io.ReadFull(conn, body); err != nil {
			return list
		}
		list = append(list, body)
	}
}

// answer is a frame of the door, read independently of the product's own types.
type answer struct {
	Type  string   `json:"type"`
	Level string   `json:"level"`
	Key   string   `json:"key"`
	Args  []string `json:"args"`
	Text  string   `json:"text"`
	Rval  int      `json:"rval"`
	State string   `json:"state"`
}

// say sends bytes to the zone's door, closes the sending side where half is set, and gives
// the frames that come back.
func say(t *testing.T, z *testenv.Zones, zone string, raw []byte, files ...int) []answer {
	t.Helper()
	conn, err := dial(door(z, zone))
	must(t, err)
	defer conn.Close()
	sent := 0
	if len(files) > 0 {
		if sent, _, err = conn.WriteMsgUnix(raw[:1], unix.UnixRights(files...), nil); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = conn.Write(raw[sent:])
	_ = conn.CloseWrite()
	var list []answer
	for _, body := range replies(conn) {
		var a answer
		if err := json.Unmarshal(body, &a); err != nil {
			t.Errorf("a frame that is no JSON: %q", body)
		}
		list = append(list, a)
	}
	return list
}

// request asks for a verb; more are the other fields.
func request(t *testing.T, z *testenv.Zones, zone, id, verb string, more map[string]any) []answer {
	t.Helper()
	return say(t, z, zone, frame(requestBody(t, id, verb, more)))
}

func requestBody(t *testing.T, id, verb string, more map[string]any) []byte {
	t.Helper()
	r := map[string]any{"version": 1, "id": id, "verb": verb}
	for k, v := range more {
		r[k] = v
	}
	body, err := json.Marshal(r)
	must(t, err)
	return body
}

var ids int

// freshID is the id of a request that was never made.
func freshID() string {
	ids++
	return fmt.Sprintf("%024x%08x", time.Now().UnixNano(), ids)
}

// result is the last frame, which must be a result and the only one.
func result(t *testing.T, list []answer) answer {
	t.Helper()
	for i, a := range list {
		if last := i == len(list)-1; (a.Type == "result") != last {
			t.Fatalf("not a result at the end, and there alone: %+v", list)
		}
	}
	if len(list) == 0 {
		t.Fatal("no answer")
	}
	return list[len(list)-1]
}

// record is a line of the audit file.
type record struct {
	Event, ID, Verb, Origin, Comm, Why, State, Zone, Time string
	Pid                                                   int
	UID                                                   uint32
	Rval                                                  *int
}

// audit reads the zone's audit file.
func audit(t *testing.T, z *testenv.Zones, zone string) []record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(z.Log, zone+".audit"))
	must(t, err)
	text = text[:bytes.LastIndexByte(text, '\n')+1] // a record that is just being written is none yet
	var list []record
	for line := range bytes.Lines(text) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Errorf("an audit line that is no JSON: %q", line)
		}
		list = append(list, r)
	}
	return list
}

// logText is the log of the zone's supervisors.
func logText(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(z.Log, zone+".log"))
	must(t, err)
	return string(text)
}
