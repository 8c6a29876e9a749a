package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/method"
)

// TestContext: what the kernel says of a process that was given a context.
func TestContext(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	t.Run("ways", r.ways)
	t.Run("privileges", r.privileges)
	t.Run("limits", r.limits)
	t.Run("faults", r.faults)
	t.Run("too large", r.tooLarge)
	t.Run("a directory that blocks", r.blocked)
	t.Run("no more processes", r.noProcesses)
	if !t.Failed() {
		r.cost(t)
	}
}

const (
	bind  = uint64(1) << unix.CAP_NET_BIND_SERVICE
	chown = uint64(1) << unix.CAP_CHOWN
	kill  = uint64(1) << unix.CAP_KILL
)

// ways: who can be started directly is, all others are not.
func (r *rig) ways(t *testing.T) {
	none, some := &method.Privileges{}, &method.Privileges{Caps: bind}
	with := func(f func(c *method.Context)) method.Context { c := user("/"); f(&c); return c }
	for name, v := range map[string]struct {
		c      method.Context
		direct bool
	}{
		"nothing":                 {method.Context{}, true},
		"root":                    {method.Context{Dir: "/"}, true},
		"a user":                  {user("/"), true},
		"a user without any":      {with(func(c *method.Context) { c.Privileges = none }), !r.l.heirs},
		"flags that hold":         {with(func(c *method.Context) { c.ASLR, c.NoExecStack = true, true }), r.l.plain},
		"a directory of /proc":    {method.Context{Dir: "/proc"}, false},
		"no directory":            {method.Context{Dir: "/no/directory"}, false},
		"a user with some":        {with(func(c *method.Context) { c.Privileges = some }), false},
		"root with none":          {method.Context{Privileges: none}, false},
		"root with everything":    {method.Context{Privileges: &method.Privileges{All: true}}, false},
		"a limit":                 {with(func(c *method.Context) { c.Limit = none }), false},
		"no random addresses":     {with(func(c *method.Context) { c.NoASLR = true }), false},
		"no core files":           {with(func(c *method.Context) { c.Core = method.CoreNone }), false},
		"core files in any event": {with(func(c *method.Context) { c.Core = method.CoreMade }), false},
	} {
		dir, ok := r.l.direct(&Method{Context: v.c})
		if ok != v.direct {
			t.Errorf("%s: directly: %v", name, ok)
		}
		dir.Close()
	}
	for _, c := range []method.Context{{}, {NoASLR: true}} {
		s, err := r.l.Start(Method{Command: "echo nobody hears", Context: c, Env: env(), Terms: terms()})
		must(t, err)
		if status := r.wait(s); status.ExitStatus() != 0 {
			t.Errorf("without a log: %v", status)
		}
		must(t, r.fs.Contract(s.Contract).Abandon())
	}
}

// sets gives the capabilities of a method: permitted, effective, inheritable, bounding, ambient.
func (r *rig) sets(c method.Context) map[string]uint64 {
	r.t.Helper()
	status, text := r.run(r.method("grep ^Cap /proc/self/status", c))
	if status.ExitStatus() != 0 {
		r.t.Fatalf("%v %q", status, text)
	}
	sets := map[string]uint64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		n, err := strconv.ParseUint(value, 16, 64)
		must(r.t, err)
		sets[name] = n
	}
	return sets
}

