package zoned

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/zoned/api"
)

// frames reads replies until the end of the stream.
func frames(t *testing.T, f *os.File) <-chan []api.Reply {
	t.Helper()
	ch := make(chan []api.Reply, 1)
	go func() {
		var all []api.Reply
		for {
			p, err := wire.Read(f, api.ReplyBytesMax)
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				ch <- all
				return
			}
			var r api.Reply
			if err := json.Unmarshal(p, &r); err != nil {
				t.Error(err)
			}
			all = append(all, r)
		}
	}()
	return ch
}

func writer(t *testing.T) (*lineWriter, <-chan []api.Reply, func()) {
	t.Helper()
	client, server := pipeDoor(t)
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got := frames(t, client)
	return &lineWriter{f: server, raw: raw}, got, func() { server.Close() }
}

// TestLines: a line of any length arrives whole, in frames that fit.
func TestLines(t *testing.T) {
	w, got, done := writer(t)
	lines := [][]byte{[]byte("x"), nil, bytes.Repeat([]byte{'a'}, api.LinePartMax), bytes.Repeat([]byte{'b'}, api.LinePartMax+1), bytes.Repeat([]byte{0xff}, 5*api.LinePartMax-1)}
	for i, l := range lines {
		if err := w.line(l, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	done()
	var whole [][]byte
	var line []byte
	for _, r := range <-got {
		if r.Type != api.ReplyLine || len(r.Line) > api.LinePartMax {
			t.Errorf("frame of type %s with %d bytes", r.Type, len(r.Line))
		}
		line = append(line, r.Line...)
		if r.More {
			if r.Mark != 0 {
				t.Error("the mark came before the line's end")
			}
			continue
		}
		if r.Mark != uint64(len(whole)) {
			t.Errorf("line %d has mark %d", len(whole), r.Mark)
		}
		whole, line = append(whole, line), nil
	}
	if len(whole) != len(lines) {
		t.Fatalf("%d lines, want %d", len(whole), len(lines))
	}
	for i := range lines {
		if !bytes.Equal(whole[i], lines[i]) {
			t.Errorf("line %d has %d bytes, want %d", i, len(whole[i]), len(lines[i]))
		}
	}
}

// TestEventsAfter: who was cut off gets what came after, and word of losses always.
func TestEventsAfter(t *testing.T) {
	w, got, done := writer(t)
	for _, l := range []string{"7 3 crit noack process empty", "7 4 info noack process exit", "0 0 info noack process lost count=5", "8 5 info noack process fork", "junk"} {
		if err := w.event([]byte(l), 4); err != nil {
			t.Fatal(err)
		}
	}
	done()
	var all []string
	for _, r := range <-got {
		all = append(all, string(r.Line))
	}
	if want := "0 0 info noack process lost count=5|8 5 info noack process fork|junk"; strings.Join(all, "|") != want {
		t.Errorf("%q, want %q", strings.Join(all, "|"), want)
	}
}

// TestLookWithoutContracts: who asks a zone that has none is told so, and the supervisor's owner
// is not asked.
func TestLookWithoutContracts(t *testing.T) {
	z := &Zone{name: "a"}
	z.audit = newAudit(layout.At(t.TempDir()), "a", func(error) {})
	for verb := range looks {
		if callers[verb] != hostRoot {
			t.Errorf("%s may be called by others", verb)
		}
		client, server := pipeDoor(t)
		raw, err := server.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		got := frames(t, client)
		z.look(server, raw, newRequest(api.Request{ID: goodID, Verb: verb}, sys.Peer{}))
		server.Close()
		all := <-got
		if len(all) != 2 || all[0].Key != keyContractsNone || all[1].Type != api.ReplyResult || all[1].Rval != -1 {
			t.Errorf("%s: %+v", verb, all)
		}
	}
}

// TestUntilLeft: a caller that hangs up, or says something more, ends its stream.
func TestUntilLeft(t *testing.T) {
	for name, leave := range map[string]func(client *os.File){
		"hangs up": func(client *os.File) { client.Close() },
		"speaks":   func(client *os.File) { _, _ = client.Write([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			z := &Zone{}
			client, server := pipeDoor(t)
			_ = server.SetReadDeadline(time.Now().Add(-time.Second)) // of the request
			left := make(chan struct{})
			z.untilLeft(server, func() { close(left) })
			select {
			case <-left:
				t.Error("it left by itself")
			case <-time.After(50 * time.Millisecond):
			}
			leave(client)
			<-left
			z.group.Wait()
		})
	}
}
