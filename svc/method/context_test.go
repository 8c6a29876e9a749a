package method

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// context reads that of a method start whose own group and method_context are these.
func context(t testing.TB, own []tree.Property, all ...tree.Property) (Context, error) {
	t.Helper()
	groups := []tree.Group{grp("start", append(own, str("exec", "/usr/sbin/httpd -k start"))...)}
	if all != nil {
		groups = append(groups, grp("method_context", all...))
	}
	return of(t, host(t), groups...)
}

func of(t testing.TB, h Host, groups ...tree.Group) (Context, error) {
	t.Helper()
	i := instance(groups...)
	m, err := i.Method("start")
	must(t, err)
	return i.Context(m, h)
}

func as(props ...tree.Property) []tree.Property {
	return append([]tree.Property{boolean("use_profile", "false")}, props...)
}

// TestIdentity: who a method is.
func TestIdentity(t *testing.T) {
	web := Context{UID: 80, GID: 80, SetGroups: true, Groups: []uint32{80, 90}, Dir: "/srv/web"}
	with := func(f func(*Context)) Context { c := web; f(&c); return c }
	for name, v := range map[string]struct {
		own, all []tree.Property
		want     Context
	}{
		"no context":              {nil, nil, Context{}},
		"an empty one":            {nil, []tree.Property{}, Context{Dir: "/root"}},
		"an environment":          {[]tree.Property{str("environment", "A=1")}, nil, Context{Dir: "/root", Environment: []string{"A=1"}}},
		"a user":                  {nil, as(str("user", "web")), web},
		"a user of the method":    {as(str("user", "web")), nil, web},
		"a user without a switch": {nil, []tree.Property{str("user", "web")}, web},
		"the method's before all": {[]tree.Property{str("user", "web")}, as(str("user", "root"), str("group", "log")),
			with(func(c *Context) { c.GID = 90; c.Groups = []uint32{90, 80} })},
		"a number":            {nil, as(str("user", "80")), web},
		"a number and a name": {nil, as(str("user", "1234"), str("group", "0"), str("supp_groups", ""), str("working_directory", "/")), Context{UID: 1234, SetGroups: true, Dir: "/"}},
		"that one's name":     {nil, as(str("user", "82 ")), Context{UID: 82, GID: 82, SetGroups: true, Groups: []uint32{82}, Dir: "/srv/number"}},
		"groups": {nil, as(str("user", "web"), str("group", ":default"), str("supp_groups", " log , 7,root 9")),
			with(func(c *Context) { c.Groups = []uint32{90, 7, 0, 9} })},
		"home":       {nil, as(str("user", "web"), str("working_directory", ":home")), web},
		"by default": {nil, as(str("user", "web"), str("working_directory", ":default"), str("privileges", ":default"), str("limit_privileges", "zone"), str("project", ":default"), str("resource_pool", ":default")), web},
		"elsewhere":  {[]tree.Property{str("working_directory", "rel/dir")}, as(str("user", "web")), with(func(c *Context) { c.Dir = "rel/dir" })},
	} {
		c, err := context(t, v.own, v.all...)
		if len(c.Groups) == 0 {
			c.Groups = nil
		}
		if err != nil || !reflect.DeepEqual(c, v.want) {
			t.Errorf("%s: %+v, %v, not %+v", name, c, err, v.want)
		}
	}
}

