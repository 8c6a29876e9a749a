package prop

import (
	"errors"
	"strconv"
)

// Errors.
var (
	// ErrType: there is no such type.
	ErrType = errors.New("no such type")
	// ErrValue: the text is no value of the type.
	ErrValue = errors.New("not a value of this type")
	// ErrRange: a number beyond what the type holds.
	ErrRange = errors.New("out of range")
	// ErrTooLong: more than ValueBytesMax.
	ErrTooLong = errors.New("value too long")
	// ErrQuoting: a quote or a parenthesis is not closed, or a backslash is followed by nothing.
	ErrQuoting = errors.New("quote, backslash or parenthesis without its other half")
	// ErrTooMany: a list of more than ListMax values.
	ErrTooMany = errors.New("too many values")
)

// valueError says what is wrong with a value, in one line.
type valueError struct {
	t    Type
	text string
	err  error
}

func (e *valueError) Error() string {
	text := e.text
	if len(text) > 80 {
		text = text[:80] + "..."
	}
	return e.t.String() + " " + strconv.Quote(text) + ": " + e.err.Error()
}

func (e *valueError) Unwrap() error { return e.err }
