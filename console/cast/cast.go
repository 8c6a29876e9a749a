package cast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linuxzones/zones/console/wire"
)

// Sizes of a terminal that nobody told one.
const (
	colsUsual = 80
	rowsUsual = 24
)

// File is where a recording goes; *os.File is one.
type File interface {
	io.Writer
	Truncate(size int64) error
}

// Recorder writes a recording.
type Recorder struct {
	f       File
	title   string
	begin   time.Time
	now     func() time.Time
	last    time.Duration
	size    wire.Window
	begun   bool // the header is written
	pending []byte
	written int64
	failed  error
}

// New makes a recording that begins now.
func New(f File, title string) *Recorder {
	return &Recorder{f: f, title: title, begin: time.Now(), now: time.Now}
}

// Empty says whether nothing was recorded.
func (r *Recorder) Empty() bool { return !r.begun }

// Output records bytes of the zone's.
func (r *Recorder) Output(p []byte) error {
	r.pending = append(r.pending, p...)
	whole := len(r.pending) - unfinished(r.pending)
	if whole == 0 {
		return nil
	}
	text := strings.ToValidUTF8(string(r.pending[:whole]), "\ufffd")
	r.pending = append(r.pending[:0], r.pending[whole:]...)
	return r.event("o", text)
}

// unfinished is how many bytes at the end may be the beginning of a character.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		c := p[len(p)-n]
		if !utf8.RuneStart(c) {
			continue
		}
		if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-n:]) {
			return n
		}
		break
	}
	return 0
}

// Resize records the size of the terminal.
func (r *Recorder) Resize(w wire.Window) error {
	if !w.Known() || w == r.size {
		return nil
	}
	r.size = w
	if !r.begun {
		return nil // it is in the header
	}
	return r.event("r", fmt.Sprintf("%dx%d", w.Cols, w.Rows))
}

// Mark records a word about the recording itself.
func (r *Recorder) Mark(text string) error {
	return r.event("m", strings.Trim(strings.ToValidUTF8(text, "\ufffd"), "\r\n[]"))
}

// Close records what is left. It does not close the file.
func (r *Recorder) Close() error {
	if len(r.pending) > 0 {
		text := strings.ToValidUTF8(string(r.pending), "\ufffd")
		r.pending = nil
		return r.event("o", text)
	}
	return r.header()
}

func (r *Recorder) header() error {
	if r.begun {
		return r.failed
	}
	r.begun = true
	w := r.size
	if !w.Known() {
		w = wire.Window{Cols: colsUsual, Rows: rowsUsual}
		r.size = w
	}
	return r.line(struct {
		Version   int    `json:"version"`
		Width     uint16 `json:"width"`
		Height    uint16 `json:"height"`
		Timestamp int64  `json:"timestamp"`
		Title     string `json:"title"`
	}{2, w.Cols, w.Rows, r.begin.Unix(), r.title})
}

// seconds is a time as it is written.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.6f", time.Duration(s).Seconds()), nil
}

func (r *Recorder) event(kind, data string) error {
	if err := r.header(); err != nil {
		return err
	}
	r.last = max(r.last, r.now().Sub(r.begin))
	return r.line([3]any{seconds(r.last), kind, data})
}

// line writes one line, or nothing of it.
func (r *Recorder) line(v any) error {
	if r.failed != nil {
		return r.failed
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	n, err := r.f.Write(b.Bytes())
	if err == nil {
		r.written += int64(n)
		return nil
	}
	r.failed = err
	_ = r.f.Truncate(r.written) // of a pipe it cannot be cut
	return err
}
