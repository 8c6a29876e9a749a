package hostile

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

func closeConn(c net.Conn) {
	if c != nil && c != (*net.UnixConn)(nil) {
		c.Close()
	}
}

// silentMany connects n times and says nothing.
func silentMany(t *testing.T, socket string, n int) {
	t.Helper()
	for range n {
		c, err := dial(socket)
		must(t, err)
		t.Cleanup(func() { c.Close() })
	}
}

// everything does what administrators do, to the end.
func everything(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	if out, errs, exit := z.Zlogin(zone, "echo in"); exit != 0 || out != "in\n" {
		t.Errorf("zlogin: %v", said{out, errs, exit})
	}
	silent(t, z, zone, "reboot")
	silent(t, z, zone, "halt")
	silent(t, z, zone, "boot")
	p := z.Pty("zlogin", "-C", zone)
	p.Expect(`\[Connected to zone '` + zone + `' console\]`)
	p.Send("\r~.")
	p.Expect(`closed\]`)
	if exit := p.Wait(); exit != 0 {
		t.Errorf("zlogin -C: exit %d", exit)
	}
}

// TestSilence: two hundred connections that say nothing, at the door and at the console, and
// two hundred of callers that may not even do that.
func TestSilence(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	closeAgain := open(t, z, "web")
	program := attacker(t, z)
	for _, socket := range []string{door(z, "web"), consoleOf(z, "web")} {
		cmd := exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, socket, "200")
		cmd.Env = append(os.Environ(), roleVariable+"=crowd")
		hold, err := cmd.StdinPipe()
		must(t, err)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		t.Cleanup(func() { hold.Close(); _ = cmd.Wait() })
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "there\n" {
			t.Fatalf("the crowd says %q, %v", line, err)
		}
	}
	closeAgain()
	// Half of a request, and half of an identification, are silence too.
	for range 20 {
		for socket, half := range map[string]string{door(z, "web"): "\x00\x00\x01\x00{\"version\":1", consoleOf(z, "web"): "IDENT 1 "} {
			c, err := dial(socket)
			must(t, err)
			t.Cleanup(func() { c.Close() })
			_, _ = c.Write([]byte(half))
		}
	}
	silentMany(t, door(z, "web"), 200)
	silentMany(t, consoleOf(z, "web"), 200)
	everything(t, z, "web")
	if log := logText(t, z, "web"); strings.Count(log, "\n") > 600 {
		t.Errorf("the log has %d lines", strings.Count(log, "\n"))
	}
}

// TestFlood: a user's connections in a loop are refused, each with an audit record, and the
// log stays short.
func TestFlood(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	z.ServicesUp("web") // by then the supervisor has open what a running zone needs
	closeAgain := open(t, z, "web")
	pid := z.Status("web").Zoned.Pid
	fds := openFDs(t, pid)
	lines := strings.Count(logText(t, z, "web"), "\n")
	const rounds, each = 10, 200
	program := attacker(t, z)
	for range rounds {
		cmd := exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, door(z, "web"), fmt.Sprint(each))
		cmd.Env = append(os.Environ(), roleVariable+"=crowd")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "there\n" {
			t.Fatalf("the crowd: %v %s", err, out)
		}
	}
	closeAgain()
	everything(t, z, "web")
	testenv.Eventually(t, func() bool { return audited(t, z, "web", nobody, 0) >= rounds*each }, "every refusal to be audited")
	if now := strings.Count(logText(t, z, "web"), "\n"); now-lines > 200 {
		t.Errorf("%d refusals made %d lines in the log", rounds*each, now-lines)
	}
	if z.Status("web").Zoned.Pid != pid {
		t.Error("the supervisor was replaced")
	}
	testenv.Eventually(t, func() bool { return openFDs(t, pid) <= fds+2 }, "the supervisor's descriptors to be as before")
}

func openFDs(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", fmt.Sprint(pid), "fd"))
	must(t, err)
	return len(entries)
}

