package client

import (
	"context"
	"fmt"
	"os"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// Options say whose console, and how. Zone and Dial are needed.
type Options struct {
	Zone string
	// Dial connects to the console's socket, and starts the zone's supervisor when none runs.
	// It is called from another goroutine, again for each attempt to reconnect, and must return
	// within seconds. Its error is shown to the person.
	Dial func() (*sys.FD, error)

	Escape       byte // 0: DefaultEscape
	NoEscape     bool // -E
	DropWithZone bool // -d
	Quiet        bool // -Q: no banners
	History      bool // begin with the oldest output that is kept, not with the last screenful
	// Role is what is wanted: to type, to watch, or to type in the place of whoever does.
	Role wire.Role
	// Recorder takes the output instead of Stdout; nothing is read from Stdin then.
	Recorder Recorder
	Locale   string
	Program  string // for error texts; "zlogin" when empty

	// nil: the process's own.
	Stdin, Stdout, Stderr *os.File
}

// Recorder is told what happens at the console. An error ends the session.
type Recorder interface {
	Output(p []byte) error // bytes of the zone's
	Resize(w wire.Window) error
	Mark(text string) error // a word about the recording: bytes are missing
}

func (o *Options) defaults() {
	if o.Recorder != nil {
		o.Role, o.Quiet = wire.Reader, true
	}
	if o.Escape == 0 {
		o.Escape = DefaultEscape
	}
	if o.Program == "" {
		o.Program = "zlogin"
	}
	if o.Locale == "" {
		o.Locale = "C"
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
}

// Run connects to a zone's console and stays until the session ends. exit is the process's
// exit code: 0 after an escape, or when the supervisor said good-bye, or when a signal ended a
// recording; 1 when the console could not be had or was lost, which was said on Stderr, or when
// ctx ended; 128 and the number of a signal that ended it.
func Run(ctx context.Context, o Options) (exit int) {
	o.defaults()
	s, err := newSession(ctx, o)
	if err != nil {
		fmt.Fprintf(o.Stderr, "%s: zone '%s': %v\n", o.Program, o.Zone, err)
		return exitFailed
	}
	defer s.close()
	return s.run()
}