func (r *rig) privileges(t *testing.T) {
	own, _, err := capabilities()
	must(t, err)
	given := func(p method.Privileges, c method.Context) method.Context { c.Privileges = &p; return c }
	limited := func(p method.Privileges, c method.Context) method.Context { c.Limit = &p; return c }
	all := func(p, bounds uint64) map[string]uint64 {
		return map[string]uint64{"CapPrm": p, "CapEff": p, "CapInh": p, "CapAmb": p, "CapBnd": bounds}
	}
	root := func(p, bounds uint64) map[string]uint64 {
		return map[string]uint64{"CapPrm": p, "CapEff": p, "CapInh": 0, "CapAmb": 0, "CapBnd": bounds}
	}
	for name, v := range map[string]struct {
		c    method.Context
		want map[string]uint64
	}{
		"root":                       {method.Context{}, root(own, own)},
		"a user":                     {user("/"), root(0, own)},
		"a user with one":            {given(method.Privileges{Caps: bind}, user("/")), all(bind, own)},
		"a user with all":            {given(method.Privileges{All: true}, user("/")), all(own, own)},
		"a user with all but one":    {given(method.Privileges{All: true, Without: chown}, user("/")), all(own&^chown, own)},
		"root with none":             {given(method.Privileges{}, method.Context{}), all(0, own)},
		"root with one":              {given(method.Privileges{Caps: bind}, method.Context{}), all(bind, own)},
		"root with all":              {given(method.Privileges{All: true}, method.Context{}), root(own, own)},
		"limited root":               {limited(method.Privileges{All: true, Without: chown}, method.Context{}), root(own&^chown, own&^chown)},
		"limited to nothing":         {limited(method.Privileges{}, method.Context{}), root(0, 0)},
		"a limited user":             {limited(method.Privileges{Caps: bind | kill}, user("/")), root(0, bind|kill)},
		"more than the limit":        {limited(method.Privileges{Caps: bind}, given(method.Privileges{Caps: bind | kill}, user("/"))), all(bind, bind)},
		"root, all, and a limit":     {limited(method.Privileges{All: true, Without: kill}, given(method.Privileges{All: true}, method.Context{})), all(own&^kill, own&^kill)},
		"a user limited to nothing":  {limited(method.Privileges{}, user("/")), root(0, 0)},
		"root, limited, none, again": {limited(method.Privileges{}, given(method.Privileges{}, method.Context{})), all(0, 0)},
	} {
		got := r.sets(v.c)
		for set, want := range v.want {
			if got[set] != want {
				t.Errorf("%s: %s is %#x, not %#x", name, set, got[set], want)
			}
		}
	}
	// Root without privileges is refused what root is allowed, for good.
	status, text := r.run(r.method("sh -c 'chown 1 "+r.log+" || echo no'", given(method.Privileges{}, method.Context{})))
	if !strings.Contains(text, "no\n") {
		t.Errorf("chown by root without privileges: %v %q", status, text)
	}
}

func (r *rig) limits(t *testing.T) {
	for _, v := range []struct {
		command string
		c       method.Context
		want    string
	}{
		{"cat /proc/self/personality", method.Context{NoASLR: true}, "00040000"},
		{"cat /proc/self/personality", method.Context{ASLR: true, NoExecStack: true}, "00000000"},
		{"sh -c 'ulimit -Sc'", method.Context{Core: method.CoreNone}, "0"},
		{"sh -c 'ulimit -Sn; ulimit -Hn'", method.Context{Limits: []method.Limit{{Resource: unix.RLIMIT_NOFILE, SetSoft: true, Soft: 77, SetHard: true, Hard: 99}}}, "77\n99"},
		{"sh -c 'ulimit -Sn; ulimit -Hn'", method.Context{Limits: []method.Limit{{Resource: unix.RLIMIT_NOFILE, SetHard: true, Hard: 98}}}, "98\n98"},
		{"sh -c 'ulimit -Sn; ulimit -Hn'", method.Context{Limits: []method.Limit{
			{Resource: unix.RLIMIT_NOFILE, SetHard: true, Hard: 97}, {Resource: unix.RLIMIT_NOFILE, SetSoft: true, Soft: 1 << 40},
		}}, "97\n97"},
		{"sh -c '[ $(ulimit -Sc) = $(ulimit -Hc) ] && echo same'", method.Context{Core: method.CoreMade}, "same"},
	} {
		status, text := r.run(r.method(v.command, v.c))
		if status.ExitStatus() != 0 || strings.TrimSpace(text) != v.want {
			t.Errorf("%s with %+v: %v %q, wanted %q", v.command, v.c, status, text, v.want)
		}
	}
}

