package method

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/linuxzones/zones/contract"
)

// inProject is the context of a method whose project has these attributes.
func inProject(t testing.TB, line string) (Context, error) {
	t.Helper()
	h := host(t)
	must(t, os.WriteFile(h.Projects, []byte("other:1::::rcap.max-rss=1G\n"+line+"\n"), 0o644))
	return of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "p")))
}

// What a project bounds as a whole is the kernel's to hold; what has no counterpart is told, and why.
func TestWholeProject(t *testing.T) {
	type project = contract.Project
	p := func(p project) contract.Within {
		p.ID, p.Name = 7, "p"
		return contract.Within{Project: &p}
	}
	for attributes, v := range map[string]struct {
		want   contract.Within
		notice string
	}{
		"":                                       {},
		"project.max-lwps=(privileged,100,deny)": {want: p(project{Processes: 100})},
		"project.max-lwps=(priv,1K,deny);project.max-processes=(priv,50,deny)": {want: p(project{Processes: 50})},
		"project.max-processes=(basic,70,deny),(priv,80,deny)":                 {want: p(project{Processes: 70})},
		"project.max-lwps=(priv,18446744073709551615,deny)":                    {},
		"project.max-lwps=(priv,99,signal=SIGTERM)":                            {p(project{Processes: 99}), "sends no signals"},
		"rcap.max-rss=64M":                         {want: p(project{Memory: 64 << 20})},
		"rcap.max-rss=65536":                       {want: p(project{Memory: 65536})},
		"rcap.max-rss=10GB":                        {want: p(project{Memory: 10 << 30})},
		"rcap.max-rss=9999999E":                    {},
		"project.cpu-shares=(privileged,1,none)":   {want: p(project{Weight: 100})},
		"project.cpu-shares=(privileged,100,none)": {want: p(project{Weight: 10000})},
		"project.cpu-shares=(privileged,101,none)": {p(project{Weight: 10000}), "counts as 100, the most there is"},
		"project.cpu-shares=(privileged,0,none)":   {want: p(project{Weight: 1})},
		"project.cpu-cap=(privileged,150,deny)":    {want: p(project{Percent: 150})},
		"project.cpu-cap=(privileged,99G,deny)":    {},
		"project.pool=fast":                        {want: contract.Within{Pool: "fast"}},
		"project.pool=pool_default":                {},
		"project.pool=fast;rcap.max-rss=1M":        {want: contract.Within{Project: &project{ID: 7, Name: "p", Memory: 1 << 20}, Pool: "fast"}},
		"project.max-locked-memory=(priv,1G,deny)": {notice: `"project.max-locked-memory" has no counterpart: the kernel does not count locked memory by cgroup`},
		"project.max-shm-memory=(priv,1G,deny)":    {notice: `"project.max-shm-memory" has no counterpart: the kernel counts shared memory by zone`},
		"project.max-contracts=(priv,10,deny)":     {notice: "max-contracts bounds the contracts of all"},
		"task.max-lwps=(priv,10,deny)":             {notice: `"task.max-lwps" has no counterpart.`},
		"some-tool.setting=x":                      {notice: `"some-tool.setting" has no counterpart.`},
	} {
		c, err := inProject(t, "p:7::::"+attributes)
		if err != nil || !reflect.DeepEqual(c.Within, v.want) || (v.notice == "") != (len(c.Notices) == 0) || v.notice != "" && !holds(c.Notices, v.notice) {
			t.Errorf("%q: %+v of %+v, %q, %v", attributes, c.Within, c.Within.Project, c.Notices, err)
		}
	}
}

