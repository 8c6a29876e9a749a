package method

import (
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/tree"
)

func TestParseLimit(t *testing.T) {
	basic := func(n uint64) Limit { return Limit{SetSoft: true, Soft: n} }
	for text, want := range map[string]Limit{
		"(basic,256,deny)":                       basic(256),
		"(basic,256)":                            basic(256),
		"(basic,10K,deny)":                       basic(10 << 10),
		"(basic,10kb,deny)":                      basic(10 << 10),
		"(basic,3GB,none)":                       basic(3 << 30),
		"(basic,20s,signal=SIGTERM)":             basic(20),
		"(basic,18446744073709551615,none)":      basic(math.MaxUint64),
		"(basic,99999E,none)":                    basic(math.MaxUint64),
		"(priv,5,deny)":                          {SetHard: true, Hard: 5},
		"(privileged,5,deny),(system,4,deny)":    {SetHard: true, Hard: 4},
		"(basic,7,deny),(priv,9),(basic,3,none)": {SetSoft: true, Soft: 3, SetHard: true, Hard: 9},
	} {
		got, signals, err := parseLimit(text)
		if err != nil || got != want || signals != strings.Contains(text, "signal") {
			t.Errorf("%s: %+v %v %v", text, got, signals, err)
		}
	}
	for _, text := range []string{
		"", "10", "()", "(basic)", "(basic,)", "(basic,x)", "(basic,-1)", "(basic,1.5)", "(basic,10KK)", "(basic,10BK)", "(basic,K)", "(root,1,deny)",
		"(basic,1,deny", "basic,1,deny)", "(basic,1,deny)(priv,2,deny)", "(basic,1,deny),", "(basic,1,deny),x", "(basic,1,kill)", "(basic,1,deny,deny)",
		"(basic,18446744073709551616)", " (basic,1)",
	} {
		if got, _, err := parseLimit(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

// Whatever the file says, nothing panics, and a soft limit that was read is one that is written there.
func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"(basic,256,deny)", "(priv,1K,deny),(basic,2,sig=9)", "(,,)", "(basic,99999999E)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if l, _, err := parseLimit(text); err == nil && (l.SetSoft != strings.Contains(text, "(basic,") || !l.SetSoft && !l.SetHard) {
			t.Errorf("%q: %+v", text, l)
		}
	})
}

// The project by default is the user's own, or else that of everybody; without a table there is none.
func TestProjectByDefault(t *testing.T) {
	nofile := func(n uint64) []Limit { return []Limit{{Resource: unix.RLIMIT_NOFILE, SetSoft: true, Soft: n}} }
	const own = "user.web:7::::process.max-file-descriptor=(basic,100,deny)\n"
	for _, v := range []struct {
		user, table string
		want        []Limit
	}{
		{"web", projects + own, nofile(100)},
		{"root", projects + own, nil},
		{"root", "default:3::::process.max-file-descriptor=(basic,9,deny)\n", nofile(9)},
		{"web", "default:3::::process.max-file-descriptor=(basic,9,deny)\n", nofile(9)},
		{"web", "#user.web:3::::process.max-file-descriptor=(basic,9,deny)\n", nil},
		{"web", "", nil},
	} {
		h := host(t)
		must(t, os.WriteFile(h.Projects, []byte(v.table), 0o644))
		c, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("user", v.user)))
		if err != nil || len(c.Limits) != len(v.want) || len(v.want) > 0 && c.Limits[0] != v.want[0] {
			t.Errorf("%s with %q: %+v %v", v.user, v.table, c.Limits, err)
		}
	}
	h := host(t)
	must(t, os.Remove(h.Projects))
	if c, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("user", "web"))); err != nil || c.Limits != nil {
		t.Errorf("without a table: %+v %v", c.Limits, err)
	}
}

// A table that cannot be read, and a project that makes no sense, fail the method.
func TestBadProjects(t *testing.T) {
	h := host(t)
	for _, p := range []tree.Property{str("project", "bad"), str("project", "102")} {
		if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", p)); err == nil || !strings.Contains(err.Error(), "process.max-stack-size is \"10\": a value is") {
			t.Errorf("%q: %v", p.Values, err)
		}
	}
	many := "m:5::::" + strings.Repeat("process.max-core-size=(basic,0);", limitsMax+1) + "\n"
	must(t, os.WriteFile(h.Projects, []byte(many), 0o644))
	if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "m"))); err == nil || !strings.Contains(err.Error(), "more than 64") {
		t.Errorf("many: %v", err)
	}
	must(t, os.Remove(h.Projects))
	must(t, os.Mkdir(h.Projects, 0o755))
	if _, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", "m"))); err == nil || !strings.Contains(err.Error(), "Could not read") {
		t.Errorf("a directory: %v", err)
	}
}

// The projects that each system of the original has are there without a table too, and bound nothing;
// what a table says of them holds.
func TestProjectsEverywhere(t *testing.T) {
	h := host(t)
	for _, table := range []string{"", "web:100::::\n", "default:3::::process.max-file-descriptor=(basic,9,deny)\n"} {
		must(t, os.WriteFile(h.Projects, []byte(table), 0o644))
		for _, name := range []string{"system", "user.root", "noproject", "default", "group.staff", "0", "1", "2", "3", "10"} {
			c, err := of(t, h, grp("start", str("exec", "/bin/true")), grp("method_context", str("project", name)))
			want := 0
			if strings.HasPrefix(table, "default") && (name == "default" || name == "3") {
				want = 1
			}
			if err != nil || len(c.Limits) != want || !c.Within.Empty() {
				t.Errorf("%s with %q: %+v, %v", name, table, c, err)
			}
		}
	}
}
