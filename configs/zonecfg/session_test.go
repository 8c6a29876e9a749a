package zonecfg

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
)

var update = flag.Bool("update", false, "write golden files anew")

// script is a terminal that types lines.
type script struct {
	lines []string
	shown *bytes.Buffer
}

func (s *script) ReadLine(prompt string) (string, error) {
	s.shown.WriteString(prompt)
	if len(s.lines) == 0 {
		s.shown.WriteString("^D\n")
		return "", io.EOF
	}
	line := s.lines[0]
	s.lines = s.lines[1:]
	s.shown.WriteString(line + "\n")
	if line == "^C" {
		return "", ErrInterrupted
	}
	return line, nil
}

func (s *script) Ask(q string) (string, error) { return s.ReadLine(q) }

func storeOf(t *testing.T) *configs.Store {
	t.Helper()
	return configs.Open(layout.At(t.TempDir()))
}

// run gives commands to a new session, as -f does; out and err are what it printed.
func run(s *configs.Store, zone, text string) (out, err string, code int) {
	var o, e bytes.Buffer
	code = New(Options{Store: s, Zone: zone, Out: &o, Err: &e}).Text(text, "f")
	return o.String(), e.String(), code
}

// must runs commands that have to succeed in silence.
func must(t *testing.T, s *configs.Store, zone, text string) {
	t.Helper()
	if _, err, code := run(s, zone, text); code != 0 || err != "" {
		t.Fatalf("%s: %d %s", text, code, err)
	}
}

// contents is every file of the store.
func contents(t *testing.T, s *configs.Store) string {
	t.Helper()
	var b strings.Builder
	_ = filepath.WalkDir(s.Layout().Etc, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(path)
			fmt.Fprintf(&b, "%s\n%s", path, data)
		}
		return nil
	})
	return b.String()
}

// TestGolden types the lines of testdata/*.in and compares the whole dialogue.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.in")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			zone := "web"
			if strings.HasPrefix(filepath.Base(file), "global") {
				zone = configs.GlobalName
			}
			s := storeOf(t)
			var all bytes.Buffer
			lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
			code := New(Options{Store: s, Zone: zone, Out: &all, Err: &all, Terminal: &script{lines, &all},
				KnownUser: func(u string) bool { return u == "root" }}).Interactive()
			got := strings.ReplaceAll(fmt.Sprintf("%sexit code %d\n", &all, code), s.Layout().Root, "")
			golden := strings.TrimSuffix(file, ".in") + ".out"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v, got:\n%s", err, got)
			}
		})
	}
}

const two = "create; set zonepath=/zones/web; add fs; set dir=/a; set special=/x; set type=lofs; end; " +
	"add fs; set dir=/b; set special=/x; set type=lofs; add options ro; end; add net; set physical=e0; set allowed-address=192.0.2.1/24; end"

