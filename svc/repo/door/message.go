package door

import (
	"encoding/binary"

	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Request is a request of any verb.
type Request struct {
	Verb Verb

	On              repo.Entity // of exists, property, group, snapshots
	View            View        // of property, group
	Group, Property string
	Query           Query // of scan
	After           Cursor
	Generation      uint64 // of the page before; 0: it is the first
	Try             int    // how often the scan has begun anew
	ID              [IDBytes]byte
	Again           bool        // the batch may have been sent before
	Batch           *repo.Batch // of apply
	Filter          repo.Filter // of watch
	Name            string      // of backup
}

// Cursor is the last that a page has. The zero Cursor stands before all.
type Cursor struct {
	On    repo.Entity
	Group string // empty: none of the entity's yet
}

// Append writes the request.
func (r *Request) Append(b []byte) []byte {
	b = append(b, Version, byte(r.Verb))
	switch r.Verb {
	case VerbExists, VerbSnapshots:
		b = appendEntity(b, r.On)
	case VerbProperty:
		b = appendString(appendView(appendEntity(b, r.On), r.View), r.Group, r.Property)
	case VerbGroup:
		b = appendString(appendView(appendEntity(b, r.On), r.View), r.Group)
	case VerbScan:
		b = appendQuery(b, &r.Query)
		b = appendString(appendEntity(b, r.After.On), r.After.Group)
		b = appendNumber(b, r.Generation, uint64(r.Try))
	case VerbApply:
		b = appendBool(append(b, r.ID[:]...), r.Again)
		b = appendBatch(b, r.Batch)
	case VerbWatch:
		b = appendStrings(appendStrings(appendEntity(b, r.Filter.On), r.Filter.Groups), r.Filter.Types)
	case VerbBackup:
		b = appendString(b, r.Name)
	}
	return b
}

// Head is the version and the verb of a request. ErrProtocol, ErrVersion.
func Head(p []byte) (Verb, error) {
	switch {
	case len(p) > 0 && p[0] != Version:
		return 0, ErrVersion
	case len(p) < 2:
		return 0, ErrProtocol
	}
	return Verb(p[1]), nil
}

// ParseRequest reads a request, which Head has found good. Who is not root sends smaller batches.
// ErrProtocol.
func ParseRequest(p []byte, root bool) (*Request, error) {
	verb, err := Head(p)
	if err != nil {
		return nil, err
	}
	d := decoder{s: string(p[2:]), opsMax: strangerOpsMax}
	if root {
		d.opsMax = opsMax
	}
	r := &Request{Verb: verb}
	switch verb {
	case VerbExists, VerbSnapshots:
		r.On = d.entity()
	case VerbProperty:
		r.On, r.View, r.Group, r.Property = d.entity(), d.view(), d.str(nameBytesMax), d.str(nameBytesMax)
	case VerbGroup:
		r.On, r.View, r.Group = d.entity(), d.view(), d.str(nameBytesMax)
	case VerbScan:
		r.Query = d.query()
		r.After = Cursor{d.entity(), d.str(nameBytesMax)}
		r.Generation, r.Try = d.number(1<<64-1), int(d.number(TriesMax))
	case VerbApply:
		r.ID, r.Again = d.id(), d.bool()
		r.Batch = d.batch()
	case VerbWatch:
		r.Filter = repo.Filter{On: d.entity(), Groups: d.strings(namesMax, nameBytesMax), Types: d.strings(namesMax, nameBytesMax)}
	case VerbBackup:
		r.Name = d.str(nameBytesMax)
	}
	if !d.done() || CallersOf(verb) == Nobody {
		return nil, ErrProtocol
	}
	return r, nil
}

func appendEntity(b []byte, e repo.Entity) []byte { return appendString(b, e.Service, e.Instance) }

func appendView(b []byte, v View) []byte { return appendString(append(b, byte(v.Kind)), v.Snapshot) }

func appendQuery(b []byte, q *Query) []byte {
	b = append(appendEntity(b, q.On), byte(q.Levels))
	b = appendBool(appendView(b, q.View), q.Names)
	return appendStrings(appendStrings(b, q.Groups), q.Types)
}

func (d *decoder) view() View {
	v := View{Kind: ViewKind(d.byte()), Snapshot: d.str(nameBytesMax)}
	if v.Kind == 0 || v.Kind >= viewCount {
		d.fail()
	}
	return v
}

func (d *decoder) query() Query {
	q := Query{On: d.entity(), Levels: Level(d.byte()), View: d.view(), Names: d.bool()}
	q.Groups, q.Types = d.strings(namesMax, nameBytesMax), d.strings(namesMax, nameBytesMax)
	return q
}

func (d *decoder) id() (id [IDBytes]byte) {
	if len(d.s) < IDBytes {
		d.fail()
		return id
	}
	copy(id[:], d.s)
	d.s = d.s[IDBytes:]
	return id
}

// Status says what an answer is. The numbers never change.
type Status uint8

// The statuses.
const (
	Hello  Status = iota + 1 // the greeting: eight bytes of epoch
	Done                     // what the verb gives
	More                     // a page, and there are more
	Failed                   // an error
	Change                   // of a watch: an event
	Bye                      // the server ends the connection, without having taken a request: why
	statusCount
)

// Answer is an answer of any verb, its body still encoded.
type Answer struct {
	Status     Status
	Generation uint64
	body       decoder
}

// Begin starts an answer's frame: Finish ends it.
func Begin(b []byte, s Status, generation uint64) []byte {
	b = append(b[:0], 0, 0, 0, 0, Version, byte(s))
	return appendNumber(b, generation)
}

// Finish puts the length into a frame.
func Finish(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-wire.HeaderBytes))
	return b
}