// What makes no sense fails the method with one line that names the project and the attribute.
func TestBadWholeProjects(t *testing.T) {
	for _, line := range []string{
		"p:7::::project.max-lwps=100", "p:7::::project.max-lwps=(priv,0,deny)", "p:7::::project.max-lwps=(priv,7,deny)", "p:7::::project.max-processes=(priv,-1,deny)", "p:7::::project.max-lwps",
		"p:7::::project.cpu-shares=(priv,x,none)", "p:7::::project.cpu-cap=(priv,0,deny)", "p:7::::project.cpu-cap=50", "p:7::::rcap.max-rss=(priv,1G,deny)",
		"p:7::::rcap.max-rss=1", "p:7::::rcap.max-rss=", "p:7::::rcap.max-rss=64X", "p:7::::project.pool=", "p:7::::project.pool=../x",
		"p:x::::rcap.max-rss=1G", "p:::::rcap.max-rss=1G", "p:2147483648::::rcap.max-rss=1G", "p:-1::::rcap.max-rss=1G",
		"p:7::::rcap.max-rss=1\x1b[2J\x07",
	} {
		c, err := inProject(t, line)
		var e *Error
		if !errors.As(err, &e) || e.Code != ExitConfig || !errors.Is(err, ErrContext) || !strings.HasPrefix(e.Text, `project "p": `) || strings.ContainsAny(e.Text, "\x1b\x07\n") {
			t.Errorf("%q: %+v, %v", line, c.Within, err)
		}
	}
	h := host(t)
	must(t, os.WriteFile(h.Projects, []byte("a/../b:7::::rcap.max-rss=1G\n"), 0o644))
	if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "a/../b"))); err == nil || !strings.Contains(err.Error(), "a name is a letter and then") {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
}

// A project that is not there fails the method, as in the original; one among thousands is found.
func TestProjectIsThere(t *testing.T) {
	h := host(t)
	for _, p := range []string{"gone", "999", "short", "system2"} {
		_, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", p)))
		var e *Error
		if !errors.As(err, &e) || e.Code != ExitConfig || !strings.HasPrefix(e.Text, `Project "`+p+`" not found: `) {
			t.Errorf("%s: %v", p, err)
		}
	}
	must(t, os.Remove(h.Projects))
	if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "web"))); err == nil {
		t.Error("a project without any table was found")
	}
	many := strings.Repeat("other:1::::project.max-lwps=(priv,10,deny)\n", 20000) + "p:7::::project.max-lwps=(priv,50,deny)\n"
	must(t, os.WriteFile(h.Projects, []byte(many), 0o644))
	c, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "7")))
	if err != nil || c.Within.Project == nil || c.Within.Project.Processes != 50 {
		t.Errorf("among thousands: %+v, %v", c.Within, err)
	}
	must(t, os.WriteFile(h.Projects, []byte(many+strings.Repeat("x", projectsBytesMax)), 0o644))
	if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "7"))); err == nil || !strings.Contains(err.Error(), "Could not read") {
		t.Errorf("a table that is too large: %v", err)
	}
}

// The context's pool stands before the project's.
func TestPoolOfContext(t *testing.T) {
	h := host(t)
	must(t, os.WriteFile(h.Projects, []byte("p:7::::project.pool=slow\n"), 0o644))
	for pool, want := range map[string]string{"fast": "fast", ":default": "slow", "pool_default": ""} {
		c, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "p"), str("resource_pool", pool)))
		if err != nil || c.Within.Pool != want || len(c.Notices) > 0 {
			t.Errorf("%s: %+v, %q, %v", pool, c.Within, c.Notices, err)
		}
	}
	long := strings.Repeat("p", contract.PoolNameMax+1)
	if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("resource_pool", long))); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a long name: %v", err)
	}
}

// Whatever the table says, a project that is taken can be said to who holds it.
func FuzzWholeProject(f *testing.F) {
	for _, s := range []string{"p:7::::rcap.max-rss=64M", "p:1::::project.max-lwps=(priv,1,deny);project.cpu-cap=(priv,5,deny)", "p:::::project.pool=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		fields := strings.SplitN(line, ":", 6)
		var c Context
		if len(fields) != 6 || (&reading{c: &c}).enter(fields) != nil || c.Within.Empty() {
			return
		}
		words := strings.Fields(string(contract.AppendWithin(nil, c.Within)))
		if got, err := contract.ParseWithin(words); err != nil || !reflect.DeepEqual(got, c.Within) {
			t.Errorf("%q gives %q, which is %+v, %v", line, words, got, err)
		}
	})
}
