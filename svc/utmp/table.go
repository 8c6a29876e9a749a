package utmp

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/account"
)

// Files says where the records are.
type Files struct {
	Table, Log string
	// Group may write to the table, beside root.
	Group  account.Files
	layout Layout
}

// Zone are those of the zone that this process is in.
var Zone = At("/run/utmp", "/var/log/wtmp", account.Zone)

// At are the files at these places, in this machine's layout.
func At(table, log string, groups account.Files) Files {
	return Files{Table: table, Log: log, Group: groups, layout: Here()}
}

const (
	// starter is who a process belongs to that nobody has logged in at.
	starter = ".startd"
	// digits make an id of a prefix.
	digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	// groupName is the group of programs that write the table.
	groupName = "utmp"
	tableMode = 0o664
)

// Begin makes the record of this process, which is to become the start method of an instance with this
// prefix, 1 to 4 bytes. It takes the place of a record of its kind whose process is gone, so that an
// instance that is started again and again needs no more room.
func (f Files) Begin(prefix string) error {
	pid := unix.Getpid()
	t, err := open(f.Table, f.layout.Size, TableBytesMax, processWait)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer t.close()
	place, err := f.place(t, prefix, pid)
	if err != nil {
		return err
	}
	e := make(entry, f.layout.Size)
	e.setKind(InitProcess)
	e.setPid(pid)
	e.setID(place.id)
	e.setUser(starter)
	f.layout.setTime(e, time.Now())
	for _, d := range place.dead {
		if err := t.write(d.n, d.e); err != nil {
			return err
		}
	}
	if err := t.write(place.n, e); err != nil {
		return err
	}
	t.close()
	var list []entry
	for _, d := range place.dead {
		list = append(list, d.e)
	}
	return f.log(processWait, false, append(list, e)...)
}

// numbered is a record, and where it is.
type numbered struct {
	n int
	e entry
}

// place is where a record is to be, and what is to be marked dead before.
type place struct {
	n    int
	id   [idBytes]byte
	dead []numbered
}

// place finds a place in the table: of a record with the prefix whose process is gone, or a new one. A
// record that lives and has the number of this process is of one before it.
func (f Files) place(t *file, prefix string, pid int) (p place, err error) {
	used, count, found := map[[idBytes]byte]bool{}, 0, false
	err = t.each(0, func(n int, e entry) bool {
		count = n + 1
		k, id := e.kind(), e.id()
		if !k.process() {
			return true
		}
		used[id] = true
		gone := k == DeadProcess || e.pid() == pid || !there(e.pid())
		if k.lives() && (e.pid() == pid || gone && begins(id, prefix)) {
			p.dead = append(p.dead, numbered{n, f.dead(e, 0)})
		}
		if gone && !found && begins(id, prefix) {
			p.n, p.id, found = n, id, true
		}
		return true
	})
	if err != nil || found {
		return p, err
	}
	p.n = count
	if p.id, found = newID(prefix, used); !found {
		return p, t.fail("prefix "+strconv.Quote(prefix), ErrNoID)
	}
	return p, nil
}

func begins(id [idBytes]byte, prefix string) bool {
	return len(prefix) > 0 && len(prefix) <= idBytes && string(id[:len(prefix)]) == prefix
}

// newID makes an id with a prefix that nobody has.
func newID(prefix string, used map[[idBytes]byte]bool) (id [idBytes]byte, ok bool) {
	left := idBytes - len(prefix)
	if len(prefix) == 0 || left < 0 {
		return id, false
	}
	count := 1
	for range left {
		count *= len(digits)
	}
	// Of more ids than are used one is free.
	for i := range min(count, len(used)+1) {
		copy(id[:], prefix)
		for n, at := i, idBytes-1; at >= len(prefix); at-- {
			id[at] = digits[n%len(digits)]
			n /= len(digits)
		}
		if !used[id] {
			return id, true
		}
	}
	return id, false
}

// dead is a record as it is when its process has ended. Who was logged in there, and where, stays.
func (f Files) dead(e entry, status unix.WaitStatus) entry {
	e = e.clone()
	e.setKind(DeadProcess)
	e.setExit(status)
	f.layout.setTime(e, time.Now())
	return e
}

// there says whether somebody who lives has a number. A number that is none is nobody's.
func there(pid int) bool {
	if pid <= 0 {
		return false
	}
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return !errors.Is(err, unix.ESRCH)
	}
	defer fd.Close()
	return !sys.PidfdExited(fd.Int())
}

// End marks the record of a process dead that has ended, and was waited for.
func (f Files) End(pid int, status unix.WaitStatus) error {
	return f.bury(func(e entry) (unix.WaitStatus, bool) { return status, e.pid() == pid })
}

// Sweep marks records dead that have one of these prefixes, and whose processes are gone, but for
// those of others: how they ended nobody knows.
func (f Files) Sweep(prefixes []string, others []int) error {
	return f.bury(func(e entry) (unix.WaitStatus, bool) {
		ours := slices.ContainsFunc(prefixes, func(p string) bool { return begins(e.id(), p) })
		return 0, ours && !slices.Contains(others, e.pid())
	})
}

// bury marks records dead. One whose number somebody has is left, whoever it is.
func (f Files) bury(which func(entry) (unix.WaitStatus, bool)) error {
	t, err := open(f.Table, f.layout.Size, TableBytesMax, recorderWait)
	if missing(err) {
		return nil // there is no record
	}
	if err != nil {
		return err
	}
	defer t.close()
	var list []numbered
	err = t.each(0, func(n int, e entry) bool {
		if !e.kind().lives() {
			return true
		}
		if status, is := which(e); is && !there(e.pid()) {
			list = append(list, numbered{n, f.dead(e, status)})
		}
		return true
	})
	if err != nil || len(list) == 0 {
		return err
	}
	logs := make([]entry, 0, len(list))
	for _, d := range list {
		if err := t.write(d.n, d.e); err != nil {
			return err
		}
		logs = append(logs, d.e)
	}
	t.close()
	return f.log(recorderWait, false, logs...)
}

// log adds records to the log; once: those that it does not have already.
func (f Files) log(wait time.Duration, once bool, list ...entry) error {
	l, err := open(f.Log, f.layout.Size, LogBytesMax, wait)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.close()
	for _, e := range list {
		if once {
			if has, err := l.has(e); err != nil || has {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := l.append(e); err != nil {
			return err
		}
	}
	return nil
}
