package keeper

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// The processes are real, each played by this test binary:
//
//	test --starts--> keeper --starts--> supervisor, again and again
//	  ^------- control socket ------------'   does what the test says, one command at a time
const (
	roleVariable = "KEEPER_TEST_ROLE"
	dirVariable  = "KEEPER_TEST_DIR"
	// calmVariable: the times of restarts are the real ones.
	calmVariable = "KEEPER_TEST_CALM"
	// programVariable is the supervisor's program, selfVariable the keeper's; without them it is
	// this one.
	programVariable = "KEEPER_TEST_PROGRAM"
	// hastyVariable: a new program, of the keeper or the supervisor, has little time. What it is in
	// time for, nothing may depend on.
	hastyVariable = "KEEPER_TEST_HASTY"
	// heldVariable: the console's readers hold it for as long as rigHold.
	heldVariable = "KEEPER_TEST_HELD"
	selfVariable = "KEEPER_TEST_SELF"

	controlName = "control"
	logName     = "log"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == TryFlag {
		if _, err := Load(TryFD); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(TookVariable) != "" {
		os.Exit(keeperMain())
	}
	switch os.Getenv(roleVariable) {
	case "keeper":
		os.Exit(keeperMain())
	case "supervisor":
		supervisorMain()
	case "writer":
		os.Exit(writerMain())
	case "revoker":
		os.Exit(revokerMain())
	default:
		testenv.Main(m)
	}
}

// Times of an impatient keeper.
const (
	rigSpacing     = 300 * time.Millisecond
	rigDelayMax    = 5 * time.Millisecond
	rigHangUpLimit = 100 * time.Millisecond
	rigLookLimit   = 300 * time.Millisecond // of the hasty; the others have
	rigNewLimit    = 300 * time.Millisecond
	rigCalm        = time.Minute // a test binary begins slowly, where many do
	rigHold        = time.Minute
)

// patience gives a keeper its times.
func patience(k *Keeper, w *ring.Writer) {
	if os.Getenv(calmVariable) == "" {
		k.restart.spacing, k.restart.delayMax, k.hangUpLimit = int64(rigSpacing), int64(rigDelayMax), int64(rigHangUpLimit)
	}
	k.lookLimit, k.newLimit = int64(rigCalm), int64(rigCalm)
	if os.Getenv(hastyVariable) != "" {
		k.lookLimit, k.newLimit = int64(rigLookLimit), int64(rigNewLimit)
	}
	if os.Getenv(heldVariable) != "" {
		w.SetStallLimit(int64(rigHold))
	}
}

// keeperMain is zsched as far as this package goes.
func keeperMain() int {
	base := os.Getenv(dirVariable)
	fail := func(err error) int { fmt.Println("keeper:", err); return 99 }
	dir, err := sys.OpenDir(base)
	if err != nil {
		return fail(err)
	}
	if n, err := strconv.Atoi(os.Getenv(TookVariable)); err == nil {
		return resumed(n, fail)
	}
	door, err := sys.ListenUnix(dir, "door", 0o600, 8)
	if err != nil {
		return fail(err)
	}
	console, err := sys.ListenUnix(dir, "console", 0o600, 8)
	if err != nil {
		return fail(err)
	}
	w, err := ring.Create()
	if err != nil {
		return fail(err)
	}
	cfg, err := keeperConfig()
	if err != nil {
		return fail(err)
	}
	cfg.Door, cfg.Console, cfg.Ring = door, console, w
	k, err := New(cfg)
	if err != nil {
		return fail(err)
	}
	patience(k, w)
	return k.Run()
}

// keeperConfig is what both a first and a later program of a keeper are started with.
func keeperConfig() (Config, error) {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, TookVariable+"=") {
			env = append(env, strings.Clone(strings.Replace(v, roleVariable+"=keeper", roleVariable+"=supervisor", 1)))
		}
	}
	exe, err := os.Executable()
	say := func(s string) { _, _ = os.Stdout.WriteString(s + "\n") }
	cfg := Config{
		Program: exe, Args: []string{"supervisor"}, Env: env, Ready: func() { say("READY") }, Say: say, Title: "zsched web",
		Self: exe, Own: []string{strings.Clone(exe)},
	}
	if p := os.Getenv(programVariable); p != "" {
		cfg.Program = strings.Clone(p)
	}
	return cfg, err
}

// resumed is a keeper in whose process another program was executed.
func resumed(fd int, fail func(error) int) int {
	s, err := Load(fd)
	if err != nil {
		return fail(err)
	}
	cfg, err := keeperConfig()
	if err != nil {
		return fail(err)
	}
	if cfg.Ring, err = ring.OpenWriter(s.Slot(SlotRing)); err != nil {
		return fail(err)
	}
	k, err := Resume(s, cfg)
	if err != nil {
		return fail(err)
	}
	unix.Close(fd)
	s.Settled()
	cfg.Say("RESUMED")
	patience(k, cfg.Ring)
	return k.Run()
}

// rig is a keeper under test.
type rig struct {
	t       testing.TB
	dir     string
	cmd     *exec.Cmd
	control *net.UnixListener
	waited  bool
}