// ParseAnswer reads an answer's head. ErrProtocol, ErrVersion.
func ParseAnswer(p []byte) (Answer, error) {
	switch {
	case len(p) > 0 && p[0] != Version:
		return Answer{}, ErrVersion
	case len(p) < 2 || p[1] == 0 || p[1] >= byte(statusCount):
		return Answer{}, ErrProtocol
	}
	a := Answer{Status: Status(p[1]), body: decoder{s: string(p[2:])}}
	a.Generation = a.body.number(1<<64 - 1)
	if a.body.bad {
		return Answer{}, ErrProtocol
	}
	return a, nil
}

// Bytes is how much of the body is not read yet.
func (a *Answer) Bytes() int { return len(a.body.s) }

// Strings is how many were read of the body. Each takes some dozens of bytes of memory, with its
// share of what it belongs to, and as little as one byte of an answer.
func (a *Answer) Strings() int { return a.body.strs }

// end checks that the body is used up.
func (a *Answer) end() error {
	if !a.body.done() {
		return ErrProtocol
	}
	return nil
}

// AppendEpoch writes the body of Hello.
func AppendEpoch(b []byte, epoch uint64) []byte { return binary.BigEndian.AppendUint64(b, epoch) }

// Epoch reads the body of Hello.
func (a *Answer) Epoch() (uint64, error) {
	if len(a.body.s) != 8 {
		return 0, ErrProtocol
	}
	return binary.BigEndian.Uint64([]byte(a.body.s)), nil
}

// AppendFailure writes the body of Failed or Bye.
func AppendFailure(b []byte, err error) []byte { return appendError(b, err) }

// Failure reads the body of Failed or Bye.
func (a *Answer) Failure() error {
	err := a.body.err()
	if err == nil || !a.body.done() {
		return ErrProtocol
	}
	return err
}

// Empty reads the body of what gives nothing.
func (a *Answer) Empty() error { return a.end() }

// AppendFlag writes whether something is so, and Flag reads it.
func AppendFlag(b []byte, is bool) []byte { return appendBool(b, is) }

// Flag reads what AppendFlag wrote.
func (a *Answer) Flag() (bool, error) {
	is := a.body.bool()
	return is, a.end()
}

// Property reads the body of VerbProperty.
func (a *Answer) Property() (tree.Property, error) {
	p := a.body.property()
	if !p.Type.Valid() && p.Type != prop.Invalid {
		a.body.fail()
	}
	return p, a.end()
}

// Group reads the body of VerbGroup.
func (a *Answer) Group() (Group, error) {
	g := a.body.group()
	return g, a.end()
}

// AppendNames writes a list of names, and Names reads it.
func AppendNames(b []byte, names []string) []byte { return appendStrings(b, names) }

// Names reads what AppendNames wrote.
func (a *Answer) Names() ([]string, error) {
	names := a.body.strings(groupsMax, nameBytesMax)
	return names, a.end()
}

// AppendBackup writes the body of VerbBackup.
func AppendBackup(b []byte, path string, made bool) []byte {
	return appendString(appendBool(b, made), path)
}

// Backup reads the body of VerbBackup.
func (a *Answer) Backup() (path string, made bool, err error) {
	made, path = a.body.bool(), a.body.str(nameBytesMax)
	return path, made, a.end()
}

// SetMore makes an answer that was begun as Done one of More.
func SetMore(b []byte) { b[wire.HeaderBytes+1] = byte(More) }
