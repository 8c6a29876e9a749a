package lint

import (
	"fmt"
	"go/format"
	"strings"
	"testing"
)

// TestHouse holds this module against the rules.
func TestHouse(t *testing.T) {
	const root = "../.."
	m, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.files) < 20 {
		t.Fatalf("only %d files were found", len(m.files))
	}
	m.deps = listDeps(root)
	found, err := m.check()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

const ours = modulePath + "/"

// planted is code that breaks one rule, or none.
type planted struct {
	name  string
	files map[string]string
	deps  map[string][]string // what a program links
	rule  string              // the rule that must catch it, empty for none
	says  string
}

// src is a file of package p with imports and a body.
func src(imports []string, body string) string {
	var b strings.Builder
	b.WriteString("// Package p is planted.\npackage p\n")
	for _, i := range imports {
		if !strings.HasPrefix(i, "_") {
			i = fmt.Sprintf("%q", i)
		}
		fmt.Fprintf(&b, "import %s\n", i)
	}
	return b.String() + body
}

func importing(imports ...string) string { return src(imports, "") }

func lines(n int) string { return strings.Repeat("\t_ = 1\n", n) }

var plants = []planted{
	{name: "arrow down", files: map[string]string{"zoned/doc.go": importing(ours+"vplat", ours+"zoned/api", ours+"internal/sys")}},
	{name: "arrow up", files: map[string]string{"vplat/doc.go": importing(ours + "zoned")}, rule: "arrows", says: "not zoned"},
	{name: "zoned imports svc", files: map[string]string{"zoned/doc.go": importing(ours + "svc/graph")}, rule: "arrows"},
	{name: "svc imports zoned", files: map[string]string{"svc/doc.go": importing(ours + "zoned/api")}, rule: "arrows"},
	{name: "vplat imports console", files: map[string]string{"vplat/doc.go": importing(ours + "console")}, rule: "arrows"},
	{name: "console imports contract", files: map[string]string{"console/doc.go": importing(ours + "contract")}, rule: "arrows"},
	{name: "contract imports vplat", files: map[string]string{"contract/ctfs/doc.go": importing(ours + "vplat/oci")}, rule: "arrows"},
	{name: "configs imports vplat", files: map[string]string{"configs/doc.go": importing(ours + "vplat")}, rule: "arrows"},
	{name: "leaf imports configs", files: map[string]string{"internal/sys/doc.go": importing(ours + "configs")}, rule: "arrows"},
	{name: "api imports zoned", files: map[string]string{"zoned/api/doc.go": importing(ours + "zoned")}, rule: "arrows"},
	{name: "similar name is another room", files: map[string]string{"vplat/doc.go": importing(ours + "configsx")}, rule: "arrows"},
	{name: "room outside of the table", files: map[string]string{"attic/doc.go": importing(ours + "configs")}, rule: "arrows", says: "no room"},
	{name: "test introduces rooms", files: map[string]string{
		"vplat/x_test.go": src([]string{ours + "console", ours + "internal/testenv"}, "var _ = testenv.Main")}},
	{name: "product imports testenv", files: map[string]string{"vplat/doc.go": importing(ours + "internal/testenv")}, rule: "arrows", says: "for tests"},

	{name: "libcontainer in its place", files: map[string]string{
		"vplat/oci/doc.go": importing("github.com/opencontainers/runc/libcontainer/specconv"),
		"cmd/zrun/doc.go":  importing(`_ "github.com/opencontainers/runc/libcontainer/nsenter"`)}},
	{name: "libcontainer elsewhere", files: map[string]string{"vplat/doc.go": importing("github.com/opencontainers/runc/libcontainer")}, rule: "outside"},
	{name: "zrun uses libcontainer", files: map[string]string{"cmd/zrun/doc.go": importing("github.com/opencontainers/runc/libcontainer")}, rule: "outside"},
	{name: "the repository's file elsewhere", files: map[string]string{"svc/restarter/doc.go": importing("go.etcd.io/bbolt")}, rule: "outside", says: "svc/repo"},
	{name: "keeper within bounds", files: map[string]string{"internal/keeper/doc.go": importing("os", "golang.org/x/sys/unix", ours+"internal/sys")}},
	{name: "keeper with fmt", files: map[string]string{"internal/keeper/doc.go": importing("fmt")}, rule: "outside", says: "without fmt"},
	{name: "keeper with json", files: map[string]string{"cmd/zsched/doc.go": importing("encoding/json")}, rule: "outside"},
	{name: "keeper with net", files: map[string]string{"cmd/zsched/doc.go": importing("net/netip")}, rule: "outside"},
	{name: "keeper with a stranger", files: map[string]string{"internal/keeper/doc.go": importing("github.com/sirupsen/logrus")}, rule: "outside", says: "logrus"},

	{name: "zoned links little", files: map[string]string{"cmd/zoned/doc.go": importing()}, deps: map[string][]string{"cmd/zoned": {"fmt", "net/url", "net/netip"}}},
	{name: "zoned links libcontainer", files: map[string]string{"cmd/zoned/doc.go": importing()},
		deps: map[string][]string{"cmd/zoned": {"fmt", "github.com/opencontainers/runc/libcontainer/configs"}}, rule: "links", says: "libcontainer"},
	{name: "zoned links net", files: map[string]string{"cmd/zoned/doc.go": importing()}, deps: map[string][]string{"cmd/zoned": {"net"}}, rule: "links"},
	{name: "zsched links fmt by way of others", files: map[string]string{"cmd/zsched/doc.go": importing()}, deps: map[string][]string{"cmd/zsched": {"fmt"}}, rule: "links"},

	{name: "kill by pid", files: map[string]string{"zoned/doc.go": src([]string{"golang.org/x/sys/unix"}, "var _ = unix.Kill(1, 9)")}, rule: "calls", says: "pidfd"},
	{name: "kill under another name", files: map[string]string{"zoned/doc.go": src([]string{`_ "x"`}, "import k \"syscall\"\nvar f = k.Kill")}, rule: "calls"},
	{name: "kill in init", files: map[string]string{"cmd/init/doc.go": src([]string{"golang.org/x/sys/unix"}, "var _ = unix.Kill(-1, 9)")}},
	{name: "another Kill", files: map[string]string{"zoned/doc.go": src([]string{"os"}, "var p os.Process\nvar _ = p.Kill()")}},
	{name: "sleep", files: map[string]string{"zoned/doc.go": src([]string{"time"}, "func f() { time.Sleep(1) }")}, rule: "calls", says: "timers"},
	{name: "sleep in a test", files: map[string]string{
		"zoned/x_test.go": src([]string{"time"}, "func f() { time.Sleep(1); testenv.Main(nil) }")}},
	{name: "skip", files: map[string]string{
		"zoned/x_test.go": src(nil, "func f() { t.Skipf(``); testenv.Main(nil) }")}, rule: "calls", says: "probe"},
	{name: "allowed with a reason", files: map[string]string{"zoned/doc.go": src([]string{"time"}, "func f() {\n\t//lint:allow calls the hardware wants it\n\ttime.Sleep(1)\n}")}},
	{name: "allowed for another rule", files: map[string]string{"zoned/doc.go": src([]string{"time"}, "func f() {\n\t//lint:allow size so it is\n\ttime.Sleep(1)\n}")}, rule: "calls"},
	{name: "allowed without a reason", files: map[string]string{"zoned/doc.go": src(nil, "//lint:allow calls\n")}, rule: "exception"},

	{name: "unformatted", files: map[string]string{"zoned/doc.go": "// Package p is.\npackage  p\n"}, rule: "format"},
	{name: "long file", files: map[string]string{"zoned/doc.go": src(nil, strings.Repeat("//\n", 500))}, rule: "size"},
	{name: "long function", files: map[string]string{"zoned/doc.go": src(nil, "func f() {\n"+lines(68)+"}\n")}, rule: "size", says: "f has 70"},
	{name: "function just short enough", files: map[string]string{"zoned/doc.go": src(nil, "func f() {\n"+lines(67)+"}\n")}},
	{name: "long table in a test", files: map[string]string{
		"zoned/x_test.go": src(nil, "func f() {\n\t_ = []int{\n"+strings.Repeat("\t\t1,\n", 100)+"\t}\n\ttestenv.Main(nil)\n}\n")}},
	{name: "generated", files: map[string]string{"zoned/doc.go": importing(),
		"zoned/gen.go": "// Code generated by hand. DO NOT EDIT.\npackage p\n" + strings.Repeat("//\n", 600)}},

	{name: "no doc.go", files: map[string]string{"zoned/zone.go": importing()}, rule: "doc"},
	{name: "doc.go without a comment", files: map[string]string{"zoned/doc.go": "package p\n"}, rule: "doc"},
	{name: "empty name", files: map[string]string{"internal/util/doc.go": importing()}, rule: "name"},
	{name: "todo", files: map[string]string{"zoned/doc.go": src(nil, "// TO"+"DO: later\n")}, rule: "todo"},
	{name: "tests without the leak check", files: map[string]string{"zoned/x_test.go": importing()}, rule: "main"},
}

