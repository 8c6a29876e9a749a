package outbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/zonefile"
)

// Dir is where a zone has its outbox.
const Dir = "/etc/svc/volatile/outbox"

const (
	// ChangesMax is how many changes wait: a boot with all services has some hundred.
	ChangesMax = 1024
	// namesMax is how many names of a directory are looked at: there is nobody else who writes there
	// but root.
	namesMax = 2 * ChangesMax
	// digits of a number, so that names are in the order of numbers.
	digits = 20
	// making is the name of a file that is not whole yet.
	making = ".making"
)

// ErrFull: as many changes wait as may.
var ErrFull = errors.New("changes of states wait to be told, and there is no room for more")

// Box is an outbox as svc.startd has it.
type Box struct {
	dir  string
	last uint64
	room int // for so many more there is room without a look
}

// Open makes the directory, if there is none, and goes on behind what waits there.
func Open(dir string) (*Box, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	b := &Box{dir: dir}
	_, err := b.look()
	return b, err
}

// look counts what waits.
func (b *Box) look() (room int, err error) {
	names, err := list(b.dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		n, _ := numberOf(name)
		b.last = max(b.last, n)
	}
	b.room = max(ChangesMax-len(names), 0)
	return b.room, nil
}

// Put leaves a change. ErrFull.
func (b *Box) Put(c *Change) error {
	if b.room == 0 {
		if room, err := b.look(); err != nil || room == 0 {
			if err != nil {
				return err
			}
			return ErrFull
		}
	}
	temp := filepath.Join(b.dir, making)
	err := write(temp, c.append(nil))
	if errors.Is(err, fs.ErrNotExist) { // somebody has taken the directory away
		if err = os.Mkdir(b.dir, 0o700); err == nil {
			err = write(temp, c.append(nil))
		}
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	b.last = max(b.last+1, uint64(time.Now().UnixNano()))
	if err := os.Rename(temp, filepath.Join(b.dir, nameOf(b.last))); err != nil {
		return err
	}
	b.room--
	return nil
}

// write makes a file; what stands there, of one who was killed, goes.
func write(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func nameOf(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for len(text) < digits {
		text = "0" + text
	}
	return text
}

func numberOf(name string) (uint64, bool) {
	n, err := strconv.ParseUint(name, 10, 64)
	return n, err == nil && len(name) == digits
}

// list are the names of the changes that wait, the oldest first. Of more than there can be, some.
func list(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(namesMax)
	if errors.Is(err, io.EOF) {
		err = nil // it is empty
	}
	names = slices.DeleteFunc(names, func(name string) bool { _, is := numberOf(name); return !is })
	slices.Sort(names)
	return names, err
}

// Number tells one change of a boot from another.
type Number = string

// Take takes the oldest change that waits; not ok: none does. An error with ok names a file that was no
// change, and is gone; others are the directory's.
func Take(dir string) (c Change, number Number, ok bool, err error) {
	names, err := list(dir)
	if err != nil {
		return c, "", false, err
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		text, err := zonefile.Read(path, fileBytesMax)
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody else has it
		}
		// Whoever is the one to take it away has it. What cannot be taken away would come again and
		// again.
		switch gone := os.Remove(path); {
		case errors.Is(gone, fs.ErrNotExist):
			continue
		case gone != nil:
			if gone = os.RemoveAll(path); gone != nil { // a directory
				return c, "", false, gone
			}
		}
		if err == nil {
			c, err = parse(text)
		}
		if err != nil {
			err = &badFile{path, err}
		}
		return c, name, true, err
	}
	return c, "", false, nil
}

// badFile is one that has no change.
type badFile struct {
	path  string
	cause error
}

func (e *badFile) Error() string { return e.path + ": " + e.cause.Error() }
func (e *badFile) Unwrap() error { return e.cause }
