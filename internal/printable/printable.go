package printable

import (
	"strings"
	"unicode/utf8"
)

// cutMark ends a text that was longer than allowed.
const cutMark = "..."

// Text is s with a question mark for whatever is not plain text.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if Risky(r) {
			return '?'
		}
		return r
	}, s)
}

// Cut is Text of at most limit bytes of s, and says so when there was more.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return Text(s)
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return Text(s[:limit]) + cutMark
}

// Risky says whether a terminal may do more with a character than show it. utf8.RuneError is
// also what strings.Map gives for a byte that is not UTF-8.
func Risky(r rune) bool {
	switch {
	case r < ' ', 0x7f <= r && r < 0xa0, r == utf8.RuneError:
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f: // marks of direction
		return true
	}
	// Separators of lines and paragraphs, embeddings, overrides, isolates.
	return 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}
