package auth

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
)

func TestHas(t *testing.T) {
	for _, c := range []struct {
		word, asked string
		want        bool
	}{
		{"solaris.smf.modify", "solaris.smf.modify", true},
		{"solaris.smf.modify", "solaris.smf.modify.method", false},
		{"solaris.smf.modify.method", "solaris.smf.modify", false},
		{"solaris.smf.*", "solaris.smf.modify", true},
		{"solaris.smf.*", "solaris.smf.modify.method", true},
		{"solaris.smf.*", "solaris.smf", false},
		{"solaris.smf.modify.*", "solaris.smf.modify", false},
		{"solaris.*", "solaris.smf.manage", true},
		{"*", "solaris.smf.manage", true},
		{"solaris.smf*", "solaris.smfx", true},
		{"solaris.*.modify", "solaris.smf.modify", false},
		{"solaris.*.modify", "solaris.*.modify", true},
		{"solaris.smf.*", "solaris.smf.grant", false},
		{"solaris.smf.grant", "solaris.smf.grant", true},
		{"solaris.*", "grant", false},
		{"*", "grant", false},
		{"solaris.smf.*", "solaris.smf.granted", true},
		{"*", "", false},
		{"", "", false},
		{"Solaris.smf.modify", "solaris.smf.modify", false},
	} {
		if got := Of("other", c.word).Has(c.asked); got != c.want {
			t.Errorf("%q for %q: %v", c.word, c.asked, got)
		}
	}
	if (Set{}).Has("solaris.smf.modify") {
		t.Error("nobody has something")
	}
}

const users = `# users
alice::::auths=solaris.smf.modify.application,site.a;profiles=Operator
bob::::type=normal;profiles=Nested, Escaped\:Name;auths=
#carol::::auths=solaris.*
carol:::auths=solaris.too.few
dave::::profiles=Stop,Operator;auths=own
erin::::profiles=\
Operator;\
auths=joined
frank::::profiles=Round
1003::::auths=of.the.name
`

const profiles = `Operator:::Runs services:auths=solaris.smf.manage,solaris.smf.modify.framework;help=x.html
Nested:::One in the other:profs=Inner
Inner:::Inner:auths=inner.a;profs=Nested,Operator
Escaped\:Name:::With a colon:auths=with\,comma
Round:::Itself:profs=Round;auths=round
Basic:::All:auths=everybody
`

const policy = `# policy
AUTHS_GRANTED=solaris.device.cdrw
PROFS_GRANTED=Basic
CONSOLE_USER=Operator
LOCK_AFTER_RETRIES=NO
`

