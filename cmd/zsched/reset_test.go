package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// launcherMain is a caller who leaves nothing as it should be, and then becomes zsched.
func launcherMain() {
	runtime.LockOSThread()
	var blocked unix.Sigset_t
	blocked.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGUSR1-1) | 1<<(unix.SIGCHLD-1)
	_ = unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, nil)
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGPIPE)
	unix.Umask(0o077)
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 7)
	for _, r := range []int{unix.RLIMIT_NOFILE, unix.RLIMIT_CORE} {
		var lim unix.Rlimit
		_ = unix.Prlimit(0, r, nil, &lim)
		lim.Cur = 77
		_ = syscall.Setrlimit(r, &syscall.Rlimit{Cur: lim.Cur, Max: lim.Max})
	}
	_ = os.Chdir("/tmp")
	n, _ := unix.Open("/etc/hostname", unix.O_RDONLY, 0) // not close-on-exec
	_, _ = unix.Dup(n)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("300"), 0)
	_ = os.Unsetenv(roleVariable)
	err := syscall.Exec(os.Args[1], []string{os.Args[1], "-z", os.Args[2]}, os.Environ())
	fmt.Println(err)
	os.Exit(1)
}

// Whatever the caller's limits, signals, mask and keys: a supervisor's are the host's.
func TestProcessIsReset(t *testing.T) {
	testenv.NeedRoot(t)
	i := newInstance(t, "facts", "serve")
	z := i.command("web")
	exe, err := os.Executable()
	check(t, err)
	env := z.cmd.Env
	z.cmd = exec.Command(exe, z.cmd.Path, "web")
	z.cmd.Env = append(env, roleVariable+"=launcher", "LANG=C.UTF-8")
	z.cmd.Stdout, z.cmd.Stderr = z, z
	z.start()
	z.awaitReady()
	got := i.file("facts.web")
	mine, _ := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	for _, want := range []string{
		// 32 and 33 are the C library's own: make(1) leaves them ignored to its children.
		`SigBlk:\t0000000[01]80000000|SigBlk:\t0000000000000000`, `SigIgn:\t0000000[01]80000000|SigIgn:\t0000000000000000`, `Umask:\t0022`, `cwd /\n`, `nice 0\n`, `oom (0|300)\n`,
		`env .*LANG=C.UTF-8`, `env .*` + layout.EnvRoot + `=` + regexp.QuoteMeta(i.root),
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, not := range []string{"hostname", "GOMAXPROCS", "GOGC", "limits 77", fmt.Sprintf("keyring %d\n", mine)} {
		if strings.Contains(got, not) {
			t.Errorf("%s in\n%s", not, got)
		}
	}
	var host, ours unix.Rlimit
	check(t, unix.Prlimit(1, unix.RLIMIT_NOFILE, nil, &host))
	check(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &ours))
	want := max(host.Cur, filesMin)
	if m := regexp.MustCompile(`limits (\d+)`).FindStringSubmatch(got); m == nil || m[1] != fmt.Sprint(want) && m[1] != fmt.Sprint(min(want, ours.Max)) {
		t.Errorf("limits %v, the host's is %d", m, host.Cur)
	}
	z.leave()
}

// loggerMain says more than a log may hold.
func loggerMain() {
	dir, err := sys.OpenDir(os.Getenv(layout.EnvRoot))
	if err != nil {
		os.Exit(1)
	}
	j := journal{dir: dir, zone: "web"}
	j.say("before")
	j.detach()
	for n := range 40_000 {
		j.say("line " + strconv.Itoa(n) + " " + strings.Repeat("x", 50))
	}
	os.Exit(0)
}

func TestLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, logName), []byte("of the last life\n"), 0o600))
	exe, err := os.Executable()
	check(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVariable+"=logger", layout.EnvRoot+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "zsched: zone 'web': before\n"+readyLine {
		t.Errorf("%v %q", err, out)
	}
	now, err := os.ReadFile(filepath.Join(dir, logName))
	check(t, err)
	before, err := os.ReadFile(filepath.Join(dir, logName+".0"))
	check(t, err)
	if len(now) > logBytesMax+200 || len(before) > logBytesMax+200 || !strings.Contains(string(now), "line 39999 ") {
		t.Errorf("%d and %d bytes", len(now), len(before))
	}
	first, _, _ := strings.Cut(string(now), "\n")
	if !regexp.MustCompile(`^\[\d+\] zsched\[\d+\]: zone 'web': line \d+ x+$`).MatchString(first) {
		t.Errorf("a line is %q", first)
	}
}

// Who started it does not take its messages: it serves all the same.
func TestReadyToNobody(t *testing.T) {
	i := newInstance(t, "serve")
	for name, full := range map[string]bool{"gone": false, "full": true} {
		r, w, err := os.Pipe()
		check(t, err)
		if full {
			fd := int(w.Fd())
			check(t, unix.SetNonblock(fd, true))
			for err == nil {
				_, err = unix.Write(fd, make([]byte, 4096))
			}
			check(t, unix.SetNonblock(fd, false))
		} else {
			r.Close()
		}
		z := i.command(name)
		z.cmd.Stdout, z.cmd.Stderr = w, w
		z.start()
		w.Close()
		testenv.Eventually(t, func() bool {
			_, err := os.Stat(i.lay.ZoneState(name) + "/" + logName)
			return err == nil && z.zoned() != 0
		}, name+": a supervisor that serves")
		z.leave()
		r.Close()
	}
}
