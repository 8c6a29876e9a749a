package svccfg

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// edits runs editprop of web, with an editor.
func edits(s door.Store, editor func(text string) string) (out, errs string, code int) {
	var o, e bytes.Buffer
	env := &Env{Out: &o, Err: &e, Open: func() (door.Store, error) { return kept{s}, nil }, Edit: func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := editor(string(data))
		if text == "" {
			return errors.New("exit status 1")
		}
		// As vi does, with another file.
		return errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path))
	}}
	code = Main(env, []string{"-s", "svc:/web", "editprop"})
	return o.String(), e.String(), code
}

// comments are those before commands, and before the lines of a value that goes on.
var comments = regexp.MustCompile(`(?m)^#( (delprop|addpg|setprop)|([^ P]))`)

// TestEditprop: the commands that are edited make what is there, whatever the values are.
func TestEditprop(t *testing.T) {
	s := newStore(t)
	put(t, s, func(b *repo.Batch) {
		b.PutGroup(web, &tree.Group{Name: "config", Type: "application", Props: []tree.Property{
			counts("none"), counts("port", "80"), counts("ports", "80", "81"),
			{Name: "words", Type: prop.AString, Values: []string{"", "a b", "two\nlines", `"\` + "\t", "=>()#"}},
			{Name: "word", Type: prop.UString, Values: []string{"ä"}},
		}})
		b.PutGroup(web, &tree.Group{Name: "run", Type: "framework", Flags: tree.NonPersistent})
	})
	before, err := s.Groups(web, door.Direct)
	if err != nil {
		t.Fatal(err)
	}
	generation, _ := s.Generation()
	if out, errs, code := edits(s, func(text string) string { return text }); out != "" || errs != "" || code != 0 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	if now, _ := s.Generation(); now != generation {
		t.Error("comments alone have done something")
	}
	all := func(text string) string { return comments.ReplaceAllString(text, "$2$3") }
	if out, errs, code := edits(s, all); out != "" || errs != "" || code != 0 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	if after, err := s.Groups(web, door.Direct); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("%v\n%+v, there was\n%+v", err, after, before)
	}
	if now, _ := s.Generation(); now == generation {
		t.Error("nothing was made anew")
	}
}

func TestEditpropFails(t *testing.T) {
	s := newStore(t)
	for _, c := range []struct{ text, want string }{
		{"setprop a/b = x\n", "svccfg (<editor>, line 1): No such property group \"a\".\n"},
		{"\nadd \"\n", "svccfg (<editor>, line 2): Syntax error: quote is not closed.\n"},
		{"editprop\n", "svccfg (<editor>, line 1): Syntax error.\n"},
		{"", "svccfg: Could not launch editor: Exit status 1.\n"},
	} {
		if out, errs, code := edits(s, func(string) string { return c.text }); out != "" || errs != c.want || code != 1 {
			t.Errorf("%q: %d %s%s", c.text, code, out, errs)
		}
	}
	if _, errs, code := svccfg(s, "editprop\n"); code != 1 || !strings.HasSuffix(errs, "An entity is not selected.\n") {
		t.Errorf("%d %s", code, errs)
	}
	if _, errs, code := svccfg(s, "select web\neditprop\n"); code != 1 || !strings.HasSuffix(errs, "Could not launch editor.\n") {
		t.Errorf("%d %s", code, errs)
	}
	var seen string
	if _, errs, code := edits(secret{s}, func(text string) string { seen = text; return text }); code != 0 || !strings.Contains(seen, "# Its values may not be read.") || strings.Contains(seen, "setprop") {
		t.Errorf("%d %s%s", code, errs, seen)
	}
}