// badInputs each have one mistake. The zone web exists with two fs and a net.
var badInputs = []struct{ text, want string }{
	{"bogus", "syntax error: unknown subcommand 'bogus', allowed are add, cancel"},
	{"set zonepath=", "syntax error on line 1 of f: want a value"},
	{"info\ninfo\nset x=[a", "syntax error on line 3 of f: want ',' or ']'"},
	{"set", "want <property-name>=<property-value>"},
	{"set autoboot true", "want <property-name>=<property-value>"},
	{"\n\nset autoboot=maybe", "On line 3 of f: autoboot value must be 'true' or 'false', not \"maybe\""},
	{"set bogus=1", "bogus: No such property type, allowed are zonename"},
	{"set dir=/a", "dir: Cannot set a resource-specific property from the global scope, it belongs to fs"},
	{"set zonepath=zones", "zonepath: zones is not an absolute path"},
	{"set zonepath=/", "zonepath: / is not allowed as a zonepath"},
	{"set zonename=-x", "zonename: Bogus zone name"},
	{"set zonename=db", "db: Zone name already in use"},
	{"set zonename=global", "Bogus zone name \"global\""},
	{"set brand=solaris", "brand: unknown brand \"solaris\", allowed are sparse, whole, linux, oci"},
	{"set ip-type=none", "ip-type value must be 'exclusive' or 'shared'"},
	{"set hostid=fffffffff", "invalid hostid"},
	{"set limitpriv=default,all_of_it", "limitpriv: Specified privilege is unknown"},
	{"set limitpriv=none", "limitpriv: Required privilege is missing: proc_exec,proc_fork,sys_boot"},
	{"set limitpriv=default,sys_config", "limitpriv: Specified privilege is prohibited: sys_config"},
	{"set max-lwps=10", "max-lwps property is out of range"},
	{"set max-lwps=many", "max-lwps property is out of range"},
	{"set max-shm-memory=100", "max-shm-memory: A positive number with a required scale suffix"},
	{"set cpu-shares=-1", "cpu-shares property is out of range"},
	{"set pool=SUNWx", "pool names starting with SUNW are reserved"},
	{"set scheduling-class=BEST", "must be one of FSS"},
	{"set zonepath=[a,b]", "zonepath: A simple value was expected here."},
	{"set -F zonepath=/x", "Zonepath is changeable only in an alternate root."},
	{"set -F autoboot=true", "Only zonepath setting can be forced."},
	{"set -X zonepath=/x", "unknown option '-X'"},
	{"clear zonepath", "zonepath: Clearing this property is not allowed"},
	{"clear bogus", "bogus: No such property type"},
	{"clear max-lwps", "max-lwps: No such property with that id"},
	{"clear", "clear: want a property name"},
	{"add", "add: want a resource type"},
	{"add disk", "disk: No such resource type, allowed are fs, net"},
	{"add fs now", "unexpected 'now'"},
	{"add fs; end", "dir not specified"},
	{"add fs; set dir=/c; set special=/x; end", "type not specified"},
	{"add fs; set dir=c", "dir: c is not an absolute path"},
	{"add fs; set type=proc", "type: file systems of type proc cannot be mounted"},
	{"add fs; set bogus=c", "bogus: No such property type, fs has dir, special, raw, type, options"},
	{"add fs; set dir=/a; set special=/x; set type=lofs; end", "A fs resource with the dir '/a' already exists."},
	{"add fs; add options (a=b)", "options: A simple or list value was expected here."},
	{"add fs; add options ro; add options [nodev,ro]", "options: ro is there already"},
	{"add fs; add options \"a,b\"", "invalid mount option"},
	{"add fs; remove options ro", "No such property with that id: ro"},
	{"add fs; add dir /a", "dir: No such property type for add, the lists of fs are: options"},
	{"add fs; clear dir", "dir: Clearing this property is not allowed"},
	{"add fs; add fs", "fs: No such property type for add"},
	{"add fs; create", "The create command only makes sense in the global scope."},
	{"add fs; select net physical=e0", "The select command only makes sense in the global scope."},
	{"add fs; revert -F", "You can only use revert in the global scope."},
	{"add fs; verify", "resource specification incomplete"},
	{"add fs; commit", "resource specification incomplete"},
	{"add fs; exit", "Resource incomplete, input not from terminal and -F not specified: exit command ignored, but exiting anyway."},
	{"add fs", "Resource incomplete."},
	{"add net; set physical=e1; set address=192.0.2.1; end; commit", "address cannot be specified for an exclusive IP type"},
	{"add net; set address=myhost", "address: myhost: bogus network address"},
	{"add net; set mac-addr=1:1:1:1:1:1", "mac-addr: invalid mac-addr"},
	{"add net; set vlan-id=5000", "vlan-id property is out of range"},
	{"add net; add property (name=a)", "property: value not specified"},
	{"add net; add property (name=a,value=b,x=c)", "property: x: No such property type, allowed are name, value"},
	{"add net; add property (name=a,name=b,value=c)", "property: name already specified"},
	{"add device; set match=/etc/passwd", "is not below /dev"},
	{"add rctl; set name=zone.max-fun", "is not a valid zone rctl name"},
	{"add rctl; set name=zone.max-lwps; end", "value not specified"},
	{"add rctl; add value (priv=privileged,limit=1)", "value: action not specified"},
	{"add rctl; add value 5", "value: A complex or list value was expected here"},
	{"add rctl; set name=zone.max-lwps; add value (priv=basic,limit=1,action=deny); end", "priv is \"basic\""},
	{"add rctl; set name=zone.max-lwps; add value (priv=privileged,limit=x,action=deny); end", "limit is \"x\""},
	{"add attr; set name=zoneinfo", "'zone' are reserved"},
	{"add attr; set name=a; set type=int; set value=b; end", "invalid attr value for type=int"},
	{"add admin; set user=jo; set auths=root; end", "allowed are clonefrom, login, manage"},
	{"add capped-memory; end", "No property was specified.  One of physical, swap or locked is required."},
	{"add capped-memory; set physical=1", "physical: A positive number with a required scale suffix"},
	{"add capped-memory; set physical=1K", "physical value is too small.  It must be at least 1M."},
	{"add capped-memory; set physical=1M; set locked=2M; end", "The locked cap must be less than or equal to the physical cap."},
	{"add capped-memory; set swap=60M; end; add capped-memory", "The capped-memory resource already exists"},
	{"add capped-cpu; set ncpus=0", "ncpus property is out of range"},
	{"add capped-cpu; set ncpus=1; end; add dedicated-cpu", "The capped-cpu resource already exists"},
	{"add dedicated-cpu; set ncpus=2-1", "ncpus property is out of range"},
	{"set pool=p; add dedicated-cpu", "The pool property is already set."},
	{"add dedicated-cpu; set ncpus=1; end; set pool=p", "A persistent pool is incompatible with the dedicated-cpu resource."},
	{"add dedicated-cpu; set ncpus=1; end; set cpu-shares=5; commit", "rctl zone.cpu-shares and dedicated-cpu are incompatible."},
	{"add security-flags; set lower=aslr; set upper=none; end", "flag aslr is in default but not in upper"},
	{"add rctl; set name=zone.max-lwps; add value (priv=privileged,limit=100,action=none); end; set max-lwps=200",
		"max-lwps: An incompatible rctl already exists for this property"},
	{"select fs", "select: say which fs"},
	{"select fs special=/x", "select fs: Insufficient specification"},
	{"select fs dir=/c", "select fs: No such resource with that id"},
	{"select fs options=ro", "options: No such property type"},
	{"select fs dir", "want <property-name>=<property-value>"},
	{"select capped-cpu", "select capped-cpu: No such resource with that id"},
	{"remove fs", "remove fs: 2 resources match"},
	{"remove fs dir=/c", "No such fs resource."},
	{"remove device", "No such device resource."},
	{"end", "The end command only makes sense in the resource scope."},
	{"cancel", "The cancel command only makes sense in the resource scope."},
	{"create", "Zone exists, input not from terminal and -F not specified: create command ignored, exiting."},
	{"create -F -t nothing", "nothing: no such template"},
	{"create -F -t", "option '-t' wants a word"},
	{"create -F -b -t SUNWdefault", "exclude each other"},
	{"create -F -a /nowhere", "invalid path to detached zone"},
	{"create now", "unexpected 'now'"},
	{"delete", "Input not from terminal and -F not specified: delete command ignored, exiting."},
	{"info; revert", "Input not from terminal and -F not specified: revert command ignored, exiting."},
	{"revert", "No changes to revert."},
	{"info bogus", "bogus: No such resource type or property"},
	{"help bogus", "Unknown help subject bogus."},
	{"export -f /nowhere/at/all", "opening file /nowhere/at/all"},
	{"set zonepath=/zones/db; commit", "zone db has /zones/db: zonepath is in use"},
	{"set bootargs=\"" + strings.Repeat("x", 256) + "\"", "longer than 255"},
	{"set bootargs=\"\x1b[2J\"", "control characters"},
	{"set bootargs=a b", "want <property-name>=<property-value>"},
	{"set autoboot=true\nset autoboot=false\nbogus", "bogus"},
}

