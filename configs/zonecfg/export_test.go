package zonecfg

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
)

// dice makes random configurations that pass Validate.
type dice struct{ *rand.Rand }

func (d dice) maybe() bool { return d.IntN(2) == 0 }

func (d dice) pick(words ...string) string { return words[d.IntN(len(words))] }

// text is anything that a value may be, with what is hard to write.
func (d dice) text() string {
	parts := []string{"a", "Z", "0", " ", "\"", "\\", "=", ",", ";", "[", "]", "(", ")", "#", "-", "é", "日", "'", "$", "%s", "\\\"", "&lt;", "<!--", "]]>"}
	var b strings.Builder
	for range 1 + d.IntN(12) {
		b.WriteString(parts[d.IntN(len(parts))])
	}
	return b.String()
}

func (d dice) zone() *configs.Zone {
	z := configs.New("web")
	z.Path = "/zones/" + strings.NewReplacer(`"`, "", "/", "").Replace(d.text())
	z.Brand = d.pick(configs.BrandNames()...)
	z.Autoboot = d.maybe()
	if d.maybe() {
		z.IPType = configs.IPShared
	}
	if d.maybe() {
		z.Bootargs = d.text()
	}
	if d.maybe() {
		z.HostID = fmt.Sprintf("%x", d.Uint32N(0xfffffffe))
	}
	if d.maybe() {
		z.FSAllowed = d.pick("ufs", "-ufs,pcfs", "-,ufs")
	}
	if d.maybe() {
		z.LimitPriv = d.pick("default", "default,!sys_acct", "default,-sys_acct,sys_time", "basic,sys_boot")
	}
	if d.maybe() {
		z.SecurityFlags = &configs.SecurityFlags{Lower: d.pick("", "none"), Default: d.pick("aslr", "aslr,-aslr"), Upper: d.pick("", "all")}
	}
	d.resources(z)
	d.limits(z)
	return z
}

func (d dice) resources(z *configs.Zone) {
	for i := range d.IntN(3) {
		f := configs.FS{Dir: fmt.Sprintf("/d%d%s", i, strings.ReplaceAll(d.text(), "/", "")), Special: d.text(), Type: d.pick("tmpfs", "ext4")}
		if f.Type == "ext4" && d.maybe() {
			f.Raw = "/dev/" + d.text()
		}
		for j := range d.IntN(3) {
			f.Options = append(f.Options, fmt.Sprintf("o%d=%s", j, strings.NewReplacer(",", "", " ", "").Replace(d.text())))
		}
		z.FS = append(z.FS, f)
	}
	for i := range d.IntN(3) {
		n := configs.Net{Physical: fmt.Sprintf("e%d", i)}
		address := d.pick("192.0.2.1/24", "192.0.2.9", "2001:db8::1/64")
		if z.IPType == configs.IPShared {
			n.Address = address
		} else {
			n.AllowedAddress, n.MACAddr, n.GlobalNIC = address+",192.0.2.77", d.pick("", "2:8:20:a:b:c"), d.pick("", "br0")
			n.VLANID = uint16(d.IntN(4095))
			n.DefRouter = d.pick("", "192.0.2.254")
		}
		for j := range d.IntN(3) {
			n.Properties = append(n.Properties, configs.Property{Name: fmt.Sprintf("p%d", j), Value: d.text()})
		}
		z.Nets = append(z.Nets, n)
	}
	for i := range d.IntN(3) {
		z.Devices = append(z.Devices, configs.Device{Match: fmt.Sprintf("/dev/%d%s", i, d.text())})
		z.Attrs = append(z.Attrs, configs.Attr{Name: fmt.Sprintf("a%d", i), Type: "string", Value: d.text()})
		z.Datasets = append(z.Datasets, configs.Dataset{Name: fmt.Sprintf("tank/%d a:b", i)})
		z.Admins = append(z.Admins, configs.Admin{User: fmt.Sprintf("u%d", i), Auths: []string{"manage", "login"}[d.IntN(2):]})
	}
}

func (d dice) limits(z *configs.Zone) {
	if d.maybe() {
		z.PhysicalMemory = 1<<20 + d.Uint64N(1<<40)
	}
	for _, a := range append(configs.RctlAliases(), configs.AliasSwap) {
		if d.maybe() {
			_ = z.SetAlias(a, a.Min+d.Uint64N(1<<40))
		}
	}
	if d.maybe() {
		z.Rctls = append(z.Rctls, configs.Rctl{Name: "zone.max-lofi", Values: []configs.RctlValue{{Priv: "privileged", Limit: 5, Action: "deny"},
			{Priv: "privileged", Limit: 3, Action: "none"}}})
	}
	if _, set, _ := z.Alias(configs.RctlAliases()[6]); !set && d.maybe() {
		z.DedicatedCPU = &configs.DedicatedCPU{MinCPUs: 1, MaxCPUs: 1 + d.Uint64N(4), Importance: d.Uint64N(3)}
	} else if d.maybe() {
		_ = z.SetAlias(configs.AliasCPUCap, 1+d.Uint64N(1000))
	}
	d.Shuffle(len(z.Rctls), func(i, j int) { z.Rctls[i], z.Rctls[j] = z.Rctls[j], z.Rctls[i] })
}

