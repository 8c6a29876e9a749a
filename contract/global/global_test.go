package global

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestZoneOfPath(t *testing.T) {
	for _, c := range []struct{ path, tag, want string }{
		{"/sys/fs/cgroup/zones/web/g3", "", "web"},
		{"/sys/fs/cgroup/unified/zones.00c0ffee/mail/g12", ".00c0ffee", "mail"},
		{"/sys/fs/cgroup/zones.slice/zone-web-0123abcd.scope/g1", "", "web"},
		{"/sys/fs/cgroup/zones.slice/zone-my-web.00c0ffee-0123abcd.scope/g1", ".00c0ffee", "my-web"},
		{"/sys/fs/cgroup/zones.slice/other.scope/g1", "", ""},
		{"/sys/fs/cgroup/zones.slice/zone-x.scope/g1", "", ""},
		{"/", "", "/"},
	} {
		if got := zoneOfPath(c.path, c.tag); got != c.want {
			t.Errorf("%s: %q", c.path, got)
		}
	}
}

func TestGenerationFile(t *testing.T) {
	lay := layout.At(t.TempDir())
	if err := os.MkdirAll(lay.ZoneState(Name), 0o700); err != nil {
		t.Fatal(err)
	}
	boot, err := sys.BootID()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readGeneration(lay); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
	for text, want := range map[string]int{
		boot + " 7\n": 7, boot + " 7": 7, boot + " 0\n": 0, boot + " -1\n": 0, boot + " x\n": 0, boot + "\n": 0, "": 0, "another-boot 7\n": 0, boot + " 7 8\n": 0,
	} {
		if err := os.WriteFile(filepath.Join(lay.ZoneState(Name), generationFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := readGeneration(lay); n != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

func TestIdleTime(t *testing.T) {
	for text, want := range map[string]string{"": "10s", "100ms": "100ms", "0": "10s", "-1s": "10s", "x": "10s"} {
		t.Setenv(idleVariable, text)
		if got := idleTime().String(); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// A file system of contracts is told from others, and from none, also where the path has
// blanks and links in it.
func TestMounted(t *testing.T) {
	testenv.NeedRoot(t)
	dir := filepath.Join(t.TempDir(), "with blank")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.MkdirAll(dir+"/contract", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	path := dir + "/contract"
	if mounted(path) {
		t.Error("nothing is")
	}
	if err := unix.Mount("ctfs", path, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	defer unmount(path)
	if mounted(path) {
		t.Error("another one is")
	}
	unmount(path)
	if err := os.Remove(path); err != nil {
		t.Errorf("still mounted: %v", err)
	}
	unmount(path)
	if mounted(filepath.Join(dir, "none", "contract")) {
		t.Error("where there is no directory")
	}
}

// otherMounts starts a process in a mount namespace of its own, in which a tmpfs lies on dir
// if that is not empty, and names the namespace.
func otherMounts(t *testing.T, dir string) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", `mount --make-rprivate / && { [ -z "$1" ] || mount -t tmpfs x "$1"; } && echo >&3 && exec sleep 1000`, "sh", dir)
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid)
}

// The program begins again in the other namespace as the same process, if its directory is
// there; it stays where it is if not.
func TestEnterMounts(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	plain, hiding := otherMounts(t, ""), otherMounts(t, dir)
	other, err := os.Readlink(plain)
	if err != nil {
		t.Fatal(err)
	}
	for namespace, want := range map[string]string{plain: other, hiding: own, "/proc/self/ns/mnt": own, "/no/such/namespace": own} {
		cmd := exec.Command(os.Args[0], dir)
		cmd.Env = append(os.Environ(), enterVariable+"="+namespace)
		out, err := cmd.Output()
		if said := fmt.Sprintf("%d %s\n", cmd.Process.Pid, want); err != nil || string(out) != said {
			t.Errorf("%s: %v, %q, not %q", namespace, err, strings.TrimSpace(string(out)), said)
		}
	}
}
