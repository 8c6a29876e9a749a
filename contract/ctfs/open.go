package ctfs

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/table"
)

// open opens a file. The kernel has compared the mode with who asks; what a mode cannot say
// is said here, also to root, whom no mode stops.
func (f *FS) open(r *fuse.Request, k kind, id contract.ID) Answer {
	mode := r.OpenIn().Flags & unix.O_ACCMODE
	switch k {
	case templateFile:
	case ctlFile:
		// O_WRONLY exactly, as the original: who can read it can do nothing with that.
		if mode != unix.O_WRONLY {
			return fail(unix.EACCES)
		}
	default:
		if mode != unix.O_RDONLY {
			return fail(unix.EACCES)
		}
	}
	switch k {
	case statusFile:
		return f.openStatus(r, id)
	case templateFile, latestFile, bundleFile, pbundleFile, ctlFile, eventsFile:
	default:
		return fail(unix.EACCES)
	}
	who, errno := f.host.Caller(r)
	if errno != 0 {
		return fail(errno)
	}
	switch k {
	case latestFile:
		if id, ok := f.host.Table().Latest(who.Proc); ok {
			return f.openStatus(r, id)
		}
		return fail(unix.ESRCH)
	case ctlFile:
		if !f.host.Table().MayControl(id, who.Proc, who.CT) {
			return fail(unix.EACCES)
		}
		return Answer{What: Open, Flags: fuse.OpenDirectIO | fuse.OpenNonSeekable}
	case templateFile:
		return f.openHandle(&table.Op{Kind: table.OpenTemplate}, who, fuse.OpenDirectIO)
	case bundleFile:
		return f.openHandle(&table.Op{Kind: table.OpenBundle, Host: who.Host}, who, streamFlags)
	case pbundleFile:
		return f.openHandle(&table.Op{Kind: table.OpenPBundle, Host: who.Host}, who, streamFlags)
	}
	return f.openHandle(&table.Op{Kind: table.OpenContract, CT: id, Host: who.Host}, who, streamFlags)
}

// streamFlags: events have no positions.
const streamFlags = fuse.OpenDirectIO | fuse.OpenNonSeekable | fuse.OpenStream

// openHandle opens what the table keeps.
func (f *FS) openHandle(op *table.Op, who Caller, flags uint32) Answer {
	fh, errno := f.host.NewHandle(who.Cred.UID)
	if errno != 0 {
		return fail(errno)
	}
	op.FH, op.Proc, op.Cred, op.ProcCT = fh, who.Proc, who.Cred, who.CT
	if res := f.host.Do(op); res.Errno != 0 {
		return fail(res.Errno)
	}
	return Answer{What: Open, FH: op.FH, Flags: flags}
}

// openStatus keeps the text of this moment.
func (f *FS) openStatus(r *fuse.Request, id contract.ID) Answer {
	text, ok := f.host.Status(id, f.onHost(r.UID()))
	if !ok {
		return fail(unix.ENOENT)
	}
	return Answer{What: Open, FH: f.texts.add(id, text), Flags: fuse.OpenDirectIO}
}

// release ends an open file.
func (f *FS) release(r *fuse.Request, k kind) Answer {
	fh := r.Release().FH
	switch {
	case k == templateFile || k.isEvents():
		f.host.Close(fh)
	case k == statusFile || k == latestFile:
		f.texts.drop(fh)
	}
	return done
}

// isEvents says whether a file is a queue of events.
func (k kind) isEvents() bool { return k == eventsFile || k == bundleFile || k == pbundleFile }
