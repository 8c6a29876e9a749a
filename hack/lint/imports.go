package lint

import (
	"fmt"
	"os/exec"
	"sort"
	"strconv"
	"strings"
)

// arrow says which rooms a room may import, besides itself and what is below it. Arrows
// only go down.
type arrow struct {
	room string
	may  []string
}

// arrows: the first that fits a package's directory counts, so a room within a room stands
// first. Test files are free to introduce rooms to each other.
var arrows = []arrow{
	{"zoned/api", []string{"configs", "internal"}}, // what clients import stays light
	{"cmd", []string{"zoned", "svc", "vplat", "console", "contract", "configs", "internal"}},
	{"zoned", []string{"vplat", "console", "contract", "configs", "internal"}},
	{"svc", []string{"vplat", "console", "contract", "configs", "internal"}},
	{"vplat", []string{"configs", "internal"}},
	{"console", []string{"configs", "internal"}},
	{"contract", []string{"configs", "internal"}},
	{"configs", []string{"internal"}},
	{"internal", []string{}},
	{"hack", []string{"zoned", "svc", "vplat", "console", "contract", "configs", "internal"}},
}

// within says whether dir is room or below it.
func within(dir, room string) bool { return dir == room || strings.HasPrefix(dir, room+"/") }

func checkArrows(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		for _, imp := range f.ast.Imports {
			target, own := strings.CutPrefix(importPath(imp.Path.Value), modulePath+"/")
			if !own {
				continue
			}
			if what := breach(f, target); what != "" {
				found = append(found, finding{path: f.path, line: f.line(imp.Pos()), what: what})
			}
		}
	}
	return found, nil
}

// breach says what is wrong with the import of target in f, if anything is.
func breach(f *file, target string) string {
	dir := f.dir()
	if within(target, "internal/testenv") && !f.test() && !within(dir, "internal/testenv") && !within(dir, "hack") {
		return "internal/testenv is for tests"
	}
	if f.test() {
		return ""
	}
	for _, a := range arrows {
		if !within(dir, a.room) {
			continue
		}
		for _, may := range append([]string{a.room}, a.may...) {
			if within(target, may) {
				return ""
			}
		}
		return fmt.Sprintf("%s may import %s, not %s", a.room, strings.Join(a.may, ", "), target)
	}
	return fmt.Sprintf("%s is no room of the table of arrows", dir)
}

// outside says in which packages alone an import from outside of the module may stand.
var outside = []struct {
	prefix string
	rooms  []string
	blank  []string // packages that may import it for its side effect
}{
	{"github.com/opencontainers/runc/libcontainer", []string{"vplat/oci"}, []string{"cmd/zrun"}},
	{"github.com/cilium/ebpf", []string{"contract/collector/load"}, nil},
	{"go.etcd.io/bbolt", []string{"svc/repo"}, nil},
}

// keeperRooms hold the process that must be small enough to be right: the standard library
// without what costs memory, x/sys/unix, and our leaves.
var keeperRooms = []string{"internal/keeper", "cmd/zsched"}

var keeperRefuses = []string{"encoding/json", "fmt", "log", "net", "os/exec"}

func checkOutside(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		if f.test() {
			continue
		}
		for _, imp := range f.ast.Imports {
			blank := imp.Name != nil && imp.Name.Name == "_"
			target := importPath(imp.Path.Value)
			for _, what := range []string{outsideBreach(f.dir(), target, blank), keeperBreach(f.dir(), target)} {
				if what != "" {
					found = append(found, finding{path: f.path, line: f.line(imp.Pos()), what: what})
				}
			}
		}
	}
	return found, nil
}

func outsideBreach(dir, target string, blank bool) string {
	for _, o := range outside {
		if !within(target, o.prefix) {
			continue
		}
		rooms := o.rooms
		if blank {
			rooms = append(append([]string(nil), o.rooms...), o.blank...)
		}
		for _, room := range rooms {
			if within(dir, room) {
				return ""
			}
		}
		return fmt.Sprintf("only %s may import %s", strings.Join(o.rooms, ", "), o.prefix)
	}
	return ""
}

func keeperBreach(dir, target string) string {
	for _, room := range keeperRooms {
		if !within(dir, room) {
			continue
		}
		for _, refused := range keeperRefuses {
			if within(target, refused) {
				return fmt.Sprintf("the keeper does without %s", refused)
			}
		}
		first, _, _ := strings.Cut(target, "/")
		std := !strings.Contains(first, ".")
		if !std && target != "golang.org/x/sys/unix" && !within(target, modulePath+"/internal") {
			return "the keeper imports the standard library, x/sys/unix and our leaves, not " + target
		}
	}
	return ""
}

// links says what a program must not link, directly or by way of others.
var links = []struct {
	program string
	refuses []string
}{
	{"cmd/zsched", append([]string{"github.com/opencontainers/runc"}, keeperRefuses...)},
	{"cmd/zoned", []string{"github.com/opencontainers/runc", "github.com/vishvananda/netlink", "github.com/cilium/ebpf", "net", "net/http"}},
	{"contract/tool", []string{"encoding/json", "fmt", "log", "net", "os/exec"}}, // it is in every zone
	{"svc/repo/door/client", []string{"encoding/json", "crypto", "net", "os/exec"}},
	{"svc/repo/door/server", []string{"encoding/json", "crypto", "net", "os/exec"}},
	{"cmd/init", []string{"github.com/opencontainers/runc", "github.com/vishvananda/netlink", "github.com/cilium/ebpf", "net", "net/http"}},
	{"cmd/startd", []string{"github.com/opencontainers/runc", "github.com/vishvananda/netlink", "github.com/cilium/ebpf", "net", "net/http", "encoding/xml", "encoding/json"}},
}

// linkedLight are packages of the standard library that stand below a refused one and cost
// nothing.
var linkedLight = map[string]bool{"net/netip": true, "net/url": true, "log/internal": true}

func checkLinks(m *module) ([]finding, error) {
	if m.deps == nil {
		return nil, nil
	}
	present := map[string]string{}
	for _, f := range m.files {
		if !f.test() {
			present[f.dir()] = f.path
		}
	}
	var found []finding
	for _, l := range links {
		if present[l.program] == "" {
			continue
		}
		deps, err := m.deps(l.program)
		if err != nil {
			return nil, err
		}
		sort.Strings(deps)
		for _, dep := range deps {
			for _, refused := range l.refuses {
				if within(dep, refused) && !linkedLight[dep] {
					found = append(found, finding{path: present[l.program], line: 1, what: l.program + " links " + dep})
				}
			}
		}
	}
	return found, nil
}

// listDeps asks the go command what a program links, as it is built: without cgo.
func listDeps(root string) func(string) ([]string, error) {
	return func(program string) ([]string, error) {
		cmd := exec.Command("go", "list", "-deps", "./"+program)
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			words := ""
			if exit, ok := err.(*exec.ExitError); ok {
				words = string(exit.Stderr)
			}
			return nil, fmt.Errorf("go list %s: %w %s", program, err, words)
		}
		return strings.Fields(string(out)), nil
	}
}

func importPath(quoted string) string {
	p, err := strconv.Unquote(quoted)
	if err != nil {
		return quoted
	}
	return p
}
