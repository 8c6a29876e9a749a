package fmri

import (
	"strconv"
	"strings"
)

// Limits, in bytes.
const (
	// NameBytesMax is for the name of a service with all its components, of an instance, of a
	// property group and its type, of a property, of a snapshot: SCF_LIMIT_MAX_NAME_LENGTH.
	NameBytesMax = 119
	// BytesMax is for a whole FMRI; the longest that names allow has less.
	BytesMax = 1023
)

// bad wraps a sentinel with the text. Texts come from people and may hold anything.
type bad struct {
	text string
	err  error
}

func (b *bad) Error() string {
	text := b.text
	if len(text) > 80 {
		text = text[:80] + "..."
	}
	return strconv.Quote(text) + ": " + b.err.Error()
}

func (b *bad) Unwrap() error { return b.err }

// CheckService says whether a service may have the name. ErrName, ErrTooLong.
func CheckService(name string) error {
	if len(name) > NameBytesMax {
		return &bad{name, ErrTooLong}
	}
	for component := range strings.SplitSeq(name, "/") {
		if !identifier(component) {
			return &bad{name, ErrName}
		}
	}
	return nil
}

// CheckName says whether an instance, a property group, a property or a snapshot may have the
// name, and a property group the type. ErrName, ErrTooLong.
func CheckName(name string) error {
	switch {
	case len(name) > NameBytesMax:
		return &bad{name, ErrTooLong}
	case !identifier(name):
		return &bad{name, ErrName}
	}
	return nil
}

// identifier is a name with an optional provider.
func identifier(s string) bool {
	if provider, name, is := strings.Cut(s, ","); is {
		return word(provider, true) && word(name, false)
	}
	return word(s, false)
}

func word(s string, dots bool) bool {
	if s == "" || !letter(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if !letter(c) && (c < '0' || c > '9') && c != '-' && c != '_' && (c != '.' || !dots) {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
