package repo

import (
	"bytes"

	"github.com/linuxzones/zones/svc/fmri"
)

// Keys of the bucket "config". NUL is below every character of a name, so that the order of keys
// is the order of names, and all of a service is one range.
//
//	SERVICE 0                     a service
//	SERVICE 0 g GROUP             its group
//	SERVICE 0 i INSTANCE 0        an instance
//	SERVICE 0 i INSTANCE 0 GROUP  its group
const (
	groupMark    = 'g'
	instanceMark = 'i'
)

func serviceKey(b []byte, service string) []byte { return append(append(b, service...), 0) }

// entityKey is the key of the entity's record; all that belongs to an instance begins with it.
func entityKey(b []byte, e Entity) []byte {
	b = serviceKey(b, e.Service)
	if e.Instance == "" {
		return b
	}
	b = append(b, instanceMark)
	return append(append(b, e.Instance...), 0)
}

// groupsKey is what the keys of the entity's groups begin with.
func groupsKey(b []byte, e Entity) []byte {
	b = entityKey(b, e)
	if e.Instance == "" {
		b = append(b, groupMark)
	}
	return b
}

func groupKey(b []byte, e Entity, group string) []byte { return append(groupsKey(b, e), group...) }

// afterKey is the first key that does not begin with the given one, whose last byte is NUL.
func afterKey(prefix []byte) []byte {
	k := bytes.Clone(prefix)
	k[len(k)-1] = 1
	return k
}

// parseKey reads a key of "config". group is empty for an entity's own record.
func parseKey(k []byte) (e Entity, group string, ok bool) {
	service, rest, ok := bytes.Cut(k, []byte{0})
	e.Service = string(service)
	if !ok || fmri.CheckService(e.Service) != nil {
		return e, "", false
	}
	if len(rest) == 0 {
		return e, "", true
	}
	name := rest[1:]
	switch rest[0] {
	case groupMark:
		if len(name) == 0 {
			return e, "", false
		}
	case instanceMark:
		var instance []byte
		instance, name, ok = bytes.Cut(name, []byte{0})
		e.Instance = string(instance)
		if !ok || fmri.CheckName(e.Instance) != nil {
			return e, "", false
		}
	default:
		return e, "", false
	}
	group = string(name)
	return e, group, group == "" || fmri.CheckName(group) == nil
}

// Keys of the bucket "snapshots": SERVICE 0 INSTANCE 0 SNAPSHOT.
func snapshotsKey(b []byte, e Entity) []byte {
	return append(append(serviceKey(b, e.Service), e.Instance...), 0)
}

func snapshotKey(b []byte, e Entity, name string) []byte { return append(snapshotsKey(b, e), name...) }

func parseSnapshotKey(k []byte) (e Entity, name string, ok bool) {
	parts := bytes.Split(k, []byte{0})
	if len(parts) != 3 {
		return e, "", false
	}
	e, name = Entity{string(parts[0]), string(parts[1])}, string(parts[2])
	return e, name, e.check() == nil && e.Instance != "" && fmri.CheckName(name) == nil
}

// Keys of the bucket "contents": the number of a snapshot's content, in eight bytes, is its
// record; with a level and a group's name it is that group.
const (
	contentBytes  = 8
	instanceLevel = 'i'
	serviceLevel  = 's'
)

func contentKey(b []byte, id uint64) []byte {
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(id>>shift))
	}
	return b
}

func contentGroupKey(b []byte, id uint64, level byte, group string) []byte {
	return append(append(contentKey(b, id), level), group...)
}

// parseContentKey gives level 0 for a record.
func parseContentKey(k []byte) (id uint64, level byte, group string, ok bool) {
	if len(k) < contentBytes {
		return 0, 0, "", false
	}
	for _, c := range k[:contentBytes] {
		id = id<<8 | uint64(c)
	}
	if len(k) == contentBytes {
		return id, 0, "", true
	}
	level, group = k[contentBytes], string(k[contentBytes+1:])
	return id, level, group, (level == instanceLevel || level == serviceLevel) && fmri.CheckName(group) == nil
}
