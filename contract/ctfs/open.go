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
	flags := r.OpenIn().Flags
	mode := flags & unix.O_ACCMODE
	switch k {
	case templateFile:
	case ctlFile, ctlsFile:
		// O_WRONLY exactly, as the original: who can read it can do nothing with that.
		if mode != unix.O_WRONLY {
			return fail(unix.EACCES)
		}
	default:
		if mode != unix.O_RDONLY || flags&unix.O_TRUNC != 0 {
			return fail(unix.EACCES)
		}
	}
	switch k {
	case statusFile:
		return f.openStatus(r, id)
	case templateFile, latestFile, bundleFile, pbundleFile, ctlFile, eventsFile:
	case ctlsFile: // who may do what with which contract is seen when it is written
		return Answer{What: Open, Flags: fuse.OpenDirectIO | fuse.OpenNonSeekable}
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
		return f.openHandle(r, &table.Op{Kind: table.OpenTemplate}, who)
	case bundleFile:
		return f.openHandle(r, &table.Op{Kind: table.OpenBundle, Host: who.Host}, who)
	case pbundleFile:
		return f.openHandle(r, &table.Op{Kind: table.OpenPBundle, Host: who.Host}, who)
	}
	return f.openHandle(r, &table.Op{Kind: table.OpenContract, CT: id, Host: who.Host}, who)
}

// openHandle opens what the table keeps.
func (f *FS) openHandle(r *fuse.Request, op *table.Op, who Caller) Answer {
	fh, errno := f.host.NewHandle(who.Cred.UID)
	if errno != 0 {
		return fail(errno)
	}
	op.FH = fh
	return f.do(r, who.ask(op))
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
