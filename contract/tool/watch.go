package tool

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

const watchUsage = `usage: ctwatch [-frvZ] [-o json] [-z zone[,zone...]] [process | ctid ...]
`

// watchOrder is what ctwatch was told to show.
type watchOrder struct {
	Watch
	verbose  bool // -v
	zoneName bool // -Z
	json     bool // -o json
	zones    zones
	all      bool          // all contracts
	ids      []contract.ID // else these
}

func parseWatch(args []string) (o watchOrder, problem string) {
	options, operands, problem := parseOptions(args, "fo:rvz:Z")
	if problem != "" {
		return o, problem
	}
	for _, opt := range options {
		switch opt.letter {
		case 'f':
			o.Front = true
		case 'r':
			o.Reliable = true
		case 'v':
			o.verbose = true
		case 'Z':
			o.zoneName = true
		case 'o':
			if o.json = opt.arg == "json"; !o.json {
				return o, "-o knows json, not " + printable.Text(opt.arg)
			}
		case 'z':
			if o.zones = append(o.zones, splitList(opt.arg)...); len(o.zones) == 0 {
				return o, "-z wants names of zones"
			}
		}
	}
	o.all = len(operands) == 0
	for _, word := range operands {
		id, ok := parseID(word)
		switch {
		case word == typeProcess:
			o.all = true
		case !ok:
			return o, "neither a type nor a number of a contract: " + printable.Text(word)
		default:
			o.ids = append(o.ids, id)
		}
	}
	if o.all {
		o.ids = nil // they are among all
	}
	return o, ""
}

// watched is one stream, and where it is from.
type watched struct {
	Stream
	source Source
	zone   string
}

// seen is what a stream gave.
type seen struct {
	from  *watched
	event contract.Event
	err   error
}

func (env *Env) ctwatch(args []string) int {
	o, problem := parseWatch(args)
	if problem != "" {
		env.complain("ctwatch", problem, watchUsage)
		return exitUsage
	}
	list, done, ok := env.sources("ctwatch", env.open, o.zones)
	defer done()
	streams, opened := env.openAll(&o, list)
	if len(streams) == 0 {
		if ok && opened {
			env.say("ctwatch", "there is nothing to watch")
		}
		return exitError
	}
	if !o.json {
		if env.print(appendEventHeader(nil, o.zoneName)) != nil {
			return exitError
		}
	}
	if !env.follow(&o, streams) || !ok || !opened {
		return exitError
	}
	return 0
}

// openAll opens what is to be watched; ok is false when something of it could not be.
func (env *Env) openAll(o *watchOrder, list []Source) (streams []*watched, ok bool) {
	ok = true
	ids := o.ids
	if o.all {
		ids = []contract.ID{0}
	}
	for _, id := range ids {
		found := false
		for _, s := range list {
			stream, err := s.Open(id, o.Watch)
			if errors.Is(err, fs.ErrNotExist) && id != 0 {
				continue
			}
			found = true
			if err != nil {
				env.say("ctwatch", inZone(s, err))
				ok = false
				continue
			}
			w := &watched{Stream: stream, source: s}
			if o.zoneName || o.json {
				w.zone = s.Zone()
			}
			streams = append(streams, w)
		}
		if !found {
			if id != 0 {
				env.say("ctwatch", "contract "+formatID(id)+": no such contract")
			}
			ok = ok && id == 0
		}
	}
	return streams, ok
}

// Events wait for their turn to be shown, and are written together when several do.
const (
	readAhead = 64
	textBytes = 16 << 10
)

// follow prints events until no stream is left; false when one ended otherwise than at its
// end. It ends with the program, which a signal ends.
func (env *Env) follow(o *watchOrder, streams []*watched) (ok bool) {
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	ch := make(chan seen, readAhead)
	for _, w := range streams {
		group.Go(func() { w.forward(ctx, ch) })
	}
	ok = true
	var text []byte
	for left := len(streams); left > 0; {
		s := <-ch
		if s.err == nil {
			text = o.render(text, &s)
		}
		if len(text) > 0 && (len(ch) == 0 || s.err != nil || len(text) > textBytes) {
			if err := env.print(text); err != nil {
				return false
			}
			text = text[:0]
		}
		switch {
		case s.err == nil:
			continue
		case !errors.Is(s.err, io.EOF):
			env.say("ctwatch", inZone(s.from.source, s.err))
			ok = false
		}
		s.from.Close()
		left--
	}
	return ok
}

// forward hands on what a stream gives, its end included.
func (w *watched) forward(ctx context.Context, ch chan<- seen) {
	for {
		e, err := w.Next(ctx)
		select {
		case ch <- seen{w, e, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// render appends an event as it is shown.
func (o *watchOrder) render(b []byte, s *seen) []byte {
	if o.json {
		return append(s.event.AppendJSON(b, s.from.zone), '\n')
	}
	var zone *string
	if o.zoneName {
		zone = &s.from.zone
	}
	b = appendEvent(b, &s.event, zone)
	if o.verbose {
		b = appendEventDetails(b, &s.event)
	}
	return b
}

// print writes for ctwatch. Who reads may be gone: that is no mistake of ours to talk about.
func (env *Env) print(b []byte) error {
	_, err := env.Out.Write(b)
	if err != nil && !errors.Is(err, os.ErrClosed) {
		env.say("ctwatch", "write: "+errnoText(err))
	}
	return err
}
