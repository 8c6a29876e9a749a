package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// roleVariable makes the test binary a program that uses the client library.
const roleVariable = "CT_TEST_ROLE"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == contract.GateWord {
		os.Exit(contract.Gate(os.Args[2:]))
	}
	contract.GateProgram = "/proc/self/exe"
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(roleMain(role))
	}
	testenv.Main(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is an instance whose host's contracts are served.
type rig struct {
	*testenv.Zones
	t  *testing.T
	fs *contract.FS
}

func newRig(t *testing.T) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	r := &rig{Zones: testenv.Instance(t), t: t}
	f, err := contract.OpenAt(r.ServeContracts())
	must(t, err)
	r.fs = f
	t.Cleanup(r.putAway)
	return r
}

// putAway ends what a failed test has left in contracts, so that the server can leave.
func (r *rig) putAway() {
	defer r.fs.Close()
	if !r.t.Failed() {
		return
	}
	all, _ := r.fs.Statuses()
	for _, st := range all {
		for _, pid := range st.Members {
			if fd, err := sys.PidfdOpen(int(pid)); err == nil {
				_ = sys.PidfdSignal(fd.Int(), unix.SIGKILL)
				fd.Close()
			}
		}
	}
}

// ctrun runs to its end.
func (r *rig) ctrun(args ...string) (stdout, stderr string, exit int) {
	r.t.Helper()
	return r.RunInput("", "ctrun", args...)
}

// statuses are those of ctstat -o json.
type status struct {
	CTID        int      `json:"ctid"`
	Zone        string   `json:"zone"`
	State       string   `json:"state"`
	Holder      int      `json:"holder"`
	Unacked     int      `json:"nevents"`
	Cookie      string   `json:"cookie"`
	Informative []string `json:"informative"`
	Critical    []string `json:"critical"`
	Fatal       []string `json:"fatal"`
	Params      []string `json:"params"`
	Members     []int    `json:"members"`
	Contracts   []int    `json:"contracts"`
	FMRI        string   `json:"svc_fmri"`
	Creator     string   `json:"creator"`
	Aux         string   `json:"svc_aux"`
}

func (r *rig) ctstat(args ...string) []status {
	r.t.Helper()
	var list []status
	out := r.Must("ctstat", append([]string{"-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return list
}

// find waits for the contract of a process that is running.
func (r *rig) of(pid int) (st status) {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		for _, s := range r.ctstat("-a") {
			for _, m := range s.Members {
				if m == pid {
					st = s
					return true
				}
			}
		}
		return false
	}, "the contract of process "+strconv.Itoa(pid))
	return st
}

// contract is the status of one contract; the zero one when it is gone.
func (r *rig) contract(id int) status {
	r.t.Helper()
	for _, s := range r.ctstat("-a") {
		if s.CTID == id {
			return s
		}
	}
	return status{}
}

// background is a program that runs.
type background struct {
	*exec.Cmd
	t        *testing.T
	out, err strings.Builder
	done     chan struct{}
}

// start starts a program of the instance; it is killed with the test, if it runs still.
func (r *rig) start(cmd *exec.Cmd) *background {
	r.t.Helper()
	b := &background{Cmd: cmd, t: r.t, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &b.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &b.err
	}
	cmd.WaitDelay = testenv.Deadline(20 * time.Second)
	must(r.t, cmd.Start())
	go func() {
		_ = cmd.Wait()
		close(b.done)
	}()
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-b.done
	})
	return b
}

// exit waits for the end: the exit code, 128 and more for a signal.
func (b *background) exit() int {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(testenv.Deadline(2 * time.Minute)):
		b.t.Fatalf("%s does not end\n%s", b.Args, b.err.String())
	}
	if ws := b.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return b.ProcessState.ExitCode()
}

func (b *background) running() bool {
	select {
	case <-b.done:
		return false
	default:
		return true
	}
}

// number waits for a file that holds one number.
func number(t *testing.T, path string) (n int) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		text, _ := os.ReadFile(path)
		var err error
		n, err = strconv.Atoi(strings.TrimSuffix(string(text), "\n"))
		return err == nil && strings.HasSuffix(string(text), "\n")
	}, "a number in "+filepath.Base(path))
	return n
}

// lines counts the lines of a file.
func lines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return strings.Count(string(text), "\n")
}

// kill kills a process that the test has made.
func kill(t *testing.T, pid int, sig unix.Signal) {
	t.Helper()
	fd, err := sys.PidfdOpen(pid)
	must(t, err)
	defer fd.Close()
	must(t, sys.PidfdSignal(fd.Int(), sig))
}

// alive says whether there is such a process, dead ones not counted.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// nobody runs a command of the instance as a user who is not root.
func nobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// public gives the programs in a directory that every user can reach.
func (r *rig) public() string {
	r.t.Helper()
	dir, err := os.MkdirTemp("/tmp", "zones-ct-test-")
	must(r.t, err)
	r.t.Cleanup(func() { os.RemoveAll(dir) })
	must(r.t, os.Chmod(dir, 0o755))
	for _, name := range []string{"ctrun", "ctstat", "ctwatch"} {
		if out, err := exec.Command("cp", "-a", r.Bin+"/"+name, dir+"/").CombinedOutput(); err != nil {
			r.t.Fatalf("%v: %s", err, out)
		}
	}
	return dir
}