// TestDeafCaller: who asks and does not read, or leaves in the middle, has asked; the
// transition is done, and who comes next is not kept waiting.
func TestDeafCaller(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	for _, c := range []struct {
		verb, state string
	}{{"reboot", "running"}, {"halt", "installed"}} {
		// The smallest buffer that the kernel gives; the connection stays open and unread.
		conn, err := dial(door(z, "web"))
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		must(t, conn.SetReadBuffer(1))
		_, err = conn.Write(frame(requestBody(t, freshID(), c.verb, nil)))
		must(t, err)
		testenv.Eventually(t, func() bool { return listed(t, z, "web") == c.state }, "the zone to be "+c.state)
	}
	for round := range 5 {
		before := z.Status("web").ID
		silent(t, z, "web", "ready")
		conn, err := dial(door(z, "web"))
		must(t, err)
		_, err = conn.Write(frame(requestBody(t, freshID(), "boot", nil)))
		must(t, err)
		conn.Close()
		testenv.Eventually(t, func() bool { return listed(t, z, "web") == "running" }, "a boot whose caller left")
		if z.Status("web").ID != before+1 && before != 0 {
			t.Errorf("round %d: incarnation %d after %d", round, z.Status("web").ID, before)
		}
		silent(t, z, "web", "halt")
	}
	// From installed: the caller starts the supervisor, asks, and is killed in the middle.
	for range 5 {
		cmd := z.Cmd("zoneadm", "-z", "web", "boot")
		must(t, cmd.Start())
		testenv.Eventually(t, func() bool { return listed(t, z, "web") != "installed" }, "the boot to begin")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		testenv.Eventually(t, func() bool { return listed(t, z, "web") == "running" }, "a boot whose caller was killed")
		silent(t, z, "web", "halt")
	}
}

// TestAudit: each request has a record at its beginning and one at its end.
func TestAudit(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	type asked struct {
		verb string
		rval int
	}
	want := map[string]asked{}
	for _, a := range []asked{{"ping", 0}, {"boot", 0}, {"reboot", 0}, {"note_uninstalling", -1}, {"wait", -1}, {"signal", -1}, {"ready", 0}, {"shutdown", -1}} {
		id := freshID()
		want[id] = a
		if last := result(t, request(t, z, "web", id, a.verb, nil)); last.Rval != a.rval {
			t.Errorf("%s: %+v", a.verb, last)
		}
	}
	var begun, ended map[string]record
	testenv.Eventually(t, func() bool { // the last one's end may be written behind its answer
		begun, ended = map[string]record{}, map[string]record{}
		for _, r := range audit(t, z, "web") {
			switch r.Event {
			case "begin":
				begun[r.ID] = r
			case "end":
				ended[r.ID] = r
			}
			if r.Zone != "web" || r.Time == "" {
				t.Errorf("%+v", r)
			}
		}
		for id := range want {
			if ended[id].ID == "" {
				return false
			}
		}
		return true
	}, "every request's end in the audit")
	for id, a := range want {
		b, e := begun[id], ended[id]
		if b.Verb != a.verb || b.Pid != os.Getpid() || b.UID != 0 || b.Origin != "door" || b.Comm == "" || b.Rval != nil {
			t.Errorf("%s began as %+v", a.verb, b)
		}
		if e.Verb != a.verb || e.Pid != os.Getpid() || e.Rval == nil || *e.Rval != a.rval || e.State == "" {
			t.Errorf("%s ended as %+v", a.verb, e)
		}
	}
	// A zone's own halt is recorded too, and a login without what it ran.
	if _, _, _, err := z.Try("", "zlogin", "web", "true"); err != nil {
		t.Fatal(err)
	}
	silent(t, z, "web", "boot")
	if _, _, exit := z.Zlogin("web", "echo a-secret-word"); exit != 0 {
		t.Error("login failed")
	}
	text, err := os.ReadFile(filepath.Join(z.Log, "web.audit"))
	must(t, err)
	if strings.Contains(string(text), "a-secret-word") || !strings.Contains(string(text), `"verb":"login"`) {
		t.Errorf("the audit of a login: %s", text)
	}
	if st, err := os.Stat(filepath.Join(z.Log, "web.audit")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the audit file: %v %v", st.Mode(), err)
	}
}
