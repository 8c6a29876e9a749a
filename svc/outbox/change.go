package outbox

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/printable"
)

// version is the first line of a file.
const version = "change 1"

const (
	// fileBytesMax is more than a change can have.
	fileBytesMax = 16 << 10
	// textBytesMax bounds one text: an FMRI has 1023 bytes.
	textBytesMax = 2048
)

// ErrVersion: a file has no change that this version knows.
var ErrVersion = errors.New("it is no change of a state, or one of another version")

// Change is that an instance has come from one state into another.
type Change struct {
	FMRI     string
	From, To string // words of smf(7)
	At       time.Time
	Reason   string // auxiliary_state: a token
	Detail   string // auxiliary_detail: who caused it
	By       string // auxiliary_fmri: the service that asked for it
	// All: it was told because all changes are, options/info_events_all.
	All bool
}

// append is the text of a change: a key, a space, and the rest of the line.
func (c *Change) append(b []byte) []byte {
	b = append(b, version+"\n"...)
	for _, f := range []struct{ key, value string }{
		{"fmri", c.FMRI}, {"from", c.From}, {"to", c.To}, {"at", strconv.FormatInt(c.At.UnixNano(), 10)},
		{"reason", c.Reason}, {"detail", c.Detail}, {"by", c.By},
	} {
		if f.value != "" {
			b = append(b, f.key+" "+printable.Cut(f.value, textBytesMax)+"\n"...)
		}
	}
	if c.All {
		b = append(b, "all\n"...)
	}
	return b
}

// parse reads a change. Lines that it does not know are a later version's, and are none of its business.
func parse(text []byte) (c Change, err error) {
	first, rest, _ := strings.Cut(string(text), "\n")
	if first != version {
		return c, ErrVersion
	}
	for line := range strings.SplitSeq(rest, "\n") {
		key, value, _ := strings.Cut(line, " ")
		value = printable.Cut(value, textBytesMax)
		switch key {
		case "fmri":
			c.FMRI = value
		case "from":
			c.From = value
		case "to":
			c.To = value
		case "at":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return c, ErrVersion
			}
			c.At = time.Unix(0, n)
		case "reason":
			c.Reason = value
		case "detail":
			c.Detail = value
		case "by":
			c.By = value
		case "all":
			c.All = true
		}
	}
	if c.FMRI == "" || c.From == "" || c.To == "" || c.At.IsZero() {
		return c, ErrVersion
	}
	return c, nil
}
