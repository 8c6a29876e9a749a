package zoned

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/server"
	"github.com/linuxzones/zones/zoned/api"
)

// lookersMax is how many callers may look at contracts at once. A stream of events has a
// connection and a reader in the contracts' server for as long as it lasts.
const lookersMax = 64

// looks are the verbs that look at contracts and change nothing. They are answered beside the
// owner, by the goroutine of their connection, and what they are answered is not remembered:
// who was cut off asks anew.
var looks = map[api.Verb]func(context.Context, *contracts, *request, *lineWriter) error{
	api.VerbContracts:      lookStatuses,
	api.VerbContractEvents: lookEvents,
}

// look answers one of them.
func (z *Zone) look(f *os.File, raw rawConn, r *request) {
	rval := 0
	if m := z.looked(f, raw, r); m != nil {
		rval = -1
		_ = writeReply(f, raw, reply{Reply: *m})
	}
	z.audit.ended(r, rval, "")
	_ = f.SetWriteDeadline(time.Now().Add(replyLimit))
	_ = writeReply(f, raw, reply{Reply: api.Reply{Type: api.ReplyResult, Rval: rval}})
}

// looked gives the message why not, if so.
func (z *Zone) looked(f *os.File, raw rawConn, r *request) *api.Reply {
	refused := func(key string, args ...string) *api.Reply {
		m := message(api.LevelError, key, args...)
		return &m
	}
	c := z.contracts.Load()
	if c == nil {
		return refused(keyContractsNone)
	}
	if z.lookers.Add(1) > lookersMax {
		z.lookers.Add(-1)
		return refused(keyContractsBusy, strconv.Itoa(lookersMax))
	}
	defer z.lookers.Add(-1)
	ctx, cancel := context.WithCancel(z.ctx)
	defer cancel()
	z.untilLeft(f, cancel)
	err := looks[r.Verb](ctx, c, r, &lineWriter{f: f, raw: raw})
	// The zone's end, the caller's and the supervisor's are ends like any other.
	if err == nil || errors.Is(err, server.ErrStopped) || ctx.Err() != nil {
		return nil
	}
	return refused(keyContractsFailed, err.Error())
}

// untilLeft calls left when the caller hangs up. It has nothing more to say: whatever it sends
// is an end as well.
func (z *Zone) untilLeft(f *os.File, left func()) {
	_ = f.SetReadDeadline(time.Time{})
	z.start(func() {
		_, _ = f.Read(make([]byte, 1)) // ends at the latest with the connection
		left()
	})
}

// lineWriter sends lines of data.
type lineWriter struct {
	f   *os.File
	raw rawConn
}

// line sends a line; mark is where a caller that is cut off goes on.
func (w *lineWriter) line(p []byte, mark uint64) error {
	for more := true; more; {
		n := min(len(p), api.LinePartMax)
		more = n < len(p)
		r := api.Reply{Type: api.ReplyLine, Line: p[:n], More: more}
		if p = p[n:]; !more {
			r.Mark = mark
		}
		_ = w.f.SetWriteDeadline(time.Now().Add(replyLimit))
		if err := writeReply(w.f, w.raw, reply{Reply: r}); err != nil {
			return err
		}
	}
	return nil
}

// lookStatuses answers VerbContracts.
func lookStatuses(_ context.Context, c *contracts, _ *request, w *lineWriter) error {
	all, err := c.Statuses()
	if err != nil {
		return err
	}
	for i := range all {
		p, err := json.Marshal(&all[i])
		if err != nil {
			return err
		}
		if err := w.line(p, 0); err != nil {
			return err
		}
	}
	return nil
}

// eventBytes is how much of events is taken at once. What the caller does not take meanwhile
// stays in the contracts' queues, which drop what is not critical and count it.
const eventBytes = 32 << 10

// lookEvents answers VerbContractEvents.
func lookEvents(ctx context.Context, c *contracts, r *request, w *lineWriter) error {
	reader, err := c.Watch(server.Watching{FromOldest: r.Front || r.After > 0, Reliable: r.Reliable})
	if err != nil {
		return err
	}
	defer reader.Close()
	if r.After > 0 {
		// Who was cut off gets what was kept; whether there was more nobody knows.
		gap := contract.Event{Kind: contract.Lost, Time: time.Now()}
		if err := w.event(bytes.TrimSuffix(contract.AppendEvent(nil, &gap, true), []byte{'\n'}), r.After); err != nil {
			return err
		}
	}
	buf := make([]byte, eventBytes)
	for {
		n, err := reader.Read(ctx, buf)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(buf[:n]) {
			line = bytes.TrimSuffix(line, []byte{'\n'})
			if err := w.event(line, r.After); err != nil {
				return err
			}
		}
	}
}

// event sends an event's line unless its number is none beyond after. One without a number, of
// losses, is always sent.
func (w *lineWriter) event(line []byte, after uint64) error {
	fields := bytes.SplitN(line, []byte{' '}, 3)
	var mark uint64
	if len(fields) == 3 {
		mark, _ = strconv.ParseUint(string(fields[1]), 10, 64)
	}
	if mark != 0 && mark <= after {
		return nil
	}
	return w.line(line, mark)
}
