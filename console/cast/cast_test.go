package cast

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// memory is a file that takes only so much.
type memory struct {
	bytes.Buffer
	limit int
}

func (m *memory) Write(p []byte) (int, error) {
	if m.limit > 0 && m.Len()+len(p) > m.limit {
		n, _ := m.Buffer.Write(p[:m.limit-m.Len()])
		return n, unix.ENOSPC
	}
	return m.Buffer.Write(p)
}

func (m *memory) Truncate(n int64) error { m.Buffer.Truncate(int(n)); return nil }

type recorded struct {
	at         float64
	kind, data string
}

// parse reads a recording as a player does, and insists on what the format wants.
func parse(t testing.TB, b []byte) (head map[string]any, events []recorded) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	if !bytes.HasSuffix(b, []byte("\n")) || !utf8.Valid(b) {
		t.Fatalf("not lines of UTF-8: %q", b)
	}
	last := 0.0
	for s.Scan() {
		if head == nil {
			if err := json.Unmarshal(s.Bytes(), &head); err != nil || head["version"] != 2.0 || head["width"].(float64) < 1 || head["height"].(float64) < 1 {
				t.Fatalf("header %q: %v", s.Text(), err)
			}
			continue
		}
		var e []any
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || len(e) != 3 {
			t.Fatalf("event %q: %v", s.Text(), err)
		}
		r := recorded{e[0].(float64), e[1].(string), e[2].(string)}
		if r.at < last || !strings.Contains("orm", r.kind) {
			t.Fatalf("%+v after %v", r, last)
		}
		last = r.at
		events = append(events, r)
	}
	return head, events
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecording(t *testing.T) {
	var m memory
	r := New(&m, "console of zone web")
	clock := r.begin
	r.now = func() time.Time { return clock }
	must(t, r.Resize(wire.Window{Cols: 132, Rows: 50}))
	clock = clock.Add(1500 * time.Millisecond)
	must(t, r.Output([]byte("a<b>&\"\\\x1b[31m\r\n\x00\u2028")))
	clock = clock.Add(-time.Hour) // a clock that goes back
	must(t, r.Output([]byte("later")))
	must(t, r.Resize(wire.Window{Cols: 132, Rows: 50})) // the same
	must(t, r.Resize(wire.Window{}))
	must(t, r.Resize(wire.Window{Cols: 80, Rows: 24}))
	must(t, r.Mark(wire.LostText(500)))
	must(t, r.Close())
	head, events := parse(t, m.Bytes())
	if head["width"] != 132.0 || head["height"] != 50.0 || head["title"] != "console of zone web" || head["timestamp"] == 0.0 {
		t.Errorf("%v", head)
	}
	want := []recorded{
		{1.5, "o", "a<b>&\"\\\x1b[31m\r\n\x00\u2028"}, {1.5, "o", "later"}, {1.5, "r", "80x24"},
		{1.5, "m", "NOTICE: 500 bytes of console output lost"},
	}
	if len(events) != len(want) {
		t.Fatalf("%v", events)
	}
	for i := range want {
		if events[i] != want[i] {
			t.Errorf("%+v, want %+v", events[i], want[i])
		}
	}
}

// A character is in one event, however its bytes come; what is none is a mark.
func TestUTF8InPieces(t *testing.T) {
	for in, want := range map[string]string{
		"日本é😀x":        "日本é😀x",
		"a\xffb\xc3(":  "a\ufffdb\ufffd(",
		"\xe6\x97":     "\ufffd",
		"\xf0\x9f\x98": "\ufffd",
		"\x80\x80x":    "\ufffdx",
		"\xc3":         "\ufffd",
	} {
		for n := 1; n <= len(in); n++ {
			var m memory
			r := New(&m, "")
			for b := []byte(in); len(b) > 0; b = b[min(n, len(b)):] {
				must(t, r.Output(b[:min(n, len(b))]))
			}
			must(t, r.Close())
			_, events := parse(t, m.Bytes())
			got := ""
			for _, e := range events {
				got += e.data
			}
			// Pieces of what is no character may be marks of their own.
			for strings.Contains(got, "\ufffd\ufffd") {
				got = strings.ReplaceAll(got, "\ufffd\ufffd", "\ufffd")
			}
			if got != want {
				t.Errorf("%q by %d: %q, want %q", in, n, got, want)
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	var m memory
	r := New(&m, "")
	if !r.Empty() {
		t.Error("not empty at its beginning")
	}
	must(t, r.Close())
	if head, events := parse(t, m.Bytes()); head["width"] != 80.0 || len(events) != 0 {
		t.Errorf("%v %v", head, events)
	}
}

// A disk that is full leaves whole lines.
func TestFullDisk(t *testing.T) {
	m := memory{limit: 500}
	r := New(&m, "")
	var err error
	for range 100 {
		if err = r.Output([]byte("some output\r\n")); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.ENOSPC) || !errors.Is(r.Output([]byte("more")), unix.ENOSPC) || !errors.Is(r.Close(), unix.ENOSPC) {
		t.Fatal(err)
	}
	if _, events := parse(t, m.Bytes()); len(events) < 5 {
		t.Errorf("%d events", len(events))
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "cast"))
	must(t, err)
	defer f.Close()
	r = New(f, "a file is one")
	must(t, r.Output([]byte("x")))
	must(t, r.Close())
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\xff日\x1b"), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = max(1, min(n, 50))
		var m memory
		r := New(&m, "")
		for p := b; len(p) > 0; p = p[min(n, len(p)):] {
			must(t, r.Output(p[:min(n, len(p))]))
		}
		must(t, r.Close())
		_, events := parse(t, m.Bytes())
		all := ""
		for _, e := range events {
			all += e.data
		}
		if utf8.Valid(b) && all != string(b) {
			t.Fatalf("%q recorded as %q", b, all)
		}
	})
}
