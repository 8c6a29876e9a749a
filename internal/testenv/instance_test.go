package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeZoneadm is a zoneadm whose zones are files: enough to hold Instance against.
const fakeZoneadm = `#!/bin/sh
# usage: zoneadm -z ZONE halt|uninstall|boot|hang|daemon|fail|env
state=$ZONES_ROOT/run/zones/state/$2
case $3 in
boot)
	mkdir -p "$state" "$ZONES_ROOT/run/zones/status"
	setsid tail -f "$ZONES_ROOT/etc/zones/index" </dev/null >/dev/null 2>&1 &
	echo $! >"$state/zoned.pid"
	echo '{"state":"running","id":3,"init":{"pid":7,"start":1},"zoned":{"pid":'$!',"start":2},"zsched":{"pid":9,"start":3}}' >"$ZONES_ROOT/run/zones/status/$2.json"
	;;
halt) [ ! -f "$state/zoned.pid" ] || [ -f "$state/stubborn" ] || kill "$(cat "$state/zoned.pid")"; rm -rf "$state" ;;
uninstall) : ;;
hang) exec sleep 1000 ;;
daemon) (until [ -e "$ZONES_ROOT/end" ]; do sleep 0.1; done) & ;;
fail) echo out; echo err >&2; exit 3 ;;
killed) kill -TERM $$ ;;
echo) cat ;;
env) env ;;
esac
`

const fakeZonecfg = `#!/bin/sh
# usage: zonecfg -z ZONE 'create; ...' | delete -F
case $3 in
delete) sed -i "/^$2:/d" "$ZONES_ROOT/etc/zones/index" ;;
*) echo "$2:installed:/x:" >>"$ZONES_ROOT/etc/zones/index" ;;
esac
`

// fakeInstance is an instance of the fakes.
func fakeInstance(t testing.TB) *Zones {
	t.Helper()
	NeedRoot(t)
	bin := t.TempDir()
	for name, text := range map[string]string{"zoneadm": fakeZoneadm, "zonecfg": fakeZonecfg} {
		must(t, os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755))
	}
	return newInstance(t, bin)
}

// record is a testing.TB that notes failures instead of failing the test.
type record struct {
	testing.TB
	words  []string
	ending []func()
}

type fatal struct{}

func (r *record) Helper()                   {}
func (r *record) Failed() bool              { return len(r.words) > 0 }
func (r *record) Cleanup(f func())          { r.ending = append(r.ending, f) }
func (r *record) Errorf(f string, a ...any) { r.words = append(r.words, fmt.Sprintf(f, a...)) }
func (r *record) Fatalf(f string, a ...any) { r.Errorf(f, a...); panic(fatal{}) }
func (r *record) end() {
	for i := len(r.ending) - 1; i >= 0; i-- {
		r.ending[i]()
	}
}

// run runs f with a record and gives what would have failed the test.
func (r *record) run(f func()) string {
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ours := p.(fatal); !ours {
					panic(p)
				}
			}
		}()
		f()
	}()
	return strings.Join(r.words, "\n")
}

func TestInstancePutsItsZonesAway(t *testing.T) {
	var z *Zones
	t.Run("life", func(t *testing.T) {
		z = fakeInstance(t)
		z.Sparse("web")
		z.Must("zoneadm", "-z", "web", "boot")
		s := z.AwaitState("web", "running")
		if s.ID != 3 || s.Init.Pid != 7 || s.Init.Start != 1 || s.Zoned.Pid != z.PID("web", "zoned") {
			t.Errorf("status %+v", s)
		}
		// While a process is being executed, its words and environment are nobody's.
		Eventually(t, func() bool { return len(z.Leftovers()) == 1 }, "the supervisor, and nothing else, to be attributed to the instance")
	})
	if _, err := os.Stat(z.Root); !os.IsNotExist(err) {
		t.Errorf("the instance's directory is still there: %v", err)
	}
}

