package vplat

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func document(t testing.TB) []byte {
	t.Helper()
	p, err := Build(zone("sparse", mounts(lofs("/data", "/srv/data", "ro"))), debian(), someRun())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryPlanIsReadBack(t *testing.T) {
	for _, g := range goldens {
		p, err := Build(g.zone, g.host, someRun())
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, p)
	}
}

// TestSpoiledPlans: a plan that is not Build's is refused, and it is said why.
func TestSpoiledPlans(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Plan)
		want  string
	}{
		{"zone", func(p *Plan) { p.Zone = "" }, "zone or brand"},
		{"zonepath", func(p *Plan) { p.ZonePath = "/a/../b" }, "zonepath"},
		{"ids of the host", func(p *Plan) { p.IDBase = 0 }, "id range"},
		{"too many ids", func(p *Plan) { p.IDCount = 1 << 31 }, "id range"},
		{"init", func(p *Plan) { p.Init = Init{} }, "init is missing"},
		{"login", func(p *Plan) { p.Login.Capabilities = nil }, "logins"},
		{"no root", func(p *Plan) { p.Root = nil }, "first root step"},
		{"root late", func(p *Plan) { p.Root = p.Root[1:] }, "first root step"},
		{"target climbs", func(p *Plan) { p.Root[1].Target = "root/../../etc" }, "target"},
		{"target absolute", func(p *Plan) { p.Root[1].Target = "/etc" }, "target"},
		{"target deep in stage", func(p *Plan) { p.Root[1].Target = "stage/a/b" }, "target"},
		{"operation", func(p *Plan) { p.Root[1].Op = "format" }, "unknown operation"},
		{"layers of a clone", func(p *Plan) { p.Root[0].Lower = []string{"/usr"} }, "no layers"},
		{"overlay of nothing", func(p *Plan) { p.Root[1].Lower = nil }, "layers"},
		{"layer relative", func(p *Plan) { p.Root[1].Lower[0] = "usr" }, "absolute"},
		{"upper relative", func(p *Plan) { p.Root[1].Upper = "x" }, "absolute"},
		{"clone with a type", func(p *Plan) { p.Root[0].FSType = "ext4" }, "type"},
		{"served of another type", func(p *Plan) {
			p.Root[len(p.Root)-1] = RootStep{Op: OpServed, FSType: "proc", Target: "root/system/contract"}
		}, "type"},
		{"served on the root", func(p *Plan) { p.Root[len(p.Root)-1] = RootStep{Op: OpServed, FSType: FSContract, Target: "root"} }, "not below"},
		{"served on a stage", func(p *Plan) { p.Root[len(p.Root)-1] = RootStep{Op: OpServed, FSType: FSContract, Target: "stage/x"} }, "not below"},
		{"served from a source", func(p *Plan) {
			p.Root[len(p.Root)-1] = RootStep{Op: OpServed, FSType: FSContract, Target: "root/x", Source: "/x"}
		}, "as it is"},
		{"no spec", func(p *Plan) { p.Spec = nil }, "spec"},
		{"no process", func(p *Plan) { p.Spec.Process = nil }, "process"},
		{"no arguments", func(p *Plan) { p.Spec.Process.Args = nil }, "arguments"},
		{"another root", func(p *Plan) { p.Spec.Root.Path = "/" }, "root is"},
		{"hooks", func(p *Plan) { p.Spec.Hooks = &specs.Hooks{} }, "hooks"},
		{"no seccomp", func(p *Plan) { p.Spec.Linux.Seccomp = nil }, "seccomp"},
		{"no user namespace", func(p *Plan) { p.Spec.Linux.Namespaces = p.Spec.Linux.Namespaces[1:] }, "no user namespace"},
		{"mount relative", func(p *Plan) { p.Spec.Mounts[0].Destination = "proc" }, "absolute"},
		{"mount climbs", func(p *Plan) { p.Spec.Mounts[0].Destination = "/../proc" }, "mount on"},
		{"nothing staged", func(p *Plan) { p.Root = p.Root[:2] }, "no root step makes"},
		{"bind relative", func(p *Plan) {
			p.Spec.Mounts = append(p.Spec.Mounts, bind("stage/x", "/x"))
		}, "absolute"},
		{"cgroup climbs", func(p *Plan) { p.Cgroup.Delegated = []string{"../other"} }, "cgroup"},
		{"cgroup absolute", func(p *Plan) { p.Cgroup.Init = "/" }, "cgroup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Decode(document(t))
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(p)
			doc, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err = Decode(doc); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestForeignDocuments(t *testing.T) {
	doc := string(document(t))
	for _, c := range []struct {
		name, doc string
		want      error
	}{
		{"empty", "", ErrPlan},
		{"not JSON", "plan", ErrPlan},
		{"null", "null", ErrPlanVersion},
		{"no version", "{}", ErrPlanVersion},
		{"older", `{"version": 0, "zone": "web"}`, ErrPlanVersion},
		{"newer, with what we do not know", `{"version": 2, "quantum": true}`, ErrPlanVersion},
		{"unknown field", strings.Replace(doc, `"zone":`, `"owner": 1, "zone":`, 1), ErrPlan},
		{"unknown field within", strings.Replace(doc, `"op":`, `"force": true, "op":`, 1), ErrPlan},
		{"two documents", doc + doc, ErrPlan},
		{"cut short", doc[:len(doc)/2], ErrPlan},
		{"too long", doc + strings.Repeat(" ", planBytesMax), ErrPlan},
		{"another type", strings.Replace(doc, `"id_base": 655360`, `"id_base": "655360"`, 1), ErrPlan},
	} {
		if _, err := Decode([]byte(c.doc)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// FuzzDecode: whatever is accepted is written and read again as the same, and stays inside
// of what a plan may name.
func FuzzDecode(f *testing.F) {
	// Without the long lists, so that the fuzzer's changes meet what is checked.
	p, err := Decode(document(f))
	if err != nil {
		f.Fatal(err)
	}
	l := p.Spec.Linux
	l.Seccomp.Syscalls, l.MaskedPaths, l.ReadonlyPaths = nil, nil, nil
	p.Spec.Mounts = p.Spec.Mounts[len(p.Spec.Mounts)-3:]
	doc, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"version":1}`))
	f.Add(bytes.Replace(doc, []byte("stage/svc"), []byte("stage/../etc"), 1))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := Decode(doc)
		if err != nil {
			return
		}
		for _, s := range p.Root {
			if strings.Contains(s.Target, "..") && strings.HasPrefix(s.Target, "..") || strings.HasPrefix(s.Target, "/") {
				t.Errorf("target %q", s.Target)
			}
		}
		first, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(first) > planBytesMax {
			return // indented it is longer than it came
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("its own document is refused: %v", err)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(first, second) {
			t.Errorf("it changes when it is read again (%v)", err)
		}
	})
}
