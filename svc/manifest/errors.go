package manifest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
)

// Limits of a document. A whole archive of a system of 400 services has some 60,000 elements
// and 4 MB.
const (
	documentBytesMax = 16 << 20
	includedBytesMax = 64 << 20  // of all documents together
	elementsMax      = 256 << 10 // with everything that is included
	depthMax         = 32        // the DTD's own depth is 12
	attributesMax    = 32        // of an element
	attributeMax     = 64 << 10  // bytes; a method script within exec is some hundred
	textMax          = 64 << 10  // bytes of a loctext
	valuesMax        = 8 << 10   // of a property
	includesMax      = 256
	includeDepthMax  = 16
	faultsMax        = 20 // reported of a document; the rest are likely their consequences
)

// Errors of a document as a whole, in the original's words.
var (
	ErrParse       = errors.New("couldn't parse document")
	ErrNoDTD       = errors.New("document has no DTD")
	ErrUnknownDTD  = errors.New("document DTD unknown; not service bundle?")
	ErrEmpty       = errors.New("document is empty")
	ErrNotBundle   = errors.New("document is not a service bundle")
	ErrNotManifest = errors.New("document is not a manifest")
	ErrNotProfile  = errors.New("document is not a profile")
	ErrNotArchive  = errors.New("document is not an archive")
)

// Errors of one place of a document.
var (
	ErrInvalid  = errors.New("document is not valid")
	ErrEncoding = errors.New("encoding is not supported")
	ErrEntity   = errors.New("declarations of entities are not allowed")
	ErrLimit    = errors.New("limit exceeded")
	ErrInclude  = errors.New("couldn't handle XInclude statements in document")
)

// Errors of the events of which people are told, in the original's words.
var (
	ErrEvent       = errors.New("is no event")
	ErrMixedEvents = errors.New("can't mix SMF and FMA event definitions")
)

// eventError says what is no event.
type eventError struct{ text string }

func (e *eventError) Error() string { return quote(e.text) + " " + ErrEvent.Error() }
func (e *eventError) Unwrap() error { return ErrEvent }

// ErrUnexportable means that XML cannot hold a name or a value.
var ErrUnexportable = errors.New("XML cannot hold it")

// Error says what is wrong in one place of a document.
type Error struct {
	Position
	Element string // empty for what is no element's
	Err     error  // one of the above
	What    string // more of it; may be empty
}

// Position is where something stands.
type Position struct {
	File string
	Line int
}

func (p Position) String() string {
	return fmt.Sprintf("%s, line %d", printable.Cut(p.File, 200), p.Line)
}

// Error is one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Position.String())
	if e.Element != "" {
		b.WriteString(": <" + printable.Cut(e.Element, 40) + ">")
	}
	switch {
	case e.What == "":
		b.WriteString(": " + e.Err.Error())
	case e.Err == ErrInvalid: // what is not valid says enough
		b.WriteString(": " + e.What)
	default:
		b.WriteString(": " + e.Err.Error() + ": " + e.What)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Errors are what is wrong with a document, in its order.
type Errors struct {
	List []*Error
	More int // that are not in List
}

// Error is a line for each.
func (e *Errors) Error() string {
	lines := make([]string, 0, len(e.List)+1)
	for _, one := range e.List {
		lines = append(lines, one.Error())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d errors more", e.More))
	}
	return strings.Join(lines, "\n")
}

func (e *Errors) Unwrap() []error {
	list := make([]error, len(e.List))
	for i, one := range e.List {
		list[i] = one
	}
	return list
}

// faults collects what is wrong.
type faults struct {
	errors   Errors
	warnings []*Error
}

func (f *faults) add(e *Error) {
	if len(f.errors.List) < faultsMax {
		f.errors.List = append(f.errors.List, e)
	} else {
		f.errors.More++
	}
}

func (f *faults) warn(e *Error) {
	if len(f.warnings) < faultsMax {
		f.warnings = append(f.warnings, e)
	}
}

// invalid adds that a node is not as it should be.
func (f *faults) invalid(n *node, format string, args ...any) {
	f.add(n.fault(ErrInvalid, format, args...))
}

func (f *faults) err() error {
	if len(f.errors.List) == 0 {
		return nil
	}
	return &f.errors
}

// quote is a text of a document within a message.
func quote(s string) string { return `"` + printable.Cut(s, 80) + `"` }
