package repo

import (
	"errors"
	"testing"
)

// TestJudge: a judge is asked of each operation, sees what those before it wrote, and refuses
// the whole.
func TestJudge(t *testing.T) {
	r := fresh(t)
	before := dump(t, r)
	no := errors.New("no")
	var seen []string
	judge := func(v *Reader, o *Op) error {
		g, _, err := v.Group(web, "a")
		if err != nil {
			seen = append(seen, o.Verb.String()+" -")
			return nil
		}
		values := ""
		for _, p := range g.Props {
			values += p.Name + p.Values[0]
		}
		seen = append(seen, o.Verb.String()+" "+values)
		if o.Verb == DeleteProperty {
			return no
		}
		return nil
	}
	var b Batch
	b.CreateGroup(web, "a", "application", 0)
	b.SetProperty(web, "a", str("x", "1"))
	b.SetProperty(web, "a", str("x", "2"))
	b.SetProperty(web, "a", str("y", "3"))
	good := b
	b.DeleteProperty(web, "a", "x")
	b.Create(webTwo)
	_, err := r.ApplyJudged(&b, judge)
	var op *OpError
	if !errors.Is(err, no) || !errors.As(err, &op) || op.Index != 4 || op.Name != "a/x" {
		t.Errorf("%v", err)
	}
	want := []string{"create group -", "set property in ", "set property in x1", "set property in x2", "delete property in x2y3"}
	for i := range want {
		if i >= len(seen) || len(seen) != len(want) || seen[i] != want[i] {
			t.Fatalf("%q, want %q", seen, want)
		}
	}
	if after := dump(t, r); after != before {
		t.Errorf("a batch that was refused left\n%s", after)
	}
	if _, err := r.ApplyJudged(&good, judge); err != nil || get(t, r, web, "a", "x")+get(t, r, web, "a", "y") != "23" {
		t.Errorf("%v: %s", err, dump(t, r))
	}
	must(t, r.Verify())
	must(t, r.Close())
	if err := r.Verify(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
