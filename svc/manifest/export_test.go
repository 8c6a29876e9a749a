package manifest

import (
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

func p(name string, t prop.Type, values ...string) tree.Property {
	return tree.Property{Name: name, Type: t, Values: values}
}

func g(name, kind string, props ...tree.Property) tree.Group {
	return tree.Group{Name: name, Type: kind, Props: props}
}

func str(name string, values ...string) tree.Property { return p(name, prop.AString, values...) }

// exported is the export of a service with some groups, and what is read of it.
func exported(t *testing.T, what string, s tree.Service, o ExportOptions) (string, *Bundle) {
	t.Helper()
	s.Sort()
	out, err := Export(&s, o)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	b, err := Parse("again.xml", out, Options{Want: Manifest})
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	return string(out), b
}

// Groups that an element can say are an element; those that it cannot say all of are a group.
func TestElementOrGroup(t *testing.T) {
	method := []tree.Property{str("type", "method"), str("exec", ":true"), p("timeout_seconds", prop.Count, "1")}
	dependency := []tree.Property{str("type", "service"), str("grouping", "require_all"), str("restart_on", "none"), p("entities", prop.FMRI)}
	with := func(props []tree.Property, more ...tree.Property) []tree.Property {
		return append(props[:len(props):len(props)], more...)
	}
	name := g("tm_common_name", "template", p("C", prop.UString, "n"))
	pattern := g("tm_pgpatn_a", "template_pg_pattern", str("name", "a"), str("type", ""), str("target", "this"), p("required", prop.Boolean, "false"))
	for what, c := range map[string]struct {
		groups []tree.Group
		want   string // of the export
	}{
		"method":                    {[]tree.Group{g("m", "method", method...)}, "<exec_method "},
		"method without exec":       {[]tree.Group{g("m", "method", method[0], method[2])}, "<property_group name='m' type='method'"},
		"method without timeout":    {[]tree.Group{g("m", "method", method[:2]...)}, "<property_group name='m' type='method'"},
		"method of two commands":    {[]tree.Group{g("m", "method", method[0], method[2], str("exec", "a", "b"))}, "<property_group name='m' type='method'"},
		"method of another type":    {[]tree.Group{g("m", "method", with(method[1:], str("type", "other"))...)}, "<property_group name='m' type='method'"},
		"with a context":            {[]tree.Group{g("m", "method", with(method, str("project", "x"))...)}, "<method_context project='x'/>"},
		"two projects":              {[]tree.Group{g("m", "method", with(method, str("project", "x", "y"))...)}, "<property name='project'"},
		"user without use_profile":  {[]tree.Group{g("m", "method", with(method, str("user", "x"))...)}, "<propval name='user'"},
		"user with it":              {[]tree.Group{g("m", "method", with(method, str("user", "x"), p("use_profile", prop.Boolean, "false"))...)}, "<method_credential user='x'/>"},
		"user and profile":          {[]tree.Group{g("m", "method", with(method, str("user", "x"), str("profile", "y"), p("use_profile", prop.Boolean, "true"))...)}, "<propval name='user'"},
		"profile without its name":  {[]tree.Group{g("m", "method", with(method, p("use_profile", prop.Boolean, "true"))...)}, "<propval name='use_profile'"},
		"a variable":                {[]tree.Group{g("m", "method", with(method, str("environment", "A=b=c"))...)}, "<envvar name='A' value='b=c'/>"},
		"a variable without value":  {[]tree.Group{g("m", "method", with(method, str("environment", "A"))...)}, "<propval name='environment'"},
		"a reserved variable":       {[]tree.Group{g("m", "method", with(method, str("environment", "SMF_A=b", "C=d"))...)}, "<property name='environment'"},
		"no variables":              {[]tree.Group{g("m", "method", with(method, str("environment"))...)}, "<property name='environment'"},
		"a context":                 {[]tree.Group{g("method_context", "framework", str("working_directory", "/"))}, "<method_context working_directory='/'/>"},
		"an empty context":          {[]tree.Group{g("method_context", "framework")}, "<method_context/>"},
		"a context of more":         {[]tree.Group{g("method_context", "framework", str("working_directory", "/"), str("more", "x"))}, "<property_group name='method_context'"},
		"a context of another type": {[]tree.Group{g("method_context", "application", str("working_directory", "/"))}, "<property_group name='method_context'"},
		"stability":                 {[]tree.Group{g("a", "t", str("stability", "Stable"))}, "<stability value='Stable'/>"},
		"stability of no kind":      {[]tree.Group{g("a", "t", str("stability", "Solid"))}, "<propval name='stability'"},
		"dependency":                {[]tree.Group{g("d", "dependency", dependency...)}, "<dependency name='d'"},
		"dependency on nothing":     {[]tree.Group{g("d", "dependency", dependency[:3]...)}, "<property_group name='d'"},
		"dependency on strings":     {[]tree.Group{g("d", "dependency", with(dependency[:3], str("entities", "svc:/a"))...)}, "<property_group name='d'"},
		"dependency, external not":  {[]tree.Group{g("d", "dependency", with(dependency, p("external", prop.Boolean, "false"))...)}, "<propval name='external'"},
		"restarter":                 {[]tree.Group{g("general", "framework", p("restarter", prop.FMRI, "svc:/a"))}, "<restarter>"},
		"restarter as a string":     {[]tree.Group{g("general", "framework", str("restarter", "svc:/a"))}, "<propval name='restarter' type='astring'"},
		"general":                   {[]tree.Group{g("general", "framework", p("single_instance", prop.Boolean, "true"), str("other", "x"))}, "<single_instance/>"},
		"general, not single":       {[]tree.Group{g("general", "framework", p("single_instance", prop.Boolean, "false"))}, "<propval name='single_instance'"},
		"general of a service":      {[]tree.Group{g("general", "framework", p("enabled", prop.Boolean, "true"))}, "<propval name='enabled'"},
		"general of another type":   {[]tree.Group{g("general", "application", p("single_instance", prop.Boolean, "true"))}, "<property_group name='general' type='application'"},
		"empty general":             {[]tree.Group{g("general", "framework")}, "<property_group name='general'"},
		"empty dependents":          {[]tree.Group{g("dependents", "framework")}, "<property_group name='dependents'"},
		"notification":              {[]tree.Group{g("to-online", "notify_params", p("smtp,active", prop.Boolean, "true"))}, "<event value='to-online'/>"},
		"notification of nothing":   {[]tree.Group{g("to-online", "notify_params")}, "<property_group name='to-online'"},
		"notification unsaid":       {[]tree.Group{g("to-online", "notify_params", str("smtp,to", "x"))}, "<property_group name='to-online'"},
		"notification of all":       {[]tree.Group{g("all", "notify_params", p("smtp,active", prop.Boolean, "true"))}, "<property_group name='all'"},
		"problem of another":        {[]tree.Group{g("list.suspect,fmnotify", "notify_params", p("smtp,active", prop.Boolean, "true"))}, "<property_group name='list.suspect,fmnotify'"},
		"template":                  {[]tree.Group{name, pattern}, "<pg_pattern name='a'/>"},
		"template without a name":   {[]tree.Group{pattern}, "<property_group name='tm_pgpatn_a'"},
		"name in two values":        {[]tree.Group{g("tm_common_name", "template", p("C", prop.UString, "n", "m"))}, "<property_group name='tm_common_name'"},
		"name with spaces":          {[]tree.Group{g("tm_common_name", "template", p("C", prop.UString, " n"))}, "<property_group name='tm_common_name'"},
		"empty name":                {[]tree.Group{g("tm_common_name", "template", p("C", prop.UString, ""))}, "<property_group name='tm_common_name'"},
		"pattern under a pseudonym": {[]tree.Group{name, g("tm_pgpatn_b", "template_pg_pattern", pattern.Props...)}, "<property_group name='tm_pgpatn_b'"},
		"pattern of a restarter":    {[]tree.Group{name, g("tm_pgpatn_a", "template_pg_pattern", str("name", "a"), str("type", ""), str("target", "delegate"), p("required", prop.Boolean, "false"))}, "<property_group name='tm_pgpatn_a'"},
		"property without a group":  {[]tree.Group{name, g("tm_proppat_n_a_p", "template_prop_pattern", str("name", "p"), str("pg_pattern", "tm_pgpatn_a"))}, "<property_group name='tm_proppat_n_a_p'"},
		"an odd property":           {[]tree.Group{name, pattern, g("tm_proppat_n_a_p", "template_prop_pattern", str("name", "p"), str("pg_pattern", "tm_pgpatn_a"))}, "<property_group name='tm_pgpatn_a'"},
		"odd manual":                {[]tree.Group{name, g("tm_man_x", "template", str("title", "a"), str("section", "1"), str("manpath", ":default"))}, "<property_group name='tm_man_x'"},
		"manual":                    {[]tree.Group{name, g("tm_man_a1", "template", str("title", "a"), str("section", "1"), str("manpath", ":default"))}, "<manpage title='a' section='1'/>"},
	} {
		s := tree.Service{Name: "s", Groups: c.groups}
		out, b := exported(t, what, s, ExportOptions{Values: All})
		s.Sort()
		if got := b.Services[0].Whole(); !equal(&got, &s) || !strings.Contains(out, c.want) {
			t.Errorf("%s: %+v\n%s", what, got, out)
		}
	}
}

func TestWhatIsNotExported(t *testing.T) {
	secret := g("secret", "application", str("password", "swordfish"), str("read_authorization", "solaris.smf.read.x"), p("list", prop.Count, "1", "2"))
	s := tree.Service{Name: "a/b",
		Groups: []tree.Group{
			secret, {Name: "gone", Type: "framework", Flags: tree.NonPersistent}, g("manifestfiles", "framework", str("lib_x", "/lib/x")),
			g("other", "dependency", p("external", prop.Boolean, "true")), g("kept", "application", p("external", prop.Boolean, "true")),
			g("m", "method", str("exec", ":true"), str("type", "method"), p("timeout_seconds", prop.Count, "0"), str("read_authorization", "x")),
		},
		Instances: []tree.Instance{
			{Name: "default", Groups: []tree.Group{{Name: "restarter", Type: "framework", Flags: tree.NonPersistent}}},
			{Name: "x", Groups: []tree.Group{g("manifestfiles", "framework"), secret.Clone()}},
		},
	}
	out, b := exported(t, "without", s, ExportOptions{})
	for _, word := range []string{"swordfish", "gone", "lib_x", "restarter", "name='other'", "version='1'"} {
		if strings.Contains(out, word) {
			t.Errorf("%s is exported:\n%s", word, out)
		}
	}
	for _, want := range []string{
		"<property name='password' type='astring'/>", "<property name='list' type='count'/>", "value='solaris.smf.read.x'", "<property_group name='kept'",
		"<create_default_instance enabled='false'/>", "exec=':true'", "<property_group name='manifestfiles'", "type='service' version='0'",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not exported:\n%s", want, out)
		}
	}
	if n := len(b.Services[0].Config.Group("secret").Props); n != 3 {
		t.Errorf("%d properties are left of it", n)
	}
	if s.Group("secret").Prop("password").Values == nil {
		t.Error("an export has changed what it exports")
	}
	if out, _ := exported(t, "all", s, ExportOptions{Values: All}); strings.Count(out, "swordfish") != 2 {
		t.Errorf("svccfg export -a:\n%s", out)
	}
}