// TestBadContexts: each is one line with the original's words first, and no context.
func TestBadContexts(t *testing.T) {
	for _, v := range []struct {
		want  string
		props []tree.Property
	}{
		{`"use profile" property is not boolean.`, []tree.Property{str("use_profile", "false")}},
		{`"use profile" property has no values.`, []tree.Property{typed(prop.Boolean, "use_profile")}},
		{`"use profile" property has multiple values.`, []tree.Property{typed(prop.Boolean, "use_profile", "true", "true")}},
		{`Could not get user property: there is none`, as()},
		{`Could not get user property: it is of type count.`, as(count("user", "80"))},
		{`Could not interpret user property: unknown user 'nobody'`, as(str("user", "nobody"))},
		{`Could not interpret user property: "80x" is no uid.`, as(str("user", "80x"))},
		{`Could not interpret user property: "4294967295" is no uid.`, as(str("user", "4294967295"))},
		{`Could not interpret user property: "99999999999" is no uid.`, as(str("user", "99999999999"))},
		{`Could not interpret user property: unknown user '-1'`, as(str("user", "-1"))},
		{`Could not interpret group property: unknown group "nogroup".`, as(str("user", "web"), str("group", "nogroup"))},
		{`Could not interpret group property: "7 8" is no gid.`, as(str("user", "web"), str("group", "7 8"))},
		{`Could not interpret group property: unknown group "".`, as(str("user", "web"), str("group", ""))},
		{`Could not interpret supplemental groups property: unknown group "x".`, as(str("user", "web"), str("supp_groups", "log,x"))},
		{`Could not interpret supplemental groups property: unknown group "".`, as(str("user", "web"), str("supp_groups", "log,,7"))},
		{`Could not get passwd entry: unknown user '1234'.`, as(str("user", "1234"))},
		{`Could not get working directory: it is empty.`, as(str("user", "80"), str("working_directory", ""))},
		{`"working directory" property has multiple values.`, []tree.Property{str("working_directory", "/", "/")}},
		{`"working directory" property has no values.`, []tree.Property{str("working_directory")}},
		{`Invalid method environment: it is of type count.`, []tree.Property{count("environment", "1")}},
		{`Could not interpret privileges property: "flying" is no privilege`, as(str("user", "web"), str("privileges", "basic,flying"))},
		{`Could not interpret privileges property: "" is no privilege`, as(str("user", "web"), str("privileges", ""))},
		{`Could not interpret privileges property: "" is no privilege`, as(str("user", "web"), str("privileges", "basic,"))},
		{`Could not interpret privileges property: "!" is no privilege`, as(str("user", "web"), str("privileges", "basic,!"))},
		{`Could not interpret limit_privileges property: "all!x" is no privilege`, as(str("user", "web"), str("limit_privileges", "all!x"))},
		{`Could not interpret security_flags property: "fast" is no security flag.`, []tree.Property{str("security_flags", "aslr,fast")}},
		{`Could not interpret security_flags property: "none" is no security flag.`, []tree.Property{str("security_flags", "!none")}},
		{`Could not interpret security_flags property: "" is no security flag.`, []tree.Property{str("security_flags", "")}},
		{`Project ID is invalid: "12x".`, []tree.Property{str("project", "12x")}},
		{`Project ID is invalid: it is empty.`, []tree.Property{str("project", "")}},
		{`Project ID too big: "2147483648".`, []tree.Property{str("project", "2147483648")}},
		{`Project ID too big: "99999999999999999999".`, []tree.Property{str("project", "99999999999999999999")}},
		{`pool_set_binding: pool name "-x" is invalid.`, []tree.Property{str("resource_pool", "-x")}},
		{`pool_set_binding: pool name "" is invalid.`, []tree.Property{str("resource_pool", "")}},
		{`"core_pattern" property has no values.`, []tree.Property{str("corefile_pattern")}},
		{`Could not get profile property: there is none`, []tree.Property{boolean("use_profile", "true")}},
		{`Could not find profile: `, []tree.Property{boolean("use_profile", "true"), str("profile", "None")}},
		{`Could not interpret user property: unknown user '?[2J?'`, as(str("user", "\x1b[2J\n"))},
	} {
		c, err := context(t, nil, v.props...)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrContext) || e.Code != ExitConfig || !strings.HasPrefix(e.Text, v.want) ||
			strings.ContainsAny(e.Text, "\n\x1b") || !strings.HasSuffix(e.Text, ".") || !reflect.DeepEqual(c, Context{}) {
			t.Errorf("%+v: %v, not %s", v.props, err, v.want)
		}
	}
}