func TestBadInput(t *testing.T) {
	s := storeOf(t)
	must(t, s, "web", two)
	must(t, s, "db", "create; set zonepath=/zones/db")
	before := contents(t, s)
	for _, tc := range badInputs {
		_, err, code := run(s, "web", tc.text)
		if code != 1 || !strings.Contains(err, tc.want) || strings.Count(err, "\n") != 1 {
			t.Errorf("%.80q: code %d, %q, want %q", tc.text, code, err, tc.want)
		}
		if now := contents(t, s); now != before {
			t.Fatalf("%.80q changed the files:\n%s", tc.text, now)
		}
	}
	if len(badInputs) < 100 {
		t.Errorf("only %d", len(badInputs))
	}
}

func TestNoZone(t *testing.T) {
	s := storeOf(t)
	for _, text := range []string{"info", "set autoboot=true", "add fs", "export", "verify", "commit", "select fs dir=/a", "remove fs", "clear pool", "delete -F"} {
		if _, err, code := run(s, "web", text); code != 1 || !strings.HasSuffix(err, "web: No such zone configured\n") {
			t.Errorf("%s: %d %q", text, code, err)
		}
	}
	if contents(t, s) != "" {
		t.Error("something was written")
	}
}

func TestReadOnly(t *testing.T) {
	s := storeOf(t)
	must(t, s, "web", two)
	before := contents(t, s)
	for verb := range commands {
		text := verb
		if findInfo := map[string]string{"info": "info", "export": "export", "help": "help", "verify": "verify"}[verb]; findInfo == "" {
			text += " -F"
		}
		if verb == "exit" || verb == "end" || verb == "cancel" {
			continue
		}
		var o, e bytes.Buffer
		code := New(Options{Store: s, Zone: "web", Out: &o, Err: &e, ReadOnly: true}).Text(text, "")
		if commands[verb].writes != (code == 1) || code == 1 && verb != "add" && verb != "clear" && verb != "commit" && verb != "select" &&
			!strings.Contains(e.String(), "web: cannot "+verb+" in read-only mode: only a privileged user") {
			t.Errorf("%s: %d %s", text, code, &e)
		}
	}
	if contents(t, s) != before {
		t.Error("something was written")
	}
}