func TestUnexportable(t *testing.T) {
	for what, s := range map[string]tree.Service{
		"name of a service":    {Name: "a b"},
		"name of an instance":  {Name: "a", Instances: []tree.Instance{{Name: "x y"}}},
		"name of a group":      {Name: "a", Groups: []tree.Group{g("x y", "t")}},
		"type of a group":      {Name: "a", Groups: []tree.Group{g("x", "")}},
		"name of a property":   {Name: "a", Groups: []tree.Group{g("x", "t", str("a b", "c"))}},
		"type of a property":   {Name: "a", Groups: []tree.Group{g("x", "t", p("a", prop.Invalid, "c"))}},
		"a control character":  {Name: "a", Groups: []tree.Group{g("x", "t", str("a", "\x1b"))}},
		"no UTF-8":             {Name: "a", Groups: []tree.Group{g("x", "t", str("a", "\xff"))}},
		"a surrogate":          {Name: "a", Groups: []tree.Group{g("x", "t", str("a", "\xed\xa0\x80"))}},
		"a value of no type":   {Name: "a", Groups: []tree.Group{g("x", "t", p("a", prop.Count, "many"))}},
		"a value not its text": {Name: "a", Groups: []tree.Group{g("x", "t", p("a", prop.Count, "007"))}},
		"in a method":          {Name: "a", Groups: []tree.Group{g("m", "method", str("exec", "\x01"), str("type", "method"), p("timeout_seconds", prop.Count, "0"))}},
		"in an instance":       {Name: "a", Instances: []tree.Instance{{Name: "i", Groups: []tree.Group{g("x", "t", str("a", "\uffff"))}}}},
	} {
		out, err := Export(&s, ExportOptions{Values: All})
		if !errors.Is(err, ErrUnexportable) || out != nil || strings.ContainsAny(err.Error(), "\x01\x1b") {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		if _, err := ExportArchive([]tree.Service{s}, ExportOptions{Values: All}); !errors.Is(err, ErrUnexportable) {
			t.Errorf("%s in an archive: %v", what, err)
		}
	}
	if _, err := ExtractProfile([]tree.Service{{Name: "\x01", Instances: []tree.Instance{{Name: "i", Groups: []tree.Group{g("general", "framework", p("enabled", prop.Boolean, "true"))}}}}}); !errors.Is(err, ErrUnexportable) {
		t.Errorf("profile: %v", err)
	}
}

func TestExtract(t *testing.T) {
	enabled := func(v ...string) []tree.Group {
		return []tree.Group{g("general", "framework", p("enabled", prop.Boolean, v...))}
	}
	out, err := ExtractProfile([]tree.Service{
		{Name: "a", Instances: []tree.Instance{{Name: "x", Groups: enabled("true")}, {Name: "y", Groups: enabled("false")}, {Name: "z"}}},
		{Name: "b", Instances: []tree.Instance{{Name: "x", Groups: enabled()}, {Name: "y", Groups: []tree.Group{g("general", "framework", str("enabled", "true"))}}}},
		{Name: "c"},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("extract", out, Options{Want: Profile})
	if err != nil || len(b.Services) != 1 || len(b.Warnings) != 0 || b.Name != "extract" {
		t.Fatalf("%+v, %v\n%s", b, err, out)
	}
	a := b.Services[0].Instances
	if len(a) != 2 || a["x"].Enabled != On || a["y"].Enabled != Disabled {
		t.Errorf("%+v", a)
	}
}

// What a profile sets for general/enabled in a group is not configuration either.
func TestEnabledInAGroup(t *testing.T) {
	text := profile("<service name='a'><instance name='x'><property_group name='general'><propval name='enabled' value='true'/></property_group></instance></service>")
	b, err := Parse("f", []byte(text), Options{})
	if err != nil || b.Services[0].Instances["x"].Enabled != On || len(b.Services[0].Config.Instances[0].Groups) != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	whole := b.Services[0].Whole()
	if v, ok := enabledOf(&whole.Instances[0]); !ok || v != "true" {
		t.Errorf("%+v", whole)
	}
}
