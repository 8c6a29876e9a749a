package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/method"
)

// rig is a launcher in an instance whose host's contracts are served.
type rig struct {
	t   testing.TB
	fs  *contract.FS
	l   *Launcher
	log string // what the methods write
}

// served says where the contracts of the host are, in the process that a test runs in.
const served = "LAUNCH_TEST_CONTRACTS"

// newRig has the test run in a process of its own, and gives nil to the one that started it: the
// contract that a process made last is there as long as the process.
func newRig(t *testing.T) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	path := os.Getenv(served)
	if path == "" {
		path = testenv.Instance(t).ServeContracts()
		cmd := exec.Command(selfPath, "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), served+"="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
		return nil
	}
	fs, err := contract.OpenAt(path)
	must(t, err)
	t.Cleanup(func() { fs.Close() })
	before := unix.Umask(0o077)
	t.Cleanup(func() { unix.Umask(before) })
	l, err := New(fs)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	l.shell = "/bin/sh" // a zone has /sbin/sh; the host of a test need not
	return &rig{t: t, fs: fs, l: l, log: filepath.Join(t.TempDir(), "log")}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// terms are those that svc.startd gives a start method.
func terms() contract.Terms {
	t := contract.DefaultTerms()
	t.Params, t.Informative, t.Fatal = contract.Inherit|contract.Regent, 0, 0
	t.Critical = contract.Empty | contract.Core | contract.Signal | contract.Hwerr
	t.FMRI, t.Aux, t.Cookie = "svc:/test:default", "start", 0x20
	return t
}

// env is a small environment.
func env() []string {
	return []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SMF_FMRI=svc:/test:default"}
}

func (r *rig) method(command string, c method.Context) Method {
	return Method{Command: command, Context: c, Env: env(), Terms: terms()}
}

// start starts a method with a new log.
func (r *rig) start(m Method) (Started, error) {
	f, err := os.OpenFile(r.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	must(r.t, err)
	defer f.Close()
	m.Log = f
	return r.l.Start(m)
}

// run runs a method to its end, and gives its status and what it wrote. Its contract is abandoned.
func (r *rig) run(m Method) (unix.WaitStatus, string) {
	r.t.Helper()
	s, err := r.start(m)
	if err != nil {
		r.t.Fatalf("%q: %v", m.Command, err)
	}
	status := r.wait(s)
	must(r.t, r.fs.Contract(s.Contract).Abandon())
	text, err := os.ReadFile(r.log)
	must(r.t, err)
	return status, string(text)
}

// wait waits for the end of a method's process.
func (r *rig) wait(s Started) (status unix.WaitStatus) {
	r.t.Helper()
	defer unix.Close(s.Pidfd)
	if !sys.PidfdWait(s.Pidfd, 60_000) {
		r.t.Fatalf("process %d goes on", s.PID)
	}
	must(r.t, sys.Retry(func() error { _, err := unix.Wait4(s.PID, &status, 0, nil); return err }))
	return status
}

// both runs a method by both ways, and wants it to have written this, with exit code 0.
func (r *rig) both(m Method, want string) {
	r.t.Helper()
	for way, get := range map[string]func(Method) (unix.WaitStatus, string){"direct": r.run, "order": r.ordered} {
		status, text := get(m)
		if status.ExitStatus() != 0 || strings.TrimSpace(text) != want {
			r.t.Errorf("%s: %q gave %q, exit %d, wanted %q", way, m.Command, text, status.ExitStatus(), want)
		}
	}
}

// ordered is run by way of an order.
func (r *rig) ordered(m Method) (unix.WaitStatus, string) {
	m.Context.Core = method.CoreMade // the direct way does not do that
	return r.run(m)
}
