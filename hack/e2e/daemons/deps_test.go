package daemons

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// host is a system that packages are installed on, by hack/deps.sh and an apt-get that only writes
// down what it finds: what the policy says, to which the scripts of packages listen.
type host struct {
	t   *testing.T
	dir string
}

const policy = "/usr/sbin/policy-rc.d"

// aptGet installs what it is told to, and says what it was told by the policy. "stuck" has it wait.
const aptGet = `#!/bin/sh
for last; do [ "$last" != update ] || exit 0; done
policy=none
[ ! -e ` + policy + ` ] || { ` + policy + ` nginx start; policy=$?; }
echo "install $policy" >>/said
[ ! -e /stuck ] || { mkfifo /wait; read x </wait; }
[ ! -e /broken ] || { echo "E: nothing is to be had"; exit 100; }
while [ "$1" != --no-install-recommends ]; do shift; done
shift
for package; do echo "ii  $package " >>/have; done
`

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t, testenv.BusyboxRoot(t)}
	for _, d := range []string{"/usr/local/bin", "/usr/sbin", "/run/lock", "/var/lib/apt/lists", "/tmp", "/dev"} {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"mkfifo", "mktemp", "sed", "tr", "find", "grep", "mv", "rm", "cat", "chmod", "touch"} {
		h.remove("/bin/" + tool)
		if err := os.Symlink("busybox", filepath.Join(h.dir, "/bin/"+tool)); err != nil {
			t.Fatal(err)
		}
	}
	h.write("/dev/null", "", 0o666) // as good as one here
	h.program("/bin/bash")
	h.program("/usr/bin/flock")
	for name, text := range map[string]string{
		"apt-get":     aptGet,
		"dpkg-query":  "#!/bin/sh\ncat /have\n",
		"update-rc.d": "#!/bin/sh\necho \"update-rc.d $*\" >>/said\n",
		"go":          "#!/bin/sh\n",
	} {
		h.write("/usr/local/bin/"+name, text, 0o755)
	}
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "hack/deps.sh"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("/deps.sh", string(text), 0o755)
	h.write("/have", "ii  cron \nii  git \n", 0o644)
	h.write("/said", "", 0o644)
	return h
}

func (h *host) write(path, text string, mode os.FileMode) {
	h.t.Helper()
	if mode&0o111 == 0 {
		if err := os.WriteFile(filepath.Join(h.dir, path), []byte(text), mode); err != nil {
			h.t.Fatal(err)
		}
		return
	}
	// Another program writes what is executed at once: who is started beside holds open what is written here.
	cmd := exec.Command("install", "-m", fmt.Sprintf("%o", mode), "/dev/stdin", filepath.Join(h.dir, path))
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("write %s: %v\n%s", path, err, out)
	}
}

// program is the real one, with what it is linked with.
func (h *host) program(path string) {
	h.t.Helper()
	libraries, err := exec.Command("ldd", path).Output()
	if err != nil {
		h.t.Fatal(err)
	}
	for path := range strings.FieldsSeq(path + " " + string(libraries)) {
		if !strings.HasPrefix(path, "/") {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Join(h.dir, filepath.Dir(path)), 0o755)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		h.write(path, string(text), 0o755)
	}
}

// read is a file's text; empty when there is none.
func (h *host) read(path string) string {
	text, _ := os.ReadFile(filepath.Join(h.dir, path))
	return string(text)
}

func (h *host) remove(names ...string) {
	for _, n := range names {
		os.Remove(filepath.Join(h.dir, n))
	}
}

func (h *host) command(output *bytes.Buffer) *exec.Cmd {
	cmd := exec.Command("/bin/bash", "/deps.sh", "test")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: h.dir, Setpgid: true}
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdout, cmd.Stderr = output, output
	return cmd
}

// run runs it, and gives its output and exit code.
func (h *host) run() (string, int) {
	h.t.Helper()
	var output bytes.Buffer
	cmd := h.command(&output)
	if err := cmd.Run(); cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return output.String(), cmd.ProcessState.ExitCode()
}

// left fails the test unless the policy is the host's own, and nothing else lies there.
func (h *host) left(want string) {
	h.t.Helper()
	if got := h.read(policy); got != want {
		h.t.Errorf("the policy is %q, and was %q", got, want)
	}
	if list, _ := filepath.Glob(filepath.Join(h.dir, policy+"?*")); len(list) != 0 {
		h.t.Errorf("left: %q", list)
	}
}

// TestDependencies: what the tests need is installed, and no daemon of it is started, neither now
// nor with the host; whatever becomes of the installation, the host's policy is its own again.
func TestDependencies(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	h := newHost(t)
	out, exit := h.run()
	if exit != 0 || !strings.HasPrefix(out, "deps: installing gcc ") || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d, %q", exit, out)
	}
	// cron was there, and is left as it is.
	const want = "install 101\nupdate-rc.d nginx disable\nupdate-rc.d postgresql disable\nupdate-rc.d redis-server disable\nupdate-rc.d ssh disable\n"
	if got := h.read("/said"); got != want {
		t.Errorf("%q", got)
	}
	h.left("")
	if out, exit := h.run(); exit != 0 || out != "" || h.read("/said") != want {
		t.Errorf("when all is there: exit %d, %q, %q", exit, out, h.read("/said"))
	}

	const own = "#!/bin/sh\n# all may start\nexit 0\n"
	again := func(what string, exit int) {
		t.Helper()
		h.write("/have", "", 0o644)
		h.write("/said", "", 0o644)
		if out, got := h.run(); got != exit || !strings.HasPrefix(h.read("/said"), "install 101\n") {
			t.Errorf("%s: exit %d\n%s\n%s", what, got, out, h.read("/said"))
		}
		h.left(own)
	}
	h.write(policy, own, 0o755)
	again("with a policy", 0)
	h.write("/broken", "", 0o644)
	again("with a broken archive", 1)
	h.remove("/broken")

	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		h.write("/have", "", 0o644)
		h.write("/stuck", "", 0o644)
		var output bytes.Buffer
		cmd := h.command(&output)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, func() bool {
			_, err := os.Stat(filepath.Join(h.dir, "/wait"))
			return err == nil
		}, "apt-get to wait")
		_ = syscall.Kill(-cmd.Process.Pid, signal)
		_ = cmd.Wait()
		h.remove("/wait", "/stuck")
		if signal != syscall.SIGKILL {
			h.left(own)
		} else if !strings.Contains(h.read(policy), "exit 101") || h.read(policy+".zones-kept") != own {
			t.Errorf("killed: the policy is %q, the host's own %q", h.read(policy), h.read(policy+".zones-kept"))
		}
	}
	again("after one that was killed", 0)
}

// TestDependenciesAtOnce: of two at once one installs, and the other has nothing to do.
func TestDependenciesAtOnce(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	h := newHost(t)
	h.write("/stuck", "", 0o644)
	var first, second bytes.Buffer
	one, two := h.command(&first), h.command(&second)
	for _, cmd := range []*exec.Cmd{one, two} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	}
	testenv.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "/wait"))
		return err == nil
	}, "apt-get to wait")
	time.Sleep(200 * time.Millisecond) // for the other to come to where it waits
	h.remove("/stuck")
	pipe, err := os.OpenFile(filepath.Join(h.dir, "/wait"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	if err, other := one.Wait(), two.Wait(); err != nil || other != nil {
		t.Errorf("%v, %v\n%s%s", err, other, first.String(), second.String())
	}
	if got := strings.Count(h.read("/said"), "install 101\n"); got != 1 {
		t.Errorf("%d installations: %q", got, h.read("/said"))
	}
	h.left("")
}