func TestInstalledZone(t *testing.T) {
	s := storeOf(t)
	must(t, s, "web", two)
	if err := s.SetState("web", configs.Installed); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"set zonepath=/zones/new": "Zone web already installed; set zonepath not allowed.",
		"set brand=whole":         "Zone web already installed; set brand not allowed.",
		"create -F":               "Zone web already installed; create not allowed.",
		"delete -F":               "cannot be deleted, uninstall it first",
	} {
		if _, err, code := run(s, "web", text); code != 1 || !strings.Contains(err, want) {
			t.Errorf("%s: %d %q", text, code, err)
		}
	}
	must(t, s, "web", "set zonename=www; set autoboot=true")
	if e, err := s.Lookup("www"); err != nil || e.State != configs.Installed {
		t.Error(e, err)
	}
	var o, e bytes.Buffer
	if code := New(Options{Store: s, Zone: "www", Out: &o, Err: &e, AltRoot: true}).Text("set -F zonepath=/zones/moved", ""); code != 0 {
		t.Error(code, &e)
	}
	if e, _ := s.Lookup("www"); e.Path != "/zones/moved" {
		t.Error(e)
	}
}

func TestTwoEditors(t *testing.T) {
	s := storeOf(t)
	must(t, s, "web", two)
	var all bytes.Buffer
	saved := filepath.Join(t.TempDir(), "mine.cfg")
	second := New(Options{Store: s, Zone: "web", Out: &all, Err: &all})
	second.interactive = true
	second.Terminal = &script{nil, &all}
	for _, line := range []string{"set bootargs=-s"} {
		if err := second.line(line); err != nil {
			t.Fatal(err)
		}
	}
	must(t, s, "web", "set autoboot=true")
	_ = second.line("commit")
	if !strings.Contains(all.String(), "changed by someone else since it was read; yours is kept here: save it with 'export -f <file>'") {
		t.Fatal(all.String())
	}
	_ = second.line("export -f " + saved + "; revert -F; info autoboot; info bootargs")
	if data, err := os.ReadFile(saved); err != nil || !strings.Contains(string(data), "set bootargs=\"-s\"") {
		t.Errorf("%s, %v", data, err)
	}
	if !strings.HasSuffix(all.String(), "autoboot: true\nbootargs: \n") {
		t.Error(all.String())
	}
	z, _, _ := s.Load("web")
	if !z.Autoboot || z.Bootargs != "" {
		t.Error("the first one's work was lost")
	}
}

func TestHostWarnings(t *testing.T) {
	s := storeOf(t)
	_, err, code := run(s, configs.GlobalName, "set max-lwps=1000; add capped-memory; set physical=1G; end")
	if code != 0 || strings.Count(err, "WARNING: Setting a global zone resource control too low") != 2 {
		t.Error(code, err)
	}
	for text, want := range map[string]string{
		"set autoboot=true": "autoboot is not a valid property for the global zone.", "clear bootargs": "not a valid property",
		"add fs": "Cannot add a fs resource to the global zone.", "set zonename=x": "zonename is not a valid property",
	} {
		if _, err, code := run(s, configs.GlobalName, text); code != 1 || !strings.Contains(err, want) {
			t.Errorf("%s: %d %s", text, code, err)
		}
	}
}