// TestFilesOfUsers: what is gone, damaged or cannot be read.
func TestFilesOfUsers(t *testing.T) {
	h := host(t)
	groups := []tree.Group{grp("start", str("exec", "x")), grp("method_context", as(str("user", "web"))...)}
	if _, err := of(t, h, groups...); err != nil {
		t.Fatal(err)
	}
	var e *Error
	must(t, os.WriteFile(h.Accounts.Passwd, []byte("root:x:0:0::/:/bin/sh\n"), 0o644))
	if _, err := of(t, h, groups...); !errors.As(err, &e) || e.Code != ExitConfig || !errors.Is(err, ErrContext) {
		t.Errorf("a user who is gone: %v", err)
	}
	must(t, os.Remove(h.Accounts.Passwd))
	if _, err := of(t, h, groups...); !errors.As(err, &e) || e.Code != ExitConfig {
		t.Errorf("without the file: %v", err)
	}
	must(t, os.Mkdir(h.Accounts.Passwd, 0o755))
	if _, err := of(t, h, groups...); !errors.As(err, &e) || e.Code != ExitResources {
		t.Errorf("with a directory for the file: %v", err)
	}
	// Root is there without any file, and by whatever name.
	h.Accounts = account.Files{Passwd: "/no/passwd", Group: "/no/group"}
	if c, err := of(t, h, grp("start", str("exec", "x")), grp("method_context")); err != nil || c.Dir != "/" {
		t.Errorf("without any file: %+v, %v", c, err)
	}
	for _, name := range []string{"start", "method_context"} {
		if _, err := (&Instance{Running: failing{name, repo.ErrCorrupt}}).Context(Method{Name: "start"}, h); !errors.Is(err, repo.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func profiled(t *testing.T, which, command string) (Context, error) {
	t.Helper()
	return of(t, host(t), grp("start", str("exec", command)),
		grp("method_context", boolean("use_profile", "true"), str("profile", which), str("user", "root"), str("privileges", "all")))
}

// TestProfiles: a profile replaces user, group and privileges.
func TestProfiles(t *testing.T) {
	bind := &Privileges{Caps: capability(10)}
	for _, v := range []struct {
		which, command string
		want           Context
	}{
		{"Web", "/usr/sbin/httpd -k start", Context{UID: 80, GID: 90, SetGroups: true, Dir: "/srv/web", Privileges: bind, Limit: bind}},
		{"Web", "/opt/a/b\tc", Context{UID: 80, GID: 80, SetGroups: true, Dir: "/srv/web"}},
		{"Long Name", "/a:b", Context{}}, // the line's '\' is for its ':' alone: the name has one
		{"Long Name", `/a\:b`, Context{UID: 80, GID: 90, SetGroups: true, Dir: "/srv/web"}},
	} {
		c, err := profiled(t, v.which, v.command)
		if v.want.UID == 0 {
			if !errors.Is(err, ErrContext) {
				t.Errorf("%s: %+v, %v", v.command, c, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(c, v.want) {
			t.Errorf("%s: %+v, %v", v.command, c, err)
		}
	}
	for command, want := range map[string]string{
		"/bin/x": `Could not interpret profile uid: unknown user 'nobody'`,
		"/bin/p": `Could not interpret profile privs: "flying" is no privilege`,
		"/bin/l": `Could not interpret profile limitprivs: "" is no privilege`,
		"/bin/g": `Could not interpret profile gid: unknown group "nogroup".`,
	} {
		if _, err := profiled(t, "Odd", command); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", command, err)
		}
	}
	for which, command := range map[string]string{"Web": "/usr/sbin/other", "web": "/usr/sbin/httpd", "": "x"} {
		if _, err := profiled(t, which, command); !errors.Is(err, ErrContext) {
			t.Errorf("%s for %s: %v", which, command, err)
		}
	}
}

// TestProfileFiles: more files in a directory, and too many.
func TestProfileFiles(t *testing.T) {
	p := host(t).Profiles
	must(t, os.Mkdir(p.Dir, 0o755))
	must(t, os.WriteFile(filepath.Join(p.Dir, "more"), []byte("More:solaris:cmd:::/x:uid=5\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(p.Dir, ".hidden"), []byte("Hidden:solaris:cmd:::/x:uid=5\n"), 0o644))
	texts, err := p.texts()
	must(t, err)
	if a, found := attributesOf(texts, "More", "/x"); !found || a["uid"] != "5" {
		t.Errorf("%v", a)
	}
	if a, found := attributesOf(texts, "Hidden", "/x"); found {
		t.Errorf("a hidden file counts: %v", a)
	}
	for n := range fragmentsMax {
		must(t, os.WriteFile(filepath.Join(p.Dir, strconv.Itoa(n)), nil, 0o644))
	}
	if _, err := p.texts(); !errors.Is(err, errFragments) {
		t.Errorf("too many files: %v", err)
	}
	must(t, os.Truncate(p.File, profileBytesMax+1))
	p.Dir = ""
	if _, err := p.texts(); err == nil {
		t.Error("a file that is too large is read")
	}
	if texts, err := (Profiles{File: "/no/file", Dir: "/no/dir"}).texts(); err != nil || texts != nil {
		t.Errorf("without files: %v, %v", texts, err)
	}
}

func FuzzProfiles(f *testing.F) {
	f.Add(execAttr, "Web", "/usr/sbin/httpd")
	f.Add("a:b:c\\\n:::", "a", "")
	f.Fuzz(func(t *testing.T, text, which, command string) {
		a, found := attributesOf([][]byte{[]byte(text)}, which, command)
		if found && !strings.Contains(text, which) || !found && len(a) > 0 {
			t.Fatalf("%q of %q gave %v", which, text, a)
		}
		for key := range a {
			if strings.Contains(key, "=") {
				t.Fatalf("%q", key)
			}
		}
	})
}

// TestEnvironment: what a method is told, and in which order of importance.
func TestEnvironment(t *testing.T) {
	c, err := context(t, nil, str("environment", "A=1", "SMF_FMRI=evil", "bad", "=x", "PATH=/opt", "A=2", "E=", "NL=a\nb"))
	must(t, err)
	for _, want := range []string{
		`Invalid environment variable "SMF_FMRI=evil"; "SMF_" prefix is reserved.`,
		`Invalid environment variable "bad".`, `Invalid environment variable "=x".`,
	} {
		if !slices.Contains(c.Notices, want) {
			t.Errorf("%q lacks %q", c.Notices, want)
		}
	}
	got, err := c.Env(Run{
		Init: []string{"TERM=dumb", "SMF_METHOD=evil", "novalue", "=", "HOME=/"}, FMRI: "svc:/a:b", Method: "stop", Restarter: "svc:/r:d", Zone: "z",
		More: []string{"NOTIFY_SOCKET=/s", "HOME=/last"},
	})
	want := []string{"PATH=/opt", "TERM=dumb", "HOME=/last", "SMF_FMRI=svc:/a:b", "SMF_METHOD=stop", "SMF_RESTARTER=svc:/r:d", "SMF_ZONENAME=z",
		"A=2", "E=", "NL=a\nb", "NOTIFY_SOCKET=/s"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = (&Context{}).Env(Run{Init: []string{"PATH=/init"}})
	if err != nil || got[0] != "PATH=/init" || len(got) != 5 {
		t.Errorf("%q, %v", got, err)
	}
	got, err = (&Context{}).Env(Run{})
	if err != nil || got[0] != "PATH=/usr/sbin:/usr/bin" {
		t.Errorf("%q, %v", got, err)
	}
	large := Context{}
	for n := range 300 {
		large.Environment = append(large.Environment, "V"+strconv.Itoa(n)+"="+strings.Repeat("x", 4000))
	}
	var e *Error
	if _, err := large.Env(Run{}); !errors.As(err, &e) || e.Code != ExitConfig {
		t.Errorf("a large one: %v", err)
	}
}

// TestCounterparts: what is valid and has none on Linux is told at each start; what has one is not.
func TestCounterparts(t *testing.T) {
	for _, v := range []struct {
		p      tree.Property
		want   Context
		notice string
	}{
		{str("project", "system"), Context{}, ""},
		{str("project", "web"), Context{Limits: []Limit{{Resource: unix.RLIMIT_CORE, SetSoft: true}}, Within: contract.Within{Project: &contract.Project{ID: 101, Name: "web", Weight: 1000}}}, ""},
		{str("project", "100"), Context{Limits: []Limit{{Resource: unix.RLIMIT_NOFILE, SetSoft: true, Soft: 512, SetHard: true, Hard: 1024}}}, ""},
		{str("resource_pool", "pool_default"), Context{}, ""},
		{str("resource_pool", "fast"), Context{Within: contract.Within{Pool: "fast"}}, ""},
		{str("corefile_pattern", "/cores/%f"), Context{Core: CoreMade}, `corefile_pattern "/cores/%f" has no counterpart`},
		{str("corefile_pattern", "core.%p"), Context{Core: CoreMade}, ""},
		{str("corefile_pattern", ""), Context{Core: CoreNone}, ""},
		{str("security_flags", ":default"), Context{}, ""},
		{str("security_flags", "default"), Context{}, ""},
		{str("security_flags", "aslr,forbidnullmap"), Context{ASLR: true}, ""},
		{str("security_flags", "current,!aslr"), Context{NoASLR: true}, ""},
		{str("security_flags", "current,-aslr,aslr"), Context{NoASLR: true}, ""},
		{str("security_flags", "ALL, !forbidnullmap"), Context{ASLR: true, NoExecStack: true}, "forbidnullmap cannot be taken away"},
		{str("security_flags", "all"), Context{ASLR: true, NoExecStack: true}, "noexecstack holds for programs"},
		{str("security_flags", "none"), Context{NoASLR: true}, "forbidnullmap cannot"},
		{str("security_flags", "aslr"), Context{ASLR: true}, "forbidnullmap cannot"},
		{str("security_flags", "current,noexecstack"), Context{NoExecStack: true}, "noexecstack holds"},
	} {
		c, err := context(t, nil, v.p)
		notices := c.Notices
		v.want.Dir, c.Notices = "/root", nil
		if err != nil || !reflect.DeepEqual(c, v.want) || (v.notice != "") != (len(notices) > 0) || v.notice != "" && !holds(notices, v.notice) {
			t.Errorf("%s %q: %+v %q, %v", v.p.Name, v.p.Values, c, notices, err)
		}
	}
}
