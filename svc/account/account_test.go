package account

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/zonefile"
)

const passwd = `# users
root:x:0:0:root:/root:/bin/bash
alice:x:1001:1001:Alice:/home/alice:/bin/sh

bob:x:1002:100::/home/bob:
1003:x:1004:1004:looks like a number:/:/bin/sh
carol:x:1003:1003::/:/bin/sh
alice:x:666:666:the second of the name:/evil:/evil
toor:x:0:0:also root:/toor:/bin/ash
+nis::::::
broken:x:-1:1:::
broken:x:4294967295:1:::
broken:x:1:0x10:::
broken:x:+1:1:::
short:x:1:1
long:x:1:1:::: 
`

const group = `root:x:0:
tty:x:5:
wheel:x:10:root,alice
alice:x:1001:alice
staff:x:50:bob,alice,alice
again:x:50:alice
al:x:51:al,lice,malice
bad:x:-1:alice
none:x:4294967295:alice
video:x:44:alice`

func files(t *testing.T, passwd, group string) Files {
	t.Helper()
	dir := t.TempDir()
	f := Files{Passwd: filepath.Join(dir, "passwd"), Group: filepath.Join(dir, "group")}
	for path, text := range map[string]string{f.Passwd: passwd, f.Group: group} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestLookup(t *testing.T) {
	f := files(t, passwd, group)
	alice := &User{"alice", 1001, 1001, "/home/alice", "/bin/sh", []uint32{10, 50, 44}}
	for who, want := range map[string]*User{
		"root":  {"root", 0, 0, "/root", "/bin/bash", []uint32{10}},
		"alice": alice,
		"1001":  alice,
		"bob":   {"bob", 1002, 100, "/home/bob", "", []uint32{50}},
		"1003":  {"1003", 1004, 1004, "/", "/bin/sh", nil}, // a name goes before a number
		"0":     {"root", 0, 0, "/root", "/bin/bash", []uint32{10}},
		"666":   {"alice", 666, 666, "/evil", "/evil", []uint32{10, 1001, 50, 44}},
	} {
		if got, err := f.Lookup(who); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", who, got, err)
		}
	}
	for _, who := range []string{"", "x", "broken", "short", "long", "nis", "+nis", "-1", "4294967295", "# users", "root:x", "1005", "alice\n"} {
		if got, err := f.Lookup(who); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %+v, %v", who, got, err)
		}
	}
}

// TestNameOf: a user whose name is another's number is not that other.
func TestNameOf(t *testing.T) {
	f := files(t, passwd, group)
	for uid, want := range map[uint32]string{0: "root", 1001: "alice", 1003: "carol", 1004: "1003", 1005: ""} {
		name, err := f.NameOf(uid)
		if name != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("%d: %q, %v", uid, name, err)
		}
	}
	f.Passwd = "/no/passwd"
	if _, err := f.NameOf(0); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestUnknownSaysWhereTheFileIsBad(t *testing.T) {
	f := files(t, "a:x:1\nroot:x:0:0:::\nb\n", "")
	_, err := f.Lookup("x\x1b[2J")
	if want := "unknown user 'x?[2J' (2 lines of " + f.Passwd + " make no sense, the first is line 1)"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	f = files(t, "root:x:0:0:::\n", "")
	if _, err := f.Lookup("x"); err == nil || err.Error() != "unknown user 'x'" {
		t.Errorf("%v", err)
	}
}

func TestWithoutFiles(t *testing.T) {
	f := Files{Passwd: "/no/passwd", Group: "/no/group"}
	for _, who := range []string{"root", "0"} {
		if u, err := f.Lookup(who); err != nil || u.UID != 0 || u.Home != "/" || u.Shell != "/bin/sh" {
			t.Errorf("%s: %+v, %v", who, u, err)
		}
	}
	if _, err := f.Lookup("alice"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("alice: %v", err)
	}
	f = files(t, passwd, "")
	f.Group = "/no/group"
	if u, err := f.Lookup("alice"); err != nil || u.Groups != nil {
		t.Errorf("no groups: %+v, %v", u, err)
	}
	// A file that is there, but is none, is not as if it were not there.
	f = Files{Passwd: "/dev/null", Group: "/dev/null"}
	if _, err := f.Lookup("root"); !errors.Is(err, zonefile.ErrNotRegular) {
		t.Errorf("/dev/null as passwd: %v", err)
	}
	// An empty one has no root: only where no file is, is root without one.
	if _, err := files(t, "", "").Lookup("root"); !errors.Is(err, ErrUnknown) {
		t.Errorf("empty passwd: %v", err)
	}
}

func TestLimits(t *testing.T) {
	long := "evil:x:1:1:" + strings.Repeat("x", lineBytesMax) + ":/:/bin/sh\n"
	f := files(t, long+"root:x:0:0:::\n", strings.Replace(long, "x", "y", 1))
	if u, err := f.Lookup("root"); err != nil || u.UID != 0 {
		t.Errorf("root after a long line: %+v, %v", u, err)
	}
	if _, err := f.Lookup("evil"); !errors.Is(err, ErrUnknown) {
		t.Errorf("the long line was read: %v", err)
	}
	var many strings.Builder
	for i := range groupsMax + 10 {
		many.WriteString("g" + strconv.Itoa(i) + ":x:" + strconv.Itoa(i+2000) + ":alice\n")
	}
	f = files(t, passwd, many.String())
	if u, err := f.Lookup("alice"); err != nil || len(u.Groups) != groupsMax {
		t.Errorf("%d groups, %v", len(u.Groups), err)
	}
	if err := os.Truncate(f.Passwd, fileBytesMax+1); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lookup("root"); !errors.Is(err, zonefile.ErrTooLarge) {
		t.Errorf("a huge passwd: %v", err)
	}
}

func TestGroupID(t *testing.T) {
	f := files(t, passwd, group)
	if id, ok := f.GroupID("tty"); !ok || id != 5 {
		t.Errorf("tty: %d, %v", id, ok)
	}
	for _, name := range []string{"none", "bad", "nothing", ""} {
		if id, ok := f.GroupID(name); ok {
			t.Errorf("%q: %d", name, id)
		}
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte(passwd), []byte(group), "alice")
	f.Add([]byte("root:x:0:0:::"), []byte("\x00:::\n"), "0")
	f.Fuzz(func(t *testing.T, passwd, group []byte, who string) {
		id, numeric := parseID(who)
		u, bad := findUser(passwd, func(u *User) bool { return u.Name == who || numeric && u.UID == id })
		if bad.skipped < 0 || (bad.skipped > 0) != (bad.first > 0) {
			t.Fatalf("tally %+v", bad)
		}
		if u == nil {
			return
		}
		if u.UID > idMax || u.GID > idMax || u.Name == "" || strings.ContainsAny(u.Name+u.Home+u.Shell, ":\n\x00") {
			t.Fatalf("%+v", u)
		}
		if u.Name != who && (!numeric || u.UID != id) {
			t.Fatalf("%q found %+v", who, u)
		}
		seen := map[uint32]bool{u.GID: true}
		for _, gid := range memberships(group, u.Name, u.GID) {
			if seen[gid] {
				t.Fatalf("group %d twice", gid)
			}
			seen[gid] = true
		}
	})
}