func start(t testing.TB, env ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	exe, err := os.Executable()
	check(t, err)
	r.control, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(r.dir, controlName), Net: "unixpacket"})
	check(t, err)
	log, err := os.Create(filepath.Join(r.dir, logName))
	check(t, err)
	defer log.Close()
	for _, v := range env {
		if self, ok := strings.CutPrefix(v, selfVariable+"="); ok {
			exe = self
		}
	}
	r.cmd = exec.Command(exe)
	r.cmd.Env = append(append(os.Environ(), roleVariable+"=keeper", dirVariable+"="+r.dir), env...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	check(t, r.cmd.Start())
	t.Cleanup(r.close)
	return r
}

// close ends what is left: the keeper, then the supervisor, which ends with its control socket.
func (r *rig) close() {
	r.control.Close()
	if !r.waited {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
	if r.t.Failed() {
		r.t.Logf("the keeper said:\n%s", r.log())
	}
}

// stop stops the keeper, and returns when it has stopped.
func (r *rig) stop() {
	r.t.Helper()
	check(r.t, r.cmd.Process.Signal(unix.SIGSTOP))
	testenv.Eventually(r.t, func() bool {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(r.cmd.Process.Pid) + "/stat")
		return strings.Contains(string(b), ") T ")
	}, "the keeper to stop")
}

// wait gives the keeper's exit code.
func (r *rig) wait() int {
	r.t.Helper()
	timer := time.AfterFunc(testenv.Deadline(20*time.Second), func() { _ = r.cmd.Process.Kill() })
	_ = r.cmd.Wait()
	timer.Stop()
	r.waited = true
	return r.cmd.ProcessState.ExitCode()
}

func (r *rig) log() string {
	b, _ := os.ReadFile(filepath.Join(r.dir, logName))
	return string(b)
}

// awaitLog waits until the keeper has said text.
func (r *rig) awaitLog(text string) {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool { return strings.Contains(r.log(), text) }, fmt.Sprintf("%q in the keeper's words", text))
}

// alive fails the test when the keeper has ended.
func (r *rig) alive() {
	r.t.Helper()
	if psTitle(r.cmd.Process.Pid) == "" {
		r.t.Fatal("the keeper is dead")
	}
}

// supervisor waits for the next one to start.
func (r *rig) supervisor() *supervisor {
	r.t.Helper()
	check(r.t, r.control.SetDeadline(time.Now().Add(testenv.Deadline(20*time.Second))))
	conn, err := r.control.AcceptUnix()
	if err != nil {
		r.t.Fatalf("no supervisor was started: %v", err)
	}
	r.t.Cleanup(func() { conn.Close() })
	s := &supervisor{t: r.t, conn: conn}
	s.pid, err = strconv.Atoi(s.answer())
	check(r.t, err)
	s.fd, err = sys.PidfdOpen(s.pid)
	check(r.t, err)
	r.t.Cleanup(func() { s.fd.Close() })
	return s
}

// serving is the next supervisor, which has said all that a good one says.
func (r *rig) serving() *supervisor {
	r.t.Helper()
	s := r.supervisor()
	s.do("hello")
	s.do("hold 1")
	s.do("started")
	return s
}

// supervisor is the test's end of one.
type supervisor struct {
	t    testing.TB
	conn *net.UnixConn
	pid  int
	fd   *sys.FD
	fds  []*sys.FD // that came with the last answer
}

// tell sends a command, with descriptors.
func (s *supervisor) tell(command string, fds ...int) {
	s.t.Helper()
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, err := s.conn.WriteMsgUnix([]byte(command), oob, nil)
	check(s.t, err)
}

// answer waits for what a command gave.
func (s *supervisor) answer() string {
	s.t.Helper()
	check(s.t, s.conn.SetDeadline(time.Now().Add(testenv.Deadline(60*time.Second))))
	buf, oob := make([]byte, 256<<10), make([]byte, 256)
	n, oobn, _, _, err := s.conn.ReadMsgUnix(buf, oob)
	if err != nil || n == 0 {
		s.t.Fatalf("the supervisor gives no answer: %v", err)
	}
	msgs, _ := unix.ParseSocketControlMessage(oob[:oobn])
	s.fds = nil
	for _, m := range msgs {
		nums, _ := unix.ParseUnixRights(&m)
		for _, num := range nums {
			fd := sys.Own(num)
			unix.CloseOnExec(num)
			s.fds = append(s.fds, fd)
			s.t.Cleanup(func() { fd.Close() })
		}
	}
	if text := string(buf[:n]); !strings.HasPrefix(text, "error: ") {
		return text
	} else {
		s.t.Fatalf("the supervisor: %s", text)
		return ""
	}
}

func (s *supervisor) do(command string, fds ...int) string {
	s.t.Helper()
	s.tell(command, fds...)
	return s.answer()
}

// kill sends a signal; for SIGKILL it waits for the death.
func (s *supervisor) kill(sig unix.Signal) {
	s.t.Helper()
	check(s.t, sys.PidfdSignal(s.fd.Int(), sig))
	if sig == unix.SIGKILL {
		s.ended()
	}
}

func (s *supervisor) ended() {
	s.t.Helper()
	if !sys.PidfdWait(s.fd.Int(), int(testenv.Deadline(20*time.Second).Milliseconds())) {
		s.t.Fatal("the supervisor does not end")
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// psTitle is what ps shows of a process, "" for none.
func psTitle(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func identity(t testing.TB, fd int) string {
	t.Helper()
	var st syscall.Stat_t
	check(t, syscall.Fstat(fd, &st))
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
