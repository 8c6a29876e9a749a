package door

import (
	"slices"

	"github.com/linuxzones/zones/svc/repo"
)

// What a page's items begin with.
const (
	itemEntity = 1
	itemGroup  = 2
)

// AppendEntry writes a service or an instance into a page.
func AppendEntry(b []byte, e repo.Entity) []byte { return appendEntity(append(b, itemEntity), e) }

// AppendEntryGroup writes a group of the entry before it, which may be the last of the page
// before.
func AppendEntryGroup(b []byte, g *Group) []byte { return AppendGroup(append(b, itemGroup), g) }

// Page adds what a page holds to the result, and gives where the next one begins.
func (a *Answer) Page(r *Result) (after Cursor, err error) {
	d := &a.body
	for d.s != "" {
		switch d.byte() {
		case itemEntity:
			r.Entries = append(r.Entries, Entry{On: d.entity()})
			after = Cursor{On: r.Entries[len(r.Entries)-1].On}
		case itemGroup:
			if len(r.Entries) == 0 {
				return after, ErrProtocol
			}
			last := &r.Entries[len(r.Entries)-1]
			last.Groups = append(last.Groups, d.group())
			after = Cursor{last.On, last.Groups[len(last.Groups)-1].Name}
		default:
			d.fail()
		}
	}
	return after, a.end()
}

// events are the kinds of changes: the place is the number that is sent, and never changes.
var events = []repo.EventKind{
	0, // none
	repo.Resync, repo.EntityCreated, repo.EntityDeleted, repo.GroupChanged, repo.GroupDeleted,
	repo.SnapshotChanged, repo.SnapshotDeleted,
}

// AppendEvent writes the body of Change. The generation is the answer's.
func AppendEvent(b []byte, e *repo.Event) []byte {
	b = append(b, byte(max(slices.Index(events, e.Kind), 0)))
	return appendString(appendEntity(b, e.On), e.Name, e.Type)
}

// Event reads the body of Change.
func (a *Answer) Event() (repo.Event, error) {
	d := &a.body
	n := int(d.byte())
	if n == 0 || n >= len(events) {
		return repo.Event{}, ErrProtocol
	}
	e := repo.Event{Kind: events[n], Generation: a.Generation, On: d.entity(), Name: d.str(nameBytesMax), Type: d.str(nameBytesMax)}
	return e, a.end()
}
