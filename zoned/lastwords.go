package zoned

import (
	"errors"
	"sync"

	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// consoleRing is what this supervisor needs to write to the console's ring itself. The keeper alone
// does that as long as it lives; when it is dead there is no other writer, and who is at the console
// is to hear why the zone goes down.
type consoleRing struct {
	memory, data *sys.FD // duplicates of the slots' descriptors

	mu sync.Mutex // guards w; nothing blocks under it
	w  *ring.Writer
}

// newConsoleRing keeps duplicates of the ring and of the event that wakes its reader.
func newConsoleRing(memory, data *sys.FD) (*consoleRing, error) {
	m, err := memory.Dup()
	if err != nil {
		return nil, err
	}
	d, err := data.Dup()
	if err != nil {
		m.Close()
		return nil, err
	}
	return &consoleRing{memory: m, data: d}, nil
}

func (c *consoleRing) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w != nil {
		_ = c.w.Close()
	}
	c.memory.Close()
	c.data.Close()
}

// write appends for a keeper that is dead.
func (c *consoleRing) write(p []byte) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w == nil {
		if c.w, err = ring.OpenWriter(c.memory.Int()); err != nil {
			return err
		}
	}
	kick, err := c.w.Append(p)
	if kick {
		ring.Kick(c.data.Int())
	}
	return err
}

// appendConsole puts bytes between the console's output.
func (z *Zone) appendConsole(p []byte) error {
	err := z.keeper.Append(p)
	if errors.Is(err, keeper.ErrGone) && z.ring != nil {
		return z.ring.write(p)
	}
	return err
}
