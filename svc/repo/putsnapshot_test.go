package repo

import (
	"reflect"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// A snapshot of given groups holds them, whatever the instance has, in the form that a snapshot
// of the instance would have.
func TestPutSnapshot(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) { b.PutGroup(web, group("s", str("x", "the administrator's"))) })
	given := &Frozen{
		Service:  []tree.Group{*group("z"), *group("s", str("y", "2"), str("x", "1"))},
		Instance: []tree.Group{*group("i", tree.Property{Name: "n", Type: prop.Count, Values: []string{"0x10"}})},
	}
	before := dumpOf(t, r, web.Service)
	apply(t, r, func(b *Batch) { b.PutSnapshot(webOne, LastImport, given) })
	view(t, r, func(v *Reader) {
		got, err := v.Frozen(webOne, LastImport)
		must(t, err)
		want := Frozen{
			Service:  []tree.Group{*group("s", str("x", "1"), str("y", "2")), *group("z")},
			Instance: []tree.Group{*group("i", tree.Property{Name: "n", Type: prop.Count, Values: []string{"16"}})},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	if after := dumpOf(t, r, web.Service); !reflect.DeepEqual(after, before) {
		t.Errorf("the configuration became %+v", after)
	}
	if given.Service[0].Name != "z" || given.Instance[0].Props[0].Values[0] != "0x10" {
		t.Error("what was given was changed")
	}

	// The same again is no change; what the instance comes to have is the same content.
	generation := r.Generation()
	if apply(t, r, func(b *Batch) { b.PutSnapshot(webOne, LastImport, given) }) != generation {
		t.Error("the same snapshot was written again")
	}
	apply(t, r, func(b *Batch) {
		for i := range given.Service {
			b.PutGroup(web, &given.Service[i])
		}
		b.PutGroup(webOne, &given.Instance[0])
		b.TakeSnapshot(webOne, Running)
	})
	if records, groups := contents(t, r); records != 1 || groups != 3 {
		t.Errorf("%d contents of %d groups", records, groups)
	}
	apply(t, r, func(b *Batch) { b.PutSnapshot(webOne, LastImport, &Frozen{}); b.DeleteSnapshot(webOne, Running) })
	if records, groups := contents(t, r); records != 1 || groups != 0 {
		t.Errorf("%d contents of %d groups", records, groups)
	}
	apply(t, r, func(b *Batch) { b.Revert(webOne, LastImport) })
	if got := get(t, r, webOne, "s", "x"); got != "-" {
		t.Error(got)
	}
}

func TestPutSnapshotRefused(t *testing.T) {
	r := fresh(t)
	many := make([]tree.Group, groupsMax+1)
	long := strings.Repeat("x", prop.ValueBytesMax)
	for what, c := range map[string]struct {
		want error
		on   Entity
		f    *Frozen
	}{
		"no groups":          {ErrInvalidOp, webOne, nil},
		"of a service":       {ErrInvalidOp, web, &Frozen{}},
		"of no instance":     {ErrNotFound, webTwo, &Frozen{}},
		"not persistent":     {ErrInvalidOp, webOne, &Frozen{Service: []tree.Group{*volatileGroup("g")}}},
		"a group's name":     {ErrInvalidName, webOne, &Frozen{Service: []tree.Group{*group("a b")}}},
		"a type":             {ErrInvalidName, webOne, &Frozen{Service: []tree.Group{{Name: "a"}}}},
		"a group twice":      {ErrExists, webOne, &Frozen{Instance: []tree.Group{*group("a"), *group("b"), *group("a")}}},
		"a property twice":   {ErrExists, webOne, &Frozen{Instance: []tree.Group{*group("a", str("x", "1"), str("x", "2"))}}},
		"a value":            {ErrInvalidValue, webOne, &Frozen{Instance: []tree.Group{*group("a", tree.Property{Name: "n", Type: prop.Count, Values: []string{"x"}})}}},
		"too many groups":    {ErrLimit, webOne, &Frozen{Service: many}},
		"too large a group":  {ErrLimit, webOne, &Frozen{Service: []tree.Group{*group("g", str("x", slicesOf(long, 300)...))}}},
		"too many of values": {ErrLimit, webOne, &Frozen{Service: []tree.Group{*group("g", str("x", slicesOf("", valuesMax+1)...))}}},
	} {
		t.Run(what, func(t *testing.T) {
			refuse(t, r, c.want, func(b *Batch) { b.PutSnapshot(c.on, LastImport, c.f) })
		})
	}
	refuse(t, r, ErrInvalidName, func(b *Batch) { b.PutSnapshot(webOne, "a b", &Frozen{}) })
}

func slicesOf(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}
