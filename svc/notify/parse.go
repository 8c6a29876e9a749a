package notify

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/printable"
)

const (
	// BytesMax is the longest message. Those of services have some hundred bytes.
	BytesMax = 4096
	// StatusBytesMax is what is kept of a status: a line for a person.
	StatusBytesMax = 256
	// fieldsMax bounds the lines of a message.
	fieldsMax = 64
)

// Fields are what a message says, as far as it has a meaning here.
type Fields struct {
	Ready     bool
	HasStatus bool
	Status    string        // printable; empty takes back what was said before
	Extend    time.Duration // 0: it does not ask for more time
}

// Parse reads a message: lines of NAME=VALUE. Of two of one name the last one counts. What is unknown,
// or has no effect here, or makes no sense, is passed over, as the protocol has it. false: it is no
// message.
func Parse(text string) (f Fields, ok bool) {
	if len(text) > BytesMax || strings.IndexByte(text, 0) >= 0 {
		return Fields{}, false
	}
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		if lines++; lines > fieldsMax {
			return Fields{}, false
		}
		name, value, is := strings.Cut(line, "=")
		if !is {
			continue
		}
		if name == "" {
			return Fields{}, false
		}
		ok = true
		switch name {
		case "READY":
			f.Ready = f.Ready || value == "1" // there is no way back
		case "STATUS":
			f.HasStatus, f.Status = true, printable.Cut(value, StatusBytesMax)
		case "EXTEND_TIMEOUT_USEC":
			f.Extend = microseconds(value)
		}
	}
	return f, ok
}

// microseconds is a duration; 0 when it is none.
func microseconds(value string) time.Duration {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
}