// What export prints makes the same configuration, in any zone of any content.
func TestExportIsReadBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	from, to := storeOf(t), storeOf(t)
	for range 150 {
		z := d.zone()
		if err := z.Validate(); err != nil {
			t.Fatalf("the dice are loaded: %v\n%+v", err, z)
		}
		if _, err := from.Create(z); err != nil {
			t.Fatal(err)
		}
		text, errs, code := run(from, "web", "export")
		if code != 0 {
			t.Fatal(errs)
		}
		if _, errs, code = run(to, "web", text); code != 0 || errs != "" {
			t.Fatalf("%s\n%s", errs, text)
		}
		got, _, err := to.Load("web")
		if err != nil || !got.Equal(z) {
			t.Fatalf("%v\nwas  %+v\n got %+v\n%s", err, z, got, text)
		}
		again, _, _ := run(to, "web", "export")
		if again != text {
			t.Fatalf("the second export differs:\n%s\n%s", again, text)
		}
		for _, s := range []*configs.Store{from, to} {
			if err := s.Delete("web", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestExportOfHostIsReadBack(t *testing.T) {
	s := storeOf(t)
	if _, err, code := run(s, configs.GlobalName, "set pool=a; set max-lwps=5000\nadd capped-memory; set physical=3G; end"); code != 0 {
		t.Fatal(err)
	}
	text, _, _ := run(s, configs.GlobalName, "export")
	if _, err, code := run(s, configs.GlobalName, "delete -F\n"+text); code != 0 {
		t.Fatal(err)
	}
	if again, _, _ := run(s, configs.GlobalName, "export"); again != text || !strings.Contains(text, "physical=3G") {
		t.Errorf("%s\nwas\n%s", again, text)
	}
}

var (
	layoutNone = layout.At("/nonexistent/instance")
	discard    = io.Discard
)

func TestFnmatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"/dev/*", "/dev/dsk/c0", true}, {"*", "/a/b", true}, {"/dev/[ab]", "/dev/b", true}, {"/d?v", "/dev", true}, {"/dev", "/dev/a", false},
		{"[", "[", false}, {"a[!b]c", "abc", false}, {"a?c", "a/c", true},
	} {
		if got := fnmatch(tc.pattern, tc.s); got != tc.want {
			t.Errorf("%s %s: %v", tc.pattern, tc.s, got)
		}
	}
}

func TestComplete(t *testing.T) {
	s := storeOf(t)
	must(t, s, "db", "create")
	must(t, s, "web", two)
	global := New(Options{Store: s, Zone: "web"})
	if err := global.load(); err != nil {
		t.Fatal(err)
	}
	inFS := New(Options{Store: s, Zone: "web"})
	if err := inFS.line("add fs"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		s           *Session
		line        string
		keep, words string
	}{
		{global, "ve", "", "verify "},
		{global, "e", "", "exit |export "},
		{inFS, "e", "", "end |exit "},
		{inFS, "c", "", "cancel |clear |commit "},
		{global, "set zone", "set ", "zonename=|zonepath="},
		{global, "set brand=", "set brand=", "linux|oci|sparse|whole"},
		{global, "set ip-type=ex", "set ip-type=", "exclusive"},
		{global, "set autoboot = t", "set autoboot = ", "true"},
		{global, "set pool=", "set pool=", ""},
		{global, "info; add ca", "info; add ", "capped-cpu|capped-memory"},
		{global, "info max-l", "info ", "max-lwps"},
		{global, "select fs d", "select fs ", "dir="},
		{global, "select fs dir=", "select fs dir=", "/a|/b"},
		{global, "remove -F n", "remove -F ", "net"},
		{global, "create -t SUNWb", "create -t ", "SUNWblank"},
		{global, "create -t d", "create -t ", "db"},
		{global, "create -", "create ", "-F |-a |-b|-t "},
		{global, "help sy", "help ", "syntax"},
		{global, "clear boot", "clear ", "bootargs"},
		{global, "bogus x", "bogus ", ""},
		{inFS, "set ", "set ", "dir=|options=|raw=|special=|type="},
		{inFS, "set type=l", "set type=", "lofs"},
		{inFS, "add o", "add ", "options "},
		{inFS, "clear ", "clear ", "options|raw"},
		{inFS, "set dir", "set ", "dir="},
		{global, "add fs ", "add fs ", ""},
		{global, "select bogus x=", "select bogus x=", ""},
	} {
		keep, words := tc.s.Complete(tc.line)
		if keep != tc.keep || strings.Join(words, "|") != tc.words {
			t.Errorf("%q: %q, %q", tc.line, keep, words)
		}
	}
}

// Nothing that is typed makes the completion fail.
func FuzzComplete(f *testing.F) {
	for _, s := range []string{"set zonepath=", "select fs dir=/a; ", "==", "create -t ", "= ", "info x=", "remove -F -F "} {
		f.Add(s)
	}
	s := New(Options{Store: configs.Open(layoutNone), Zone: "web"})
	f.Fuzz(func(t *testing.T, line string) {
		keep, _ := s.Complete(line)
		if !strings.HasPrefix(line, keep) {
			t.Fatalf("%q keeps %q", line, keep)
		}
	})
}

// FuzzSession runs whatever is typed in a session that cannot write.
func FuzzSession(f *testing.F) {
	f.Add("add fs;set dir=/a;info;end")
	f.Add("create\nset max-lwps=100\nadd net\nset physical=a\ncancel\ninfo net physical=*")
	f.Add("select fs dir=/a;add options [a,b];remove options a;end;remove -F fs;export")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "-f") || strings.Contains(text, "-a") {
			return // files by name
		}
		s := New(Options{Store: configs.Open(layoutNone), Zone: "web", Out: discard, Err: discard})
		s.work = configs.New("web")
		s.work.Path = "/zones/web"
		for line := range strings.Lines(text) {
			if strings.Contains(line, "commit") || strings.Contains(line, "delete") {
				return
			}
			if s.line(line) != nil || s.work == nil {
				return
			}
			_ = s.work.Validate()
		}
	})
}
