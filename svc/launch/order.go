package launch

import (
	"encoding/binary"

	"github.com/linuxzones/zones/svc/method"
)

// orderVersion is the first number of an order. Both sides are the same file, so that another one
// means that the file was changed in place.
const orderVersion = 3

// orderBytesMax is more than execve(2) takes of a command and an environment.
const orderBytesMax = 8 << 20

// Order is what the child is told to become.
type Order struct {
	Shell, Command     string
	Env                []string
	Session            bool
	UtmpxPrefix        string
	RuntimeDirectories []string
	// Context is put into effect, but for its Environment, which is in Env, its Notices, and Within,
	// which was the contract's.
	Context method.Context
}

// append adds the order's text to b: numbers are varints, a string has its length before it.
func (o *Order) append(b []byte) []byte {
	c := &o.Context
	b = binary.AppendUvarint(b, orderVersion)
	b = appendStrings(b, []string{o.Shell, o.Command, c.Dir, o.UtmpxPrefix})
	b = appendStrings(b, o.Env)
	b = appendStrings(b, o.RuntimeDirectories)
	b = appendFlags(b, o.Session, c.SetGroups, c.NoASLR, c.ASLR, c.NoExecStack)
	for _, id := range []uint32{c.UID, c.GID, uint32(c.Core), uint32(len(c.Groups))} {
		b = binary.AppendUvarint(b, uint64(id))
	}
	for _, id := range c.Groups {
		b = binary.AppendUvarint(b, uint64(id))
	}
	b = binary.AppendUvarint(b, uint64(len(c.Limits)))
	for _, l := range c.Limits {
		b = appendFlags(b, l.SetSoft, l.SetHard)
		for _, n := range []uint64{uint64(l.Resource), l.Soft, l.Hard} {
			b = binary.AppendUvarint(b, n)
		}
	}
	for _, p := range []*method.Privileges{c.Privileges, c.Limit} {
		b = appendFlags(b, p != nil)
		if p != nil {
			b = appendFlags(b, p.All)
			b = binary.AppendUvarint(b, p.Caps)
			b = binary.AppendUvarint(b, p.Without)
		}
	}
	return b
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func appendFlags(b []byte, flags ...bool) []byte {
	var n uint64
	for i, f := range flags {
		if f {
			n |= 1 << i
		}
	}
	return binary.AppendUvarint(b, n)
}

// reader takes an order apart. The first mistake is kept.
type reader struct {
	b   []byte
	bad bool
}

// parse reads an order that append has written. ErrOrder.
func parse(text []byte) (*Order, error) {
	r := &reader{b: text}
	if r.number(orderVersion) != orderVersion {
		return nil, ErrOrder
	}
	o := &Order{}
	c := &o.Context
	r.stringsInto(&o.Shell, &o.Command, &c.Dir, &o.UtmpxPrefix)
	o.Env, o.RuntimeDirectories = r.strings(), r.strings()
	r.flags(&o.Session, &c.SetGroups, &c.NoASLR, &c.ASLR, &c.NoExecStack)
	for _, id := range []*uint32{&c.UID, &c.GID} {
		*id = r.id()
	}
	c.Core = method.Core(r.number(uint64(method.CoreMade)))
	for n := r.number(uint64(len(r.b))); n > 0 && !r.bad; n-- {
		c.Groups = append(c.Groups, r.id())
	}
	for n := r.number(uint64(len(r.b))); n > 0 && !r.bad; n-- {
		var l method.Limit
		r.flags(&l.SetSoft, &l.SetHard)
		l.Resource, l.Soft, l.Hard = uint8(r.number(1<<8-1)), r.number(1<<64-1), r.number(1<<64-1)
		c.Limits = append(c.Limits, l)
	}
	c.Privileges, c.Limit = r.privileges(), r.privileges()
	if r.bad || len(r.b) > 0 {
		return nil, ErrOrder
	}
	return o, nil
}

// number reads one that is at most limit.
func (r *reader) number(limit uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > limit {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) id() uint32 { return uint32(r.number(1<<32 - 1)) }

func (r *reader) string() string {
	n := r.number(uint64(len(r.b)))
	if n > uint64(len(r.b)) { // the length itself took some of it
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) strings() (list []string) {
	for n := r.number(uint64(len(r.b))); n > 0 && !r.bad; n-- {
		list = append(list, r.string())
	}
	return list
}

func (r *reader) stringsInto(into ...*string) {
	if r.number(uint64(len(into))) != uint64(len(into)) {
		r.bad = true
	}
	for _, s := range into {
		*s = r.string()
	}
}

func (r *reader) flags(into ...*bool) {
	n := r.number(1<<len(into) - 1)
	for i, f := range into {
		*f = n&(1<<i) != 0
	}
}

func (r *reader) privileges() *method.Privileges {
	var is bool
	if r.flags(&is); !is {
		return nil
	}
	p := &method.Privileges{}
	r.flags(&p.All)
	p.Caps, p.Without = r.number(1<<64-1), r.number(1<<64-1)
	return p
}
