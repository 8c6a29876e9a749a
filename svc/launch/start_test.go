package launch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/method"
)

// nobody is a user of a test; the number need not be anybody's.
const nobody = 64321

func user(dir string, groups ...uint32) method.Context {
	return method.Context{UID: nobody, GID: nobody + 1, SetGroups: true, Groups: groups, Dir: dir}
}

// TestStart: what is promised of every method, by both ways.
func TestStart(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	t.Run("contract", r.contract)
	t.Run("process", r.process)
	t.Run("shell", r.shell)
	t.Run("runtime directories", r.runtimeDirectories)
	t.Run("many at once", r.many)
	t.Run("cannot be", r.cannot)
}

// contract: the process is in the contract from its first instruction, with the terms asked for.
func (r *rig) contract(t *testing.T) {
	for _, c := range []method.Context{{}, {NoASLR: true}} {
		s, err := r.start(r.method("sleep 1000", c))
		must(t, err)
		st, err := r.fs.Contract(s.Contract).Status()
		must(t, err)
		if len(st.Members) != 1 || int(st.Members[0]) != s.PID || st.Terms.FMRI != "svc:/test:default" || st.Terms.Aux != "start" || st.Terms.Cookie != 0x20 ||
			st.Terms.Critical != terms().Critical || st.Terms.Params != terms().Params || st.Terms.Fatal != 0 || st.Terms.Informative != 0 {
			t.Errorf("process %d in %+v", s.PID, st)
		}
		must(t, unix.PidfdSendSignal(s.Pidfd, unix.SIGKILL, nil, 0))
		if got := r.wait(s); got.Signal() != unix.SIGKILL {
			t.Errorf("%v", got)
		}
		// Its contract is taken over by the next one, once.
		testenv.Eventually(t, func() bool { st, err = r.fs.Contract(s.Contract).Status(); return err == nil && len(st.Members) == 0 }, "the contract to be empty")
		m := r.method("true", c)
		m.Terms.Transfer = s.Contract
		// It has no member any more, and is empty when the last one has let go of its files.
		testenv.Eventually(t, func() bool {
			tpl, err := r.fs.Template()
			must(t, err)
			defer tpl.Close()
			return !errors.Is(tpl.Set(m.Terms), unix.ENOTEMPTY)
		}, "the contract to be one that can be taken over")
		if status, text := r.run(m); status.ExitStatus() != 0 || text != "" {
			t.Errorf("transfer: %v %q", status, text)
		}
		m.Terms.Transfer = 1 << 30
		if _, err := r.start(m); !errors.Is(err, unix.ESRCH) {
			t.Errorf("transfer of a contract that is not: %v", err)
		}
	}
}

func (r *rig) process(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for _, c := range []struct {
		command string
		context method.Context
		want    string
	}{
		{"echo here", method.Context{}, "here"},
		{"echo wrong >&2", method.Context{}, "wrong"},
		{"sh -c umask", method.Context{}, "0022"},
		{"readlink /proc/self/fd/0", method.Context{}, "/dev/null"},
		{"sh -c 'for n in 3 4 5 6 7 8 9 251; do test -e /proc/$$/fd/$n && echo $n; done; echo .'", method.Context{}, "."},
		{"env | grep -v ^PWD= | sort", method.Context{}, strings.Join(env(), "\n")},
		{"pwd", method.Context{Dir: "/"}, "/"},
		{"pwd", method.Context{Dir: dir}, dir},
		{"id -u", user("/"), strconv.Itoa(nobody)},
		{"id -g", user("/"), strconv.Itoa(nobody + 1)},
		{"id -G", user("/"), strconv.Itoa(nobody + 1)},
		{"id -G", user("/", 7, 9), strconv.Itoa(nobody+1) + " 7 9"},
		{"grep CapEff /proc/self/status", user("/"), "CapEff:\t0000000000000000"},
		{"grep CapPrm /proc/self/status", user("/"), "CapPrm:\t0000000000000000"},
	} {
		r.both(r.method(c.command, c.context), c.want)
	}
	m := r.method(`sh -c 'read -r _ _ _ _ p s _ </proc/self/stat; [ "$p" = "$$" ] && [ "$s" = "$$" ] && echo leads'`, method.Context{})
	m.Session = true
	r.both(m, "leads")
	m.Session = false
	if status, text := r.run(m); status.ExitStatus() == 0 || text != "" {
		t.Errorf("without a session: %v %q", status, text)
	}
}

