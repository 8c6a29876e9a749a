package importer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// A story is a txtar archive: documents, and before them lines, each of which does something or
// wants something.
//
//	import FILE              the manifest, which is imported
//	apply FILE               the profile
//	told TEXT                the next of what the last import or profile told without -v
//	again                    the last import or profile once more changes nothing
//	set FMRI G/P TYPE V...   an administrator sets a property; its group is made when missing
//	unset FMRI G[/P]         takes a property or a group away
//	add FMRI, delete FMRI    makes or removes a service or an instance
//	is FMRI G/P TYPE V...    a property is there, with these values
//	is FMRI G TYPE           a group is
//	no FMRI [G[/P]]          it is not there
//	snap FMRI S G/P ...      as is, in an instance's snapshot; FMRI with a '+' after it means the
//	                         service's level
//
// What was told and is not in the story is an error.
type story struct {
	t     *testing.T
	r     *repo.Repo
	files map[string]string
	last  func() []Event
	told  []string
}

func TestStories(t *testing.T) {
	names, err := filepath.Glob("testdata/stories/*.txtar")
	must(t, err)
	if len(names) < 12 {
		t.Fatalf("only %d stories", len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			must(t, err)
			a := txtar.Parse(data)
			s := &story{t: t, r: fresh(t), files: map[string]string{}}
			for _, f := range a.Files {
				s.files[f.Name] = string(f.Data)
			}
			wanted := 0
			for n, line := range strings.Split(string(a.Comment), "\n") {
				words := strings.Fields(line)
				if len(words) == 0 || words[0] == "#" {
					continue
				}
				if slices.Contains([]string{"is", "no", "snap", "again", "told"}, words[0]) {
					wanted++
				}
				s.line(words, line)
				if t.Failed() {
					t.Fatalf("line %d: %s\n%s", n+1, line, dump(t, s.r))
				}
			}
			s.quiet()
			if wanted == 0 {
				t.Error("the story wants nothing")
			}
		})
	}
}

// quiet wants that all that was told was wanted.
func (s *story) quiet() {
	s.t.Helper()
	if len(s.told) > 0 {
		s.t.Errorf("told, too: %q", s.told)
	}
	s.told = nil
}

func (s *story) line(w []string, line string) {
	t := s.t
	t.Helper()
	switch w[0] {
	case "import", "apply":
		s.quiet()
		text, ok := s.files[w[1]]
		if !ok {
			t.Fatalf("no file %s", w[1])
		}
		s.last = func() []Event { return importText(t, s.r, text) }
		if w[0] == "apply" {
			s.last = func() []Event { return applyText(t, s.r, text) }
		}
		s.told = loud(s.last())
	case "again":
		s.quiet()
		before, generation := dump(t, s.r), s.r.Generation()
		events := s.last()
		if after := dump(t, s.r); after != before || s.r.Generation() != generation || len(loud(events)) > 0 {
			t.Errorf("again: told %q, and left\n%s\nof\n%s", loud(events), after, before)
		}
	case "told":
		want := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "told"))
		if len(s.told) == 0 || s.told[0] != want {
			t.Errorf("told %q", s.told)
			return
		}
		s.told = s.told[1:]
	case "is":
		s.same(value(t, s.r, entityText(t, w[1]), w[2]), w[3:])
	case "no":
		s.absent(w)
	case "snap":
		fmri, service := strings.CutSuffix(w[1], "+")
		e := entityText(t, fmri)
		instance := e.Instance
		if service {
			e.Instance = ""
		}
		s.same(frozenValue(t, s.r, e, instance, w[2], w[3]), w[4:])
	default:
		s.administrator(w)
	}
}

func (s *story) same(got string, want []string) {
	s.t.Helper()
	if got != strings.Join(want, " ") {
		s.t.Errorf("is %q", got)
	}
}

func (s *story) absent(w []string) {
	s.t.Helper()
	e := entityText(s.t, w[1])
	if len(w) > 2 {
		s.same(value(s.t, s.r, e, w[2]), []string{"-"})
		return
	}
	view(s.t, s.r, func(v *repo.Reader) {
		if v.Exists(e) {
			s.t.Errorf("%v is there", e)
		}
	})
}

// administrator does by hand what svccfg does.
func (s *story) administrator(w []string) {
	s.t.Helper()
	e := entityText(s.t, w[1])
	change(s.t, s.r, func(b *repo.Batch) {
		switch w[0] {
		case "set":
			group, name, _ := strings.Cut(w[2], "/")
			if value(s.t, s.r, e, group) == "-" {
				b.PutGroup(e, &tree.Group{Name: group, Type: "application"})
			}
			b.SetProperty(e, group, propertyOf(s.t, name, w[3], w[4:]...))
		case "unset":
			if group, name, is := strings.Cut(w[2], "/"); is {
				b.DeleteProperty(e, group, name)
			} else {
				b.DeleteGroup(e, group)
			}
		case "add":
			b.Ensure(e)
		case "delete":
			b.Delete(e, repo.WithChildren)
		case "snapshot":
			b.TakeSnapshot(e, w[2])
		case "forget":
			b.DeleteSnapshot(e, w[2])
		default:
			s.t.Fatalf("no such line: %q", w)
		}
	})
}