// faults: each is told in the log, and has the original's exit code.
func (r *rig) faults(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Mkdir(dir+"/closed", 0o700))
	must(t, os.WriteFile(dir+"/file", nil, 0o644))
	must(t, os.Symlink("loop", dir+"/loop"))
	with := func(p method.Privileges) method.Context { return method.Context{Privileges: &p} }
	for _, v := range []struct {
		c    method.Context
		exit int
		want string
	}{
		{method.Context{Dir: dir + "/none"}, 96, "chdir: No such file or directory"},
		{user("/" + strings.Repeat("x", 300)), 96, "chdir: File name too long"},
		{user(dir + "/closed"), 1, "chdir: Permission denied"},
		{method.Context{Dir: dir + "/file"}, 1, "chdir: Not a directory"},
		{method.Context{Dir: dir + "/loop"}, 1, "chdir: Too many levels of symbolic links"},
		{with(method.Privileges{Caps: 1 << 63}), 96, "setppriv: Operation not permitted"},
		{method.Context{Limit: &method.Privileges{Caps: 1 << 63}}, 96, "setppriv: Operation not permitted"},
		{method.Context{UID: 1<<32 - 1, Groups: []uint32{1<<32 - 1}, SetGroups: true}, 96, "setgroups: Invalid argument"},
	} {
		m := r.method("echo never", v.c)
		status, text := r.run(m)
		lines := strings.Split(text, "\n")
		if status.ExitStatus() != v.exit || len(lines) != 3 || lines[1] != v.want ||
			!strings.HasSuffix(lines[0], " svc.startd could not set context for method:  ]") || !strings.HasPrefix(lines[0], "[ ") {
			t.Errorf("%+v: %v %q, wanted exit %d and %q", v.c, status, text, v.exit, v.want)
			continue
		}
		if _, err := time.Parse(lineLayout, lines[0][2:17]); err != nil {
			t.Error(err)
		}
	}
	// Who may not search the way to a directory enters it all the same: root has found it.
	must(t, os.Mkdir(dir+"/closed/open", 0o755))
	if dirOf, ok := r.l.quick(dir + "/closed/open"); ok {
		dirOf.Close()
		if status, text := r.run(r.method("true", user(dir+"/closed/open"))); status.ExitStatus() != 0 {
			t.Errorf("a directory that root finds: %v %q", status, text)
		}
	}
}

// tooLarge: an environment that no program can have is the shell's failure, told in the log.
func (r *rig) tooLarge(t *testing.T) {
	m := r.method("true", user("/"))
	for n := range 1200 {
		m.Env = append(m.Env, "V"+strconv.Itoa(n)+"="+strings.Repeat("x", 4000))
	}
	status, text := r.run(m)
	if status.ExitStatus() != 10 || !strings.Contains(text, "could not execute "+r.l.shell+": argument list too long. ]\n") {
		t.Errorf("%v %q", status, text)
	}
}

// blocked: a directory whose server does not answer holds up its method and nothing else.
func (r *rig) blocked(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	must(t, err)
	defer fuse.Close()
	must(t, unix.Mount("none", dir, "fuse", 0, "fd="+strconv.Itoa(int(fuse.Fd()))+",rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"))
	defer unix.Unmount(dir, unix.MNT_DETACH)
	for _, path := range []string{dir, dir + "/below"} {
		done := make(chan Started)
		go func() {
			s, err := r.start(r.method("true", method.Context{Dir: path}))
			if err != nil {
				t.Error(err)
			}
			done <- s
		}()
		var s Started
		select {
		case s = <-done:
		case <-time.After(testenv.Deadline(20 * time.Second)):
			fuse.Close() // what waits is told that nobody will answer
			t.Fatal("the start waits for the directory")
		}
		// Another one starts meanwhile.
		other := filepath.Join(t.TempDir(), "log")
		f, err := os.Create(other)
		must(t, err)
		m := r.method("echo lives", user("/"))
		m.Log = f
		o, err := r.l.Start(m)
		f.Close()
		must(t, err)
		if status := r.wait(o); status.ExitStatus() != 0 {
			t.Errorf("beside it: %v", status)
		}
		must(t, r.fs.Contract(o.Contract).Abandon())
		must(t, unix.PidfdSendSignal(s.Pidfd, unix.SIGKILL, nil, 0))
		if status := r.wait(s); status.Signal() != unix.SIGKILL {
			t.Errorf("the method that waits: %v", status)
		}
		must(t, r.fs.Contract(s.Contract).Abandon())
	}
}

// noProcesses: what fails for want of processes can be tried again.
func (r *rig) noProcesses(t *testing.T) {
	var had unix.Rlimit
	must(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &had))
	low := had
	low.Cur = 0
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, (*syscall.Rlimit)(&low)))
	_, err := r.l.Start(Method{Command: "true", Context: method.Context{NoASLR: true}, Env: env(), Terms: terms(), Log: os.Stderr})
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, (*syscall.Rlimit)(&had)))
	if !errors.Is(err, ErrAgain) {
		t.Errorf("without descriptors: %v", err)
	}
	if status, _ := r.run(r.method("true", method.Context{})); status.ExitStatus() != 0 {
		t.Errorf("after that: %v", status)
	}
}
