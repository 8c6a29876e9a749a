package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/linuxzones/zones/console/cast"
	"github.com/linuxzones/zones/console/client"
	"github.com/linuxzones/zones/console/logfile"
	"github.com/linuxzones/zones/console/vt"
	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/internal/sys"
)

// logPoll is how often a log that is followed is looked at: what a person takes for at once.
const logPoll = 200 * time.Millisecond

// logChunk is how much of a log is read at once.
const logChunk = 64 << 10

// Follow says whether a log is shown to its end or as it grows.
type Follow bool

// ConsoleLog shows the zone's console log, with what a terminal would obey made harmless: it
// was written by the zone.
func (a *Admin) ConsoleLog(ctx context.Context, follow Follow) error {
	if _, err := a.Sane(ConsoleLog, Unforced); err != nil {
		return err
	}
	r, err := logfile.OpenReader(a.Layout.Log, a.Zone)
	if errors.Is(err, logfile.ErrNone) {
		return a.noLog()
	}
	if err != nil {
		return err
	}
	defer r.Close()
	plain := vt.NewPlain(printable.Risky)
	buf := make([]byte, logChunk)
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := a.Out.Write(plain.Append(nil, buf[:n])); werr != nil {
				return werr
			}
		}
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err != nil && !bool(follow):
			_, err := a.Out.Write(plain.End(nil))
			return err
		case ctx.Err() != nil:
			if follow {
				return nil
			}
			return context.Cause(ctx)
		case err == nil:
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// noLog says why there is none.
func (a *Admin) noLog() error {
	z, _, err := a.Store.Load(a.Zone)
	if err != nil {
		return err
	}
	for _, attr := range z.Attrs {
		if attr.Name == "console-log-size" && attr.Value == "0" {
			return fmt.Errorf("%w: attribute console-log-size is 0; set another size and boot the zone", logfile.ErrNone)
		}
	}
	return fmt.Errorf("%w yet: it begins with what the zone writes when it is next booted", logfile.ErrNone)
}

// ConsoleRecord watches the zone's console and records it in a file, until a signal or until
// the zone is uninstalled. A file that is there is not touched unless forced, and then not before
// there is something to record.
func (a *Admin) ConsoleRecord(ctx context.Context, name string, force Force) error {
	if _, err := a.Sane(ConsoleRecord, force); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	made := err == nil
	if bool(force) && errors.Is(err, os.ErrExist) {
		f, err = os.OpenFile(name, os.O_WRONLY, 0)
	}
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: give another name, or -f to overwrite it", name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if a.ErrTTY {
		a.Say("recording the console; ^C ends it")
	}
	r := cast.New(&recording{File: f}, "console of zone "+a.Zone)
	exit := client.Run(ctx, client.Options{
		Zone: a.Zone, Program: "zoneadm", Recorder: r,
		Dial: func() (*sys.FD, error) { return a.Console(ctx, a.Zone) },
	})
	if exit != 0 && r.Empty() {
		if made {
			_ = os.Remove(name) // it was made for nothing
		}
		return ErrSaid
	}
	if err := r.Close(); exit == 0 && err != nil {
		return err
	}
	if exit != 0 {
		return ErrSaid
	}
	return f.Close()
}

// recording takes the place of what a file had with its first byte.
type recording struct {
	*os.File
	begun bool
}

func (r *recording) Write(p []byte) (int, error) {
	if !r.begun {
		if st, err := r.Stat(); err != nil || st.Mode().IsRegular() {
			if err := r.Truncate(0); err != nil {
				return 0, err
			}
		}
		r.begun = true
	}
	return r.File.Write(p)
}
