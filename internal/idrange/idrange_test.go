package idrange

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

const (
	roleVariable = "IDRANGE_TEST_ROLE"
	dirVariable  = "IDRANGE_TEST_DIR"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "" {
		testenv.Main(m)
		return
	}
	os.Exit(leaser())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// registry is one of its own, with files of the host's users as given.
func registry(t testing.TB, files ...string) *Registry {
	t.Helper()
	etc := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		check(t, os.WriteFile(filepath.Join(etc, files[i]), []byte(files[i+1]), 0o600))
	}
	r, err := OpenAt(filepath.Join(t.TempDir(), "ids"), etc)
	check(t, err)
	return r
}

func lease(t testing.TB, r *Registry, name string) uint32 {
	t.Helper()
	base, err := r.Lease(name)
	check(t, err)
	if base < First || base >= First+Ranges*Count || (base-First)%Count != 0 {
		t.Fatalf("%s was given %#x", name, base)
	}
	return base
}

func TestLeaseAndRelease(t *testing.T) {
	r := registry(t)
	a, b := lease(t, r, " a"), lease(t, r, " b")
	if a == b || lease(t, r, " a") != a || lease(t, r, " b") != b {
		t.Errorf("a %#x, b %#x", a, b)
	}
	if c := lease(t, r, "/elsewhere a"); c == a {
		t.Error("the same name in another instance has the same range")
	}
	check(t, r.Release(" a"))
	check(t, r.Release(" a"))
	check(t, r.Release(" never"))
	if again := lease(t, r, " a"); again != a {
		t.Errorf("a had %#x and has %#x, though nobody took it", a, again)
	}
	if lease(t, r, " b") != b {
		t.Error("b's range went with a's")
	}
}

// Whoever has a range keeps it, also when the one that would be its first choice becomes free.
func TestLeaseAgainElsewhere(t *testing.T) {
	r := registry(t)
	first := lease(t, r, " a")
	link := filepath.Join(r.dir, strconv.Itoa(int(first)))
	check(t, os.Remove(link))
	check(t, os.Symlink(r.owner(" other"), link))
	second := lease(t, r, " a")
	if second == first {
		t.Fatal("leased twice")
	}
	check(t, r.Release(" other"))
	if lease(t, r, " a") != second {
		t.Error("a has two ranges")
	}
}

func TestLeasesOfAnotherBoot(t *testing.T) {
	r := registry(t)
	a := lease(t, r, " a")
	link := filepath.Join(r.dir, strconv.Itoa(int(a)))
	check(t, os.Remove(link))
	check(t, os.Symlink("00000000-0000-0000-0000-000000000000 /x b", link))
	other := filepath.Join(r.dir, strconv.Itoa(First+7*Count))
	check(t, os.Symlink("00000000-0000-0000-0000-000000000000 /x c", other))
	if lease(t, r, " a") != a {
		t.Error("a dead lease is respected")
	}
	if _, err := os.Lstat(other); err == nil {
		t.Error("a dead lease is left")
	}
}

func TestUsedByTheHost(t *testing.T) {
	const n = First + 100*Count
	for name, c := range map[string]struct {
		file, line string
		used       bool
	}{
		"subuid":                    {"subuid", "joe:%d:65536\n", true},
		"subgid without newline":    {"subgid", "x:1:1\njoe:%d:65536", true},
		"a subuid of one id":        {"subuid", "joe:%d:1\n", true},
		"subuid of nothing":         {"subuid", "joe:%d:0\n", false},
		"passwd":                    {"passwd", "root:x:0:0::/:\njoe:x:%d:5::/:\n", true},
		"group":                     {"group", "g:x:%d:joe,ann\n", true},
		"a group of thousands":      {"group", "big:x:5:" + strings.Repeat("somebody,", 20_000) + "\ng:x:%d:\n", true},
		"a comment":                 {"passwd", "# %d\n", false},
		"passwd's group":            {"passwd", "joe:x:5:%d::/:\n", false},
		"nonsense":                  {"subuid", "a:b:c\n:::\n-%d:99999999999999999999:1\n", false},
		"subuid from below into it": {"subuid", "joe:%d:65536\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			id := n
			if strings.Contains(name, "from below") {
				id = n - 65535
			}
			r := registry(t, c.file, fmt.Sprintf(c.line, id))
			used, err := r.used()
			check(t, err)
			if got := used.overlaps(n); got != c.used {
				t.Errorf("the range is used: %v", got)
			}
			if used.overlaps(n + Count) {
				t.Error("so is the next")
			}
		})
	}
	r := registry(t, "subuid", fmt.Sprintf("all:%d:%d\n", First, Ranges*Count/2))
	for i := range 50 {
		if base := lease(t, r, fmt.Sprintf(" z%d", i)); base < First+Ranges*Count/2 {
			t.Errorf("z%d has %#x, which is somebody's", i, base)
		}
	}
	check(t, os.Mkdir(filepath.Join(r.etc, "passwd"), 0o700))
	if _, err := r.Lease(" x"); err == nil {
		t.Error("leased without knowing who the users are")
	}
}

