package door

import (
	"slices"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// operations are the batch's verbs: the place is the number that is sent, and never changes.
var operations = []repo.Verb{
	0, // none
	repo.ExpectRepository, repo.ExpectGroup, repo.ExpectExists, repo.ExpectAbsent,
	repo.Create, repo.Ensure, repo.Delete,
	repo.CreateGroup, repo.PutGroup, repo.DeleteGroup,
	repo.SetProperty, repo.SetValues, repo.DeleteProperty,
	repo.TakeSnapshot, repo.CopySnapshot, repo.DeleteSnapshot, repo.Revert, repo.PutSnapshot,
}

// appendVerb writes an operation's number; what is no operation is 0, and refused as that.
func appendVerb(b []byte, v repo.Verb) []byte {
	return append(b, byte(max(slices.Index(operations, v), 0)))
}

func (d *decoder) verb() repo.Verb {
	n := int(d.byte())
	if n >= len(operations) {
		return 0
	}
	return operations[n]
}

// Which parts of an operation follow, since most have few.
const (
	opProp = 1 << iota
	opTree
	opFrozen
	opParts
)

// opBytesMin: a verb, a number, which parts, five strings, flags, children.
const opBytesMin = 10

func appendBatch(b []byte, batch *repo.Batch) []byte {
	b = appendNumber(b, uint64(len(batch.Ops)))
	for i := range batch.Ops {
		b = appendOp(b, &batch.Ops[i])
	}
	return b
}

func appendOp(b []byte, o *repo.Op) []byte {
	var parts byte
	if o.Prop.Name != "" || o.Prop.Type != 0 || len(o.Prop.Values) > 0 {
		parts |= opProp
	}
	if o.Tree != nil {
		parts |= opTree
	}
	if o.Frozen != nil {
		parts |= opFrozen
	}
	b = append(appendVerb(b, o.Verb), parts)
	b = appendString(b, o.On.Service, o.On.Instance, o.Name, o.From, o.Type)
	b = appendNumber(b, o.Generation, uint64(o.Flags))
	b = append(b, byte(o.Children))
	if o.Tree != nil {
		b = AppendGroup(b, &Group{Group: *o.Tree})
	}
	if parts&opProp != 0 {
		b = AppendProperty(b, &o.Prop)
	}
	if o.Frozen != nil {
		b = appendGroups(appendGroups(b, o.Frozen.Service), o.Frozen.Instance)
	}
	return b
}

func (d *decoder) batch() *repo.Batch {
	n := d.count(d.opsMax, opBytesMin)
	batch := &repo.Batch{}
	if n > 0 {
		batch.Ops = make([]repo.Op, n)
	}
	for i := range batch.Ops {
		d.op(&batch.Ops[i])
		if d.bad {
			return nil
		}
	}
	return batch
}

func (d *decoder) op(o *repo.Op) {
	o.Verb = d.verb()
	parts := d.byte()
	if parts >= opParts {
		d.fail()
	}
	o.On = d.entity()
	o.Name, o.From, o.Type = d.str(nameBytesMax), d.str(nameBytesMax), d.str(nameBytesMax)
	o.Generation = d.number(1<<64 - 1)
	o.Flags = tree.Flags(d.number(1<<32 - 1))
	o.Children = repo.Children(d.byte())
	if parts&opTree != 0 {
		g := d.group().Group
		o.Tree = &g
	}
	if parts&opProp != 0 {
		o.Prop = d.property()
	}
	if parts&opFrozen != 0 {
		o.Frozen = &repo.Frozen{Service: d.groups(), Instance: d.groups()}
	}
}

// CheckBatch says whether a batch can be sent at all. What it refuses, a repository refuses.
func CheckBatch(b *repo.Batch) error {
	if len(b.Ops) > opsMax {
		return &repo.LimitError{What: "operations in one batch", Max: opsMax}
	}
	return nil
}
