package testenv

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// moduleRoot is the directory of go.mod above the working directory, which for a test is
// its package's.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}

// Root is the module's root directory.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// busyboxNames are the programs that BusyboxRoot's tree has, besides sh.
var busyboxNames = []string{
	"ash", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "echo", "env", "expr", "false",
	"find", "grep", "halt", "head", "hostname", "id", "init", "ip", "kill", "ln", "ls", "mkdir",
	"mknod", "mount", "mv", "nproc", "poweroff", "printf", "ps", "pwd", "reboot", "rm", "rmdir",
	"sed", "seq", "sleep", "sort", "stat", "stty", "sync", "tail", "tee", "test", "touch", "tr",
	"true", "tty", "umount", "uname", "usleep", "wc", "which", "whoami", "xargs", "yes",
}

// BusyboxRoot makes a root file system of busybox alone, 2 MB, for one test to do with as
// it likes. Its users are root, alice (1001) and nobody.
func BusyboxRoot(t testing.TB) string {
	t.Helper()
	ownDir()
	dir := filepath.Join(t.TempDir(), "busybox")
	for _, d := range []string{"bin", "sbin", "dev", "etc", "home/alice", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/sbin", "var/tmp"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	CopyProgram(t, busybox(t), filepath.Join(dir, "bin/busybox"))
	for _, name := range append([]string{"sh"}, busyboxNames...) {
		must(t, os.Symlink("busybox", filepath.Join(dir, "bin", name)))
	}
	must(t, os.Symlink("../bin/busybox", filepath.Join(dir, "sbin/init")))
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001:Alice:/home/alice:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"etc/group":  "root:x:0:\nalice:x:1001:\nnogroup:x:65534:\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "tmp"), 0o1777))
	must(t, os.Chmod(filepath.Join(dir, "var/tmp"), 0o1777))
	if os.Geteuid() == 0 {
		must(t, os.Chown(filepath.Join(dir, "home/alice"), 1001, 1001))
	}
	return dir
}

// CopyProgram copies a file that is to be executed. Who opens one for writing in a process that starts
// others meanwhile has a child hold it open until that is executed itself: the program is busy then.
func CopyProgram(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("install", "-m", "755", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s to %s: %v\n%s", from, to, err, out)
	}
}

// Self is this test program's file, for CopyProgram.
func Self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}

// busybox finds the static busybox of the package busybox-static.
func busybox(t testing.TB) string {
	t.Helper()
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if out, err := exec.Command(path, "true").CombinedOutput(); err == nil && len(out) == 0 {
			return path
		}
	}
	absent(t, "busybox is missing: make deps")
	return ""
}

// DebianRoot gives a debootstrap tree (minbase) of this machine's own release, made once
// for the machine and shared: do not change it. Its users are root, alice (1001, bash) and
// bob (1002, nologin). The first call takes about a minute.
func DebianRoot(t testing.TB) string {
	t.Helper()
	NeedRoot(t)
	ownDir()
	// The script takes a lock, so packages that run in parallel wait for one another.
	cmd := exec.Command(filepath.Join(Root(t), "hack/debian-tree.sh"), "minbase")
	cmd.Env = append(os.Environ(), "TMPDIR=")
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("make the Debian tree: %v\n%s", err, words.String())
	}
	return strings.TrimSpace(string(out))
}

// DebianCopy copies the Debian tree for one test to do with as it likes; about a second.
func DebianCopy(t testing.TB) string {
	t.Helper()
	tree := DebianRoot(t)
	dir := filepath.Join(t.TempDir(), "debian")
	if out, err := exec.Command("cp", "-a", "--reflink=auto", tree, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the Debian tree: %v\n%s", err, out)
	}
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
