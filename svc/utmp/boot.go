package utmp

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Names in records that are of no process.
const (
	systemLine   = "~"
	bootUser     = "reboot"
	levelUser    = "runlevel"
	shutdownUser = "shutdown"
	// noLevel is the one before the first.
	noLevel = 'N'
	// bootIDFile tells one boot of the host from another.
	bootIDFile = "/proc/sys/kernel/random/boot_id"
)

var systemID = [idBytes]byte{'~', '~'}

// Boot is one boot of a zone.
type Boot struct {
	at   time.Time
	mark [16]byte // stands in the reserved bytes of its record
}

// ThisBoot is the one that process 1 is of, which no other boot has: its number and start. When it
// began is now, for who looks first: process 1 may have waited, in a zone that was ready, for long.
func ThisBoot() (Boot, error) {
	ticks, err := sys.StartTime(1)
	if err != nil {
		return Boot{}, err
	}
	host, err := sys.ReadFile(bootIDFile, 64)
	if err != nil {
		return Boot{}, err
	}
	b := Boot{at: time.Now()}
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.TrimSpace(string(host))))
	binary.NativeEndian.PutUint64(b.mark[:], h.Sum64())
	binary.NativeEndian.PutUint64(b.mark[8:], ticks)
	return b, nil
}

// Booted makes the table, if there is none, and the record of a boot, if it has none of this one. What
// the table has of another boot goes: no process of it is left.
func (f Files) Booted(b Boot) error {
	if err := f.make(); err != nil {
		return err
	}
	t, err := open(f.Table, f.layout.Size, TableBytesMax, recorderWait)
	if err != nil {
		return err
	}
	defer t.close()
	old, err := f.find(t, BootTime)
	if err != nil {
		return err
	}
	e := old.e
	if e == nil || !bytes.HasPrefix(f.layout.reserved(e), b.mark[:]) {
		if e != nil {
			if err := unix.Ftruncate(t.fd.Int(), 0); err != nil {
				return t.fail("empty", err)
			}
			old.n = 0
		}
		e = f.system(BootTime, bootUser, b.at)
		copy(f.layout.reserved(e), b.mark[:])
		if err := t.write(old.n, e); err != nil {
			return err
		}
	}
	t.close()
	return f.log(recorderWait, true, e)
}

// make makes an empty table. One that is there, or whatever else is, stays.
func (f Files) make() error {
	var n int
	err := sys.Retry(func() (e error) {
		n, e = unix.Open(f.Table, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return e
	})
	if err == unix.EEXIST {
		return nil
	}
	if err != nil {
		return &fileError{f.Table, "make", err}
	}
	fd := sys.Own(n)
	defer fd.Close()
	if gid, ok := f.Group.GroupID(groupName); ok {
		_ = unix.Fchown(n, -1, int(gid))
	}
	if err := unix.Fchmod(n, tableMode); err != nil {
		return &fileError{f.Table, "make", err}
	}
	return nil
}

// find gives the one record of a kind; without one the place behind all others.
func (f Files) find(t *file, k Kind) (found numbered, err error) {
	err = t.each(0, func(n int, e entry) bool {
		found.n = n + 1
		if e.kind() != k {
			return true
		}
		found = numbered{n, e.clone()}
		return false
	})
	return found, err
}

// system is a record that is of no process. Its host is the kernel's release, as last(1) shows it.
func (f Files) system(k Kind, user string, at time.Time) entry {
	var u unix.Utsname
	_ = unix.Uname(&u)
	e := make(entry, f.layout.Size)
	e.setKind(k)
	e.setID(systemID)
	e.setLine(systemLine)
	e.setUser(user)
	e.setHost(text(u.Release[:]))
	f.layout.setTime(e, at)
	return e
}

// Level records that the zone has come to a run level: S, 2 or 3. The boot's record, which the log may
// not have had room for, goes there first.
func (f Files) Level(level byte) error {
	return f.level(func(old entry) entry {
		before := byte(noLevel)
		if old != nil && old.user() == levelUser {
			if before = byte(old.pid()); before == level {
				return old
			}
		}
		e := f.system(RunLevel, levelUser, time.Now())
		e.setPid(int(level) | int(before)<<8)
		return e
	})
}

// Down records that the zone goes down, whether it is to boot again or not: last(1) knows one kind.
func (f Files) Down() error {
	return f.level(func(old entry) entry {
		if old != nil && old.user() == shutdownUser {
			return old
		}
		return f.system(RunLevel, shutdownUser, time.Now())
	})
}

// level replaces the record of the run level by another; by itself: it stays.
func (f Files) level(next func(old entry) entry) error {
	t, err := open(f.Table, f.layout.Size, TableBytesMax, recorderWait)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer t.close()
	old, err := f.find(t, RunLevel)
	if err != nil {
		return err
	}
	boot, err := f.find(t, BootTime)
	if err != nil {
		return err
	}
	var e entry
	if e = next(old.e); old.e == nil || !e.equal(old.e) {
		if err := t.write(old.n, e); err != nil {
			return err
		}
	}
	t.close()
	if boot.e == nil {
		return f.log(recorderWait, true, e)
	}
	return f.log(recorderWait, true, boot.e, e)
}
