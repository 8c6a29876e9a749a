package zoned

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// growing is a file that lines are appended to: the log, the audit records. One that has become too
// long is put aside as .1, whose former content goes; one that somebody took away, or put aside
// himself, is made anew. Who writes holds a lock.
type growing struct {
	name     string
	bytesMax int64
	file     *os.File // nil: not open
	opened   func(*os.File)
}

// write appends a whole line, or nothing of it. What cannot be put aside grows on: a line is worth
// more.
func (g *growing) write(line []byte) error {
	if g.file != nil && g.stale() {
		g.anew()
	}
	if g.file == nil {
		if err := g.open(); err != nil {
			return err
		}
	}
	n, err := g.file.Write(line)
	if err != nil && n > 0 { // the disk is full: half a line would spoil the next
		if st, serr := g.file.Stat(); serr == nil {
			_ = g.file.Truncate(st.Size() - int64(n))
		}
	}
	return err
}

// stale says whether the open file is not the one to write to any more; one that is only too long
// has been put aside then.
func (g *growing) stale() bool {
	own, err := g.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(g.name)
	if err != nil || !os.SameFile(own, named) {
		return true
	}
	return own.Size() > g.bytesMax && os.Rename(g.name, g.name+".1") == nil
}

// anew goes on in another file, if there can be one.
func (g *growing) anew() {
	old := g.file
	if g.open() == nil {
		old.Close()
	}
}

// open opens the file, and ends a line that a dead machine has left half written.
func (g *growing) open() error {
	if err := os.MkdirAll(filepath.Dir(g.name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(g.name, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if st, err := f.Stat(); err == nil && st.Size() > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], st.Size()-1); err == nil && last[0] != '\n' {
			_, _ = f.Write([]byte{'\n'})
		}
	}
	g.file = f
	if g.opened != nil {
		g.opened(f)
	}
	return nil
}
