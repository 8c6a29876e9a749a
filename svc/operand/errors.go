package operand

import (
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
)

// NoMatchError: there is nothing that the operand stands for.
type NoMatchError struct {
	Text  string
	Among Among
}

func (e *NoMatchError) Error() string {
	return "Pattern '" + e.Text + "' doesn't match any " + e.Among.String()
}

// TooLongError: nothing has so long a name.
type TooLongError struct{ Text string }

func (e *TooLongError) Error() string {
	return "Argument '" + e.Text[:min(len(e.Text), fmri.BytesMax)] + "' is too long, ignoring"
}

// AmbiguousError: the operand stands for several, where one is wanted. Its text has a line for
// each.
type AmbiguousError struct {
	Text    string
	Matches []Match
}

func (e *AmbiguousError) Error() string {
	var b strings.Builder
	b.WriteString("Pattern '" + e.Text + "' matches multiple instances:")
	for _, m := range e.Matches {
		b.WriteString("\n    " + m.String())
	}
	return b.String()
}