func TestResolve(t *testing.T) {
	everybody := []string{"solaris.device.cdrw", "everybody"}
	manage := []string{"solaris.smf.manage", "solaris.smf.modify.framework"}
	for name, want := range map[string][]string{
		"alice": slices.Concat([]string{"solaris.smf.modify.application", "site.a"}, manage, everybody),
		"bob":   slices.Concat([]string{"inner.a"}, manage, []string{"with,comma"}, everybody),
		"carol": everybody,
		"dave":  {"own"},
		"erin":  slices.Concat([]string{"joined"}, manage, everybody),
		"frank": append([]string{"round"}, everybody...),
		"":      everybody,
		"zoe":   everybody,
	} {
		s, err := resolve(name, []string{"", users}, []string{profiles, ""}, policy)
		if err != nil || !slices.Equal(s.words, want) {
			t.Errorf("%s: %q, want %q; %v", name, s.words, want, err)
		}
	}
	// Lines of one name add up, wherever they are.
	s, err := resolve("alice", []string{"alice::::auths=a", "alice::::auths=b\nalice::::auths=c,a"}, nil, "")
	if want := []string{"a", "b", "c"}; err != nil || !slices.Equal(s.words, want) {
		t.Errorf("%q, %v", s.words, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T) Files {
	d := t.TempDir()
	f := Files{
		Accounts: account.Files{Passwd: d + "/passwd"},
		Users:    d + "/user_attr", UsersDir: d + "/user_attr.d",
		Profiles: d + "/prof_attr", ProfilesDir: d + "/prof_attr.d", Policy: d + "/policy.conf",
	}
	write(t, f.Accounts.Passwd, "root:x:0:0:::\nalice:x:1001:1001:::\n1003:x:1004:1:::\n")
	return f
}

func TestFiles(t *testing.T) {
	f := files(t)
	check := func(uid uint32, want ...string) {
		t.Helper()
		if s, err := f.OfUID(uid); err != nil || !slices.Equal(s.words, want) {
			t.Errorf("%d: %q, want %q; %v", uid, s.words, want, err)
		}
	}
	check(1001)
	write(t, f.Users, users)
	write(t, f.Profiles, profiles)
	write(t, f.Policy, policy)
	write(t, filepath.Join(f.UsersDir, "site"), "alice::::auths=fragment;profiles=Local\n")
	write(t, filepath.Join(f.UsersDir, ".hidden"), "alice::::auths=hidden\n")
	write(t, filepath.Join(f.ProfilesDir, "local"), "Local:::x:auths=local\n")
	check(1001, "solaris.smf.modify.application", "site.a", "solaris.smf.manage", "solaris.smf.modify.framework",
		"fragment", "local", "solaris.device.cdrw", "everybody")
	check(1004, "of.the.name", "solaris.device.cdrw", "everybody")
	check(1003, "solaris.device.cdrw", "everybody") // has no name
	f.Accounts.Passwd = "/no/passwd"
	check(1001, "solaris.device.cdrw", "everybody")
}

// TestRefusals: what cannot be read gives nothing, not even what could be.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, f Files)
		want  error
	}{
		"huge file":       {func(t *testing.T, f Files) { write(t, f.Profiles, strings.Repeat("#\n", fileBytesMax)) }, ErrLimit},
		"huge line":       {func(t *testing.T, f Files) { write(t, f.Users, "alice::::auths="+strings.Repeat("x", lineBytesMax)) }, ErrLimit},
		"continued line":  {func(t *testing.T, f Files) { write(t, f.Users, strings.Repeat("xy\\\n", lineBytesMax)) }, ErrLimit},
		"a fifo":          {func(t *testing.T, f Files) { os.Remove(f.Policy); _ = unix.Mkfifo(f.Policy, 0o600) }, nil},
		"a fifo for many": {func(t *testing.T, f Files) { _ = unix.Mkfifo(f.UsersDir, 0o600) }, unix.ENOTDIR},
		"many fragments": {func(t *testing.T, f Files) {
			for i := range fragmentsMax + 1 {
				write(t, filepath.Join(f.UsersDir, strconv.Itoa(i)), "")
			}
		}, ErrLimit},
		"many words": {func(t *testing.T, f Files) {
			for i := range 4 {
				write(t, filepath.Join(f.UsersDir, strconv.Itoa(i)), "alice::::auths="+numbers(i*300, 300)+"\n")
			}
		}, ErrLimit},
		"many profiles": {func(t *testing.T, f Files) { write(t, f.Users, "alice::::profiles="+numbers(0, profilesMax+1)+"\n") }, ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			f := files(t)
			write(t, f.Policy, "AUTHS_GRANTED=a\n")
			write(t, f.Users, "alice::::auths=b\n")
			if s, err := f.OfUID(1001); err != nil || !s.Has("a") || !s.Has("b") {
				t.Fatalf("before: %q, %v", s.words, err)
			}
			c.spoil(t, f)
			s, err := f.OfUID(1001)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || len(s.words) > 0 {
				t.Errorf("%q, %v", s.words, err)
			}
		})
	}
}

func numbers(from, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("w" + strconv.Itoa(from+i) + ",")
	}
	return b.String()
}

func FuzzResolve(f *testing.F) {
	f.Add("alice", users, profiles, policy)
	f.Add("a:b", `a\:b::::auths=\`, `x\`, "AUTHS_GRANTED=*")
	f.Fuzz(func(t *testing.T, name, users, profiles, policy string) {
		s, err := resolve(name, []string{users}, []string{profiles}, policy)
		if err != nil && len(s.words) > 0 || len(s.words) > wordsMax {
			t.Fatalf("%d words, %v", len(s.words), err)
		}
		all := users + profiles + policy
		for _, w := range s.words {
			if w == "" || len(w) > len(all) {
				t.Fatalf("%q comes from nowhere", w)
			}
		}
	})
}