func TestFull(t *testing.T) {
	r := registry(t, "subuid", fmt.Sprintf("all:%d:%d\n", First, (Ranges-2)*Count))
	lease(t, r, " a")
	lease(t, r, " b")
	if _, err := r.Lease(" c"); !errors.Is(err, ErrFull) {
		t.Errorf("a third of two: %v", err)
	}
	check(t, r.Release(" a"))
	lease(t, r, " c")
}

// Leases of an instance that was removed go when there is no other way, and not while a
// process has their ids.
func TestReclaim(t *testing.T) {
	testenv.NeedRoot(t)
	r := registry(t, "subuid", fmt.Sprintf("all:%d:%d\n", First, (Ranges-4)*Count))
	gone, here := filepath.Join(t.TempDir(), "gone away"), t.TempDir()
	inUse, dead := lease(t, r, gone+" a"), lease(t, r, gone+" b")
	lease(t, r, here+" c")
	lease(t, r, " d")
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 5, Gid: 5, Groups: []uint32{inUse + 1000}}}
	check(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if base := lease(t, r, " new"); base != dead {
		t.Errorf("%#x was reclaimed, not %#x", base, dead)
	}
	if _, err := r.Lease(" another"); !errors.Is(err, ErrFull) {
		t.Errorf("what is in use was leased: %v", err)
	}
}

// What is no lease but has a range's name belongs to nobody.
func TestForeignFiles(t *testing.T) {
	r := registry(t)
	a := lease(t, r, " a")
	check(t, r.Release(" a"))
	name := filepath.Join(r.dir, strconv.Itoa(int(a)))
	check(t, os.WriteFile(name, nil, 0o600))
	check(t, os.WriteFile(filepath.Join(r.dir, "notes"), nil, 0o600))
	if lease(t, r, " a") == a {
		t.Error("a range was leased whose name is a file")
	}
	check(t, r.Release(" a"))
	for _, f := range []string{name, filepath.Join(r.dir, "notes")} {
		if _, err := os.Lstat(f); err != nil {
			t.Error(err)
		}
	}
}

func TestHostileDirectory(t *testing.T) {
	testenv.NeedRoot(t)
	base := t.TempDir()
	check(t, os.Mkdir(base+"/elsewhere", 0o700))
	check(t, os.Symlink(base+"/elsewhere", base+"/link"))
	check(t, os.WriteFile(base+"/file", nil, 0o600))
	check(t, os.Mkdir(base+"/open", 0o700))
	check(t, os.Chmod(base+"/open", 0o777))
	check(t, os.Mkdir(base+"/theirs", 0o700))
	check(t, os.Chown(base+"/theirs", 1000, 1000))
	check(t, os.Symlink(base+"/nothing", base+"/dangling"))
	for name, words := range map[string]string{
		"link": "", "file": "not a directory", "open": "others may write to it", "theirs": "belongs to user 1000", "dangling": "",
	} {
		_, err := OpenAt(base+"/"+name, "/etc")
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, _ := os.ReadDir(base + "/elsewhere"); len(e) != 0 {
		t.Errorf("something was written through a link: %v", e)
	}
	// It is put there after the registry was opened.
	r, err := OpenAt(base+"/good", "/etc")
	check(t, err)
	check(t, os.Remove(base+"/good"))
	if _, err := r.Lease(" a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is gone: %v", err)
	}
	check(t, os.Symlink(base+"/elsewhere", base+"/good"))
	if _, err := r.Lease(" a"); err == nil {
		t.Error("leased through a link")
	}
}

// Who is stopped with the lock does not stop everybody for ever.
func TestLockIsHeld(t *testing.T) {
	r := registry(t)
	old := lockTimeMax
	lockTimeMax = 20 * time.Millisecond
	defer func() { lockTimeMax = old }()
	d, err := r.lock()
	check(t, err)
	if _, err := r.Lease(" a"); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("%v", err)
	}
	if err := r.Release(" a"); err == nil {
		t.Error("released under another's lock")
	}
	check(t, d.Close())
	lease(t, r, " a")
}
