package fmri

import "errors"

// Errors, each wrapped with the text that it is about.
var (
	// ErrSyntax: it is not an FMRI of a scheme that is known.
	ErrSyntax = errors.New("not a well-formed FMRI")
	// ErrName: a name has a character, or a beginning, that names do not have.
	ErrName = errors.New("not a well-formed name")
	// ErrTooLong: a name, an FMRI or a pattern is over its limit.
	ErrTooLong = errors.New("too long")
	// ErrScope: the host that is named is another one.
	ErrScope = errors.New("the scope is not localhost")
	// ErrPattern: a pattern that matches nothing, since it is not well-formed.
	ErrPattern = errors.New("not a well-formed pattern")
)
