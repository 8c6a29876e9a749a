package image

import (
	"context"
	"fmt"
)

// Progress is how far an installation or a removal has come.
type Progress struct {
	// Bytes read of an archive, or written from a directory or the host.
	Bytes int64
	// Entries made or removed.
	Entries int64
	// TotalBytes that Bytes will reach; 0 when it is not known.
	TotalBytes int64
	// Path is the name being worked on, fit for a terminal. A removal gives its last
	// component only.
	Path string
}

// meter counts, tells, and says when to stop: every loop of this package asks it.
type meter struct {
	ctx     context.Context
	lim     Limits
	tell    func(Progress)
	now     Progress
	written int64 // logical bytes of files, against Limits.BytesMax
}

func newMeter(ctx context.Context, lim Limits, tell func(Progress)) *meter {
	return &meter{ctx: ctx, lim: lim.withDefaults(), tell: tell}
}

// cancelled says why the work must end, if it must.
func (m *meter) cancelled() error {
	if m.ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("interrupted: %w", context.Cause(m.ctx))
}

// entry counts one more entry before it is made.
func (m *meter) entry(name string) error {
	if err := m.cancelled(); err != nil {
		return err
	}
	if m.now.Entries++; m.now.Entries > m.lim.EntriesMax {
		return fmt.Errorf("%w of %d", ErrTooManyEntries, m.lim.EntriesMax)
	}
	m.show(name)
	return nil
}

func (m *meter) show(name string) {
	if m.tell != nil {
		m.now.Path = sanitise(name)
		m.tell(m.now)
	}
}

// reserve counts the size of a file before the first byte of it is written, so that a
// file that declares exabytes is refused at once.
func (m *meter) reserve(size int64) error {
	if size < 0 || size > m.lim.BytesMax-m.written {
		return fmt.Errorf("%w of %d bytes", ErrTooManyBytes, m.lim.BytesMax)
	}
	m.written += size
	return nil
}

// copied tells about bytes written, for sources whose own position is not known.
func (m *meter) copied(n int64) error {
	m.now.Bytes += n
	if m.tell != nil {
		m.tell(m.now)
	}
	return m.cancelled()
}
