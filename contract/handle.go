package contract

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Contract is one process contract. It holds no descriptor.
type Contract struct {
	ID ID
	fs *FS
}

func (c *Contract) name() string { return "contract " + strconv.FormatUint(uint64(c.ID), 10) }

// Status is the contract's. ENOENT: there is none of this number, or not any more.
func (c *Contract) Status() (Status, error) { return c.fs.status(file(c.ID, "status")) }

// Events is the contract's own queue, from here on; Reset goes back to the oldest event that
// is kept. EACCES: the caller is neither owner nor author nor privileged.
func (c *Contract) Events() (*Reader, error) { return c.fs.reader(file(c.ID, "events")) }

// Ack acknowledges a critical event. ESRCH: it is none, or acknowledged already.
func (c *Contract) Ack(ev EventID) error { return c.control("acknowledge", "ack", uint64(ev)) }

// Abandon ends the ownership: the contract is an orphan, or dead when it is empty; its members
// are killed when its terms say noorphan.
func (c *Contract) Abandon() error { return c.control("abandon", "abandon", 0) }

// Adopt makes the caller the owner of a contract that its own contract has inherited. EBUSY:
// another one was faster; EINVAL: it is not inherited; EACCES: by another regent.
func (c *Contract) Adopt() error { return c.control("adopt", "adopt", 0) }

// control writes one word to the ctl file of all contracts, or to this one's; n follows when it is
// not 0.
func (c *Contract) control(op, word string, n uint64) error {
	what := c.name()
	text := []byte(word)
	if n != 0 {
		text = strconv.AppendUint(append(text, ' '), n, 10)
		what = "event " + strconv.FormatUint(n, 10) + " of " + what
	}
	if all := c.fs.control(); all != nil {
		text = append(append(strconv.AppendUint(nil, uint64(c.ID), 10), ' '), text...)
		if _, err := all.Write(append(text, '\n')); err != nil {
			return &sys.Error{Op: op, What: what, Errno: errnoOf(err)}
		}
		return nil
	}
	fd, err := c.fs.open(file(c.ID, "ctl"), unix.O_WRONLY)
	if err != nil {
		return &sys.Error{Op: op, What: c.name(), Errno: errnoOf(err)}
	}
	defer fd.Close()
	err = sys.Retry(func() (e error) { _, e = unix.Write(fd.Int(), append(text, '\n')); return })
	if err != nil {
		return &sys.Error{Op: op, What: what, Errno: err}
	}
	return nil
}

// errnoOf is what is in an error of this package, or of a file.
func errnoOf(err error) error {
	switch e := err.(type) {
	case *sys.Error:
		return e.Errno
	case *os.PathError:
		return e.Err
	}
	return err
}
