package instance

import (
	"errors"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// FuzzDo gives a machine whatever there may be, by callers who do not keep to what is asked of them
// as well: it never panics, a twin says the same, what is refused changes nothing, what waits has
// its limit, and orders have one answer each. Each input is nine bytes.
func FuzzDo(f *testing.F) {
	life := []byte{1, byte(graph.AddInstance), 0, 0, 0, 0, 0, 0, 0, 1, byte(graph.EnableInstance), 0, 0, 0, 0, 0, 0, 0, 1, byte(graph.Start), 0, 0, 0, 0, 0, 0, 0}
	f.Add(life)
	f.Add(append(life, 4, 0, 6, 0, 0, 0, 0, 0, 0, 5, 0, 0, 4, 2, 0, 0, 0, 0, 8, 0, 0, 4, 0, 0, 0, 0, 0))
	f.Add(append(life, 4, 0, 4, 0, 0, 0, 0, 0, 0, 1, byte(graph.RemoveInstance), 0, 0, 0, 0, 0, 0, 0))
	f.Add([]byte{3, 0, 4, 3, 1, 2, 0, 0, 0, 8, 0, 0, 2, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, twin := New("svc:/a:b"), New("svc:/a:b")
		now := epoch
		orders := 0
		for len(data) >= 9 {
			in := inputOf(data[:9])
			now = now.Add(time.Duration(int8(data[8])) * time.Second)
			data = data[9:]
			before := *m
			out, err := m.Do(in, now)
			again, err2 := twin.Do(in, now)
			if !reflect.DeepEqual(out, again) || (err == nil) != (err2 == nil) {
				t.Fatalf("%+v: %v %v, %v %v", in, out, err, again, err2)
			}
			if err != nil {
				before.now = m.now
				if len(out) != 0 || !reflect.DeepEqual(before, *m) {
					t.Fatalf("%+v is refused (%v) and changes %+v to %+v", in, err, before, *m)
				}
				if !errors.Is(err, ErrInput) && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrThere) && !errors.Is(err, ErrQueue) {
					t.Fatal(err)
				}
				continue
			}
			if in.Kind == Order && answered(in.Event) {
				orders++
			}
			if in.Kind == Order && in.Event == graph.RemoveInstance {
				orders = 0
			}
			for _, a := range out {
				if render(a) == "" {
					t.Fatalf("%+v", a)
				}
				if a.Answers {
					orders--
				}
			}
			if len(m.queue) > queueMax+3 || len(m.starts.times) > startsMax || m.state > graph.Maintenance {
				t.Fatalf("%+v", m)
			}
			if m.there && m.going == nil && m.hold == nil && orders != 0 {
				t.Fatalf("%d orders have no answer at rest", orders)
			}
		}
	})
}

// inputOf makes an input of bytes; small numbers, so that they meet.
func inputOf(b []byte) Input {
	n := func(i, most int) int { return int(b[i]) % most }
	in := Input{
		Kind: InputKind(n(0, int(Lapsed)+2)), Event: graph.Event(n(1, int(graph.Down)+2)),
		Pid: n(3, 6) - 1, Contract: contract.ID(n(4, 6)), Failure: Failure(n(2, 7)), Number: uint64(n(3, 16)),
		Status: syscall.WaitStatus(n(5, 2))*exited(int(b[6])) + syscall.WaitStatus(n(5, 3)/2)*killed(syscall.Signal(b[6]&0x7f)),
		Events: contract.Events(b[5] & 0x3f), Dump: b[7]&1 != 0, TTY: b[7]&2 != 0, Refused: b[7]&4 != 0, Lost: b[7]&8 != 0,
		For:  time.Duration(int8(b[6])) * time.Minute,
		Spec: Spec{Kind: SpecKind(n(2, 8)), Signal: syscall.Signal(n(3, 20)), Timeout: time.Duration(n(6, 3)) * time.Second, NoContract: b[7]&16 != 0, Notify: b[7]&64 != 0},
	}
	if b[7]&32 != 0 {
		in.Config = &Config{Duration: Duration(n(4, 3)), CriticalCount: n(5, 12), Backoff: b[6]&1 != 0, NoTimeoutRetry: b[6]&2 != 0}
	}
	if in.Kind == Recovered {
		in.Before = Before{State: graph.State(n(2, 8)), Next: graph.State(n(3, 8)), Child: n(4, 4)}
		for i := range n(5, 4) {
			in.Before.Contracts = append(in.Before.Contracts, Held{ID: contract.ID(n(6, 5) + i), There: b[7]&1 != 0, Transient: b[7]&2 != 0, Empty: b[7]&4 != 0})
		}
		if b[7]&8 != 0 {
			in.Before.Method = &InFlight{Pid: n(6, 6), Contract: contract.ID(n(4, 6)), Gone: b[7]&16 != 0, Began: epoch, Timeout: time.Minute, Notify: b[7]&64 != 0, Done: b[7]&128 != 0, Deadline: epoch.Add(time.Duration(b[8]) * time.Hour)}
		}
	}
	return in
}