// shell: the command is the shell's to understand, and the process is the command's.
func (r *rig) shell(t *testing.T) {
	r.both(r.method(`echo "a  b" 'c'  d`, method.Context{}), "a  b c d")
	m := r.method("sh -c 'echo $$'", method.Context{})
	for range 2 {
		s, err := r.start(m)
		must(t, err)
		r.wait(s)
		must(t, r.fs.Contract(s.Contract).Abandon())
		text, _ := os.ReadFile(r.log)
		if strings.TrimSpace(string(text)) != strconv.Itoa(s.PID) {
			t.Errorf("process %d says it is %q", s.PID, text)
		}
		m.Context.NoASLR = true
	}
	for command, want := range map[string]int{"sh -c 'exit 95'": 95, "/no/such/program": 127, "/etc/passwd": 126} {
		if status, _ := r.run(r.method(command, method.Context{})); status.ExitStatus() != want {
			t.Errorf("%s: %v", command, status)
		}
		if status, _ := r.ordered(r.method(command, method.Context{})); status.ExitStatus() != want {
			t.Errorf("%s, ordered: %v", command, status)
		}
	}
	was := r.l.shell
	defer func() { r.l.shell = was }()
	r.l.shell = "/no/shell"
	status, text := r.run(r.method("true", method.Context{}))
	if status.ExitStatus() != 10 || !strings.Contains(text, "svc.startd could not execute /no/shell: no such file or directory. ]\n") {
		t.Errorf("without a shell: %v %q", status, text)
	}
}

func (r *rig) runtimeDirectories(t *testing.T) {
	name := "zones-test-launch-" + strconv.Itoa(os.Getpid())
	t.Cleanup(func() { os.RemoveAll("/run/" + name) })
	m := r.method("stat -c %u:%g:%a /run/"+name+"/a/b /run/"+name, user("/"))
	m.RuntimeDirectories = []string{"/run/" + name + "/a/b"}
	r.both(m, strconv.Itoa(nobody)+":"+strconv.Itoa(nobody+1)+":755\n0:0:755")
	must(t, os.Remove("/run/"+name+"/a/b"))
	must(t, os.Symlink("/etc", "/run/"+name+"/a/b"))
	before, err := os.Stat("/etc")
	must(t, err)
	status, text := r.run(m)
	after, err := os.Stat("/etc")
	must(t, err)
	if status.ExitStatus() != 1 || !strings.Contains(text, "could not set context for method:  ]\nruntime_directory: Not a directory\n") {
		t.Errorf("a link: %v %q", status, text)
	}
	b, a := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t)
	b.Atim, a.Atim = syscall.Timespec{}, syscall.Timespec{} // whoever looks into it changes that
	if *b != *a {
		t.Errorf("/etc was changed: %+v, %+v", b, a)
	}
}

// many: a launcher is everybody's.
func (r *rig) many(t *testing.T) {
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			path := filepath.Join(t.TempDir(), "log")
			for try := range 8 {
				f, err := os.Create(path)
				if err != nil {
					t.Error(err)
					return
				}
				m := r.method("echo $SMF_FMRI "+strconv.Itoa(n*100+try), method.Context{NoASLR: n%2 == 0})
				m.Log = f
				s, err := r.l.Start(m)
				f.Close()
				if err != nil {
					t.Errorf("%d: %v", n, err)
					return
				}
				if status := r.wait(s); status.ExitStatus() != 0 {
					t.Errorf("%d: %v", n, status)
				}
				if err := r.fs.Contract(s.Contract).Abandon(); err != nil {
					t.Error(err)
				}
				text, _ := os.ReadFile(path)
				if want := "svc:/test:default " + strconv.Itoa(n*100+try) + "\n"; string(text) != want {
					t.Errorf("%q, wanted %q", text, want)
				}
			}
		})
	}
	group.Wait()
}

// cannot: what fails before there is a process leaves nothing, nor does a child that was born and could
// not execute the command, whether the kernel's word of it comes before or after that of its maker.
func (r *rig) cannot(t *testing.T) {
	for range testenv.Rounds(300, 50) {
		if status, _ := r.run(r.method("/no/such/program", method.Context{})); status.ExitStatus() != 127 {
			t.Errorf("%v", status)
		}
	}
	m := r.method("true", method.Context{NoASLR: true})
	m.Env = []string{"A=" + strings.Repeat("x", orderBytesMax)}
	if _, err := r.start(m); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an order that is too large: %v", err)
	}
	m = r.method("true", method.Context{})
	m.Terms.FMRI = "svc:/" + strings.Repeat("x", 2000)
	if _, err := r.start(m); err == nil || errors.Is(err, ErrAgain) {
		t.Errorf("terms that make no sense: %v", err)
	}
	// Those that were abandoned go when their processes have let go of all they had.
	var left []contract.Status
	defer func() {
		for _, st := range left {
			t.Logf("left: %+v", st)
		}
	}()
	testenv.Eventually(t, func() bool {
		all, err := r.fs.Statuses()
		must(t, err)
		// The one that was made last is known still.
		left = slices.DeleteFunc(all, func(st contract.Status) bool { return st.State == contract.Dead })
		return len(left) == 0
	}, "no contract to be left")
}