// TestRules holds the rules against planted code: each must be caught by its rule alone.
func TestRules(t *testing.T) {
	caught := map[string]bool{}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			sources := map[string][]byte{}
			for name, text := range p.files {
				sources[name] = []byte(text)
				if formatted, err := format.Source([]byte(text)); err == nil && p.rule != "format" {
					sources[name] = formatted
				}
			}
			m, err := parse(sources)
			if err != nil {
				t.Fatal(err)
			}
			m.deps = func(program string) ([]string, error) { return p.deps[program], nil }
			found, err := m.check()
			if err != nil {
				t.Fatal(err)
			}
			if p.rule == "" && len(found) > 0 {
				t.Errorf("nothing is wrong, yet: %v", found)
			}
			if p.rule != "" && (len(found) == 0 || !strings.Contains(found[0].what, p.says)) {
				t.Errorf("rule %s says %v", p.rule, found)
			}
			for _, f := range found {
				caught[f.rule] = true
				if f.rule != p.rule {
					t.Errorf("caught by another rule: %v", f)
				}
			}
		})
	}
	for _, r := range rules {
		if !caught[r.name] {
			t.Errorf("no planted code is caught by rule %s", r.name)
		}
	}
}

// TestListDeps: the go command is asked rightly.
func TestListDeps(t *testing.T) {
	deps, err := listDeps("../..")("hack/citest")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(deps, " "); !strings.Contains(got, "encoding/json") || !strings.Contains(got, modulePath+"/hack/citest") {
		t.Errorf("citest links %s", got)
	}
	if _, err := listDeps("../..")("hack/nothing"); err == nil {
		t.Error("a program that does not exist has dependencies")
	}
}