func TestInstanceNamesAndSweepsLeftovers(t *testing.T) {
	r := &record{TB: t}
	z := fakeInstance(t)
	z.t = r
	z.Sparse("web")
	z.Must("zoneadm", "-z", "web", "boot")
	pid := z.PID("web", "zoned")
	Eventually(t, func() bool { p, _, _ := readProcess(pid); return strings.HasPrefix(p.words, "tail -f") }, "the daemon to be executed")
	must(t, os.WriteFile(filepath.Join(z.ZoneState("web"), "stubborn"), nil, 0o644))
	must(t, unix.Mount("tmpfs", z.Lib, "tmpfs", 0, ""))
	root, err := Cgroup2Mount()
	must(t, err)
	cgroup := filepath.Join(root, "web.1"+z.Tag(), "ct")
	must(t, os.MkdirAll(cgroup, 0o755))
	Eventually(t, func() bool { return strings.Contains(strings.Join(z.Leftovers(), "\n"), "tail -f") }, "the supervisor to be executed")

	eventuallyDeadline = 300 * time.Millisecond
	words := r.run(z.cleanup)
	eventuallyDeadline = 60 * time.Second
	for _, want := range []string{"left behind", "tail -f", "mount " + z.Lib, "cgroup " + filepath.Dir(cgroup)} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not said:\n%s", want, words)
		}
	}
	if p, _, ok := readProcess(pid); ok && p.state != "Z" {
		t.Errorf("%s was not killed", p)
	}
	if _, err := os.Stat(filepath.Dir(cgroup)); !os.IsNotExist(err) {
		t.Errorf("the cgroup is still there: %v", err)
	}
	if _, err := os.Stat(z.Root); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestRunOfAProgram(t *testing.T) {
	z := fakeInstance(t)
	if out, errs, exit := z.Zoneadm("-z", "web", "fail"); out != "out\n" || errs != "err\n" || exit != 3 {
		t.Errorf("got %q %q %d", out, errs, exit)
	}
	if _, _, exit := z.Zoneadm("-z", "web", "killed"); exit != 128+15 {
		t.Errorf("exit status of a killed program is %d", exit)
	}
	if out, _, _ := z.RunInput("words", "zoneadm", "-z", "web", "echo"); out != "words" {
		t.Errorf("echo gave %q", out)
	}
	z.Setenv("PLANTED", "yes")
	env, _, _ := z.Zoneadm("-z", "web", "env")
	for _, want := range []string{"ZONES_ROOT=" + z.Root, "PLANTED=yes", "ZONES_TEST_RUN="} {
		if !strings.Contains(env, want) {
			t.Errorf("%s is not in the environment", want)
		}
	}
}

func TestRunNamesHangs(t *testing.T) {
	r := &record{TB: t}
	z := fakeInstance(t)
	z.t = r
	commandDeadline = 200 * time.Millisecond
	words := r.run(func() { z.Zoneadm("-z", "web", "hang") })
	commandDeadline = 120 * time.Second
	if !strings.Contains(words, "no end within") {
		t.Errorf("a hang is told as %q", words)
	}
	r.words = nil
	usual := waitDelay
	waitDelay = 200 * time.Millisecond
	words = r.run(func() { z.Zoneadm("-z", "web", "daemon") })
	waitDelay = usual
	must(t, os.WriteFile(filepath.Join(z.Root, "end"), nil, 0o644))
	if !strings.Contains(words, "holds its output open") {
		t.Errorf("a daemon that holds the output is told as %q", words)
	}
}

func TestDebianRoot(t *testing.T) {
	tree := DebianRoot(t)
	passwd, err := os.ReadFile(filepath.Join(tree, "etc/passwd"))
	must(t, err)
	for _, user := range []string{"alice:x:1001", "bob:x:1002"} {
		if !strings.Contains(string(passwd), user) {
			t.Errorf("%s is not in the tree's passwd", user)
		}
	}
	if out, err := exec.Command("chroot", tree, "/bin/bash", "-c", "apt-get --version && id -u alice").CombinedOutput(); err != nil {
		t.Errorf("the tree does not run: %v\n%s", err, out)
	}
	if DebianCopy(t) == tree {
		t.Error("the copy is the shared tree")
	}
}

func TestBusyboxRoot(t *testing.T) {
	tree := BusyboxRoot(t)
	out, err := exec.Command("chroot", tree, "/bin/sh", "-c", "id -un alice && ls /sbin && seq 3 | tail -n 1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "alice\ninit\n3\n") {
		t.Errorf("the tree does not run: %v\n%s", err, out)
	}
}
