package client

import "errors"

// ErrEscape: the argument of -e is not one character, ^x or \nnn.
var ErrEscape = errors.New("invalid escape character")

// How a connection ended.
var (
	errLost    = errors.New("connection lost")
	errRefused = errors.New("connection refused by the zone's supervisor")
	errOlder   = errors.New("connection refused by the zone's supervisor; one of an older version knows neither -r nor -f")
	errSilent  = errors.New("no answer from the zone's supervisor")
)
