package manifest

import (
	"errors"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/prop"
)

// Value is the canonical text of a value as documents write it; it is for properties whose type
// a profile does not say and what exists does.
//
// A count may be negative, which is the same distance from 2^64, since inetd's manifests have -1
// for no limit. A boolean is true or false, not a number.
func Value(t prop.Type, text string) (string, error) {
	switch t {
	case prop.Boolean:
		if text != "true" && text != "false" {
			return "", errors.New("neither true nor false")
		}
	case prop.Count:
		return count(text)
	case prop.Integer:
		n, err := strconv.ParseInt(trimSpace(text), 10, 64)
		if err != nil {
			return "", numberError(err)
		}
		return strconv.FormatInt(n, 10), nil
	}
	return prop.Canonical(t, text)
}

// count reads digits as strtoull(3C) does.
func count(text string) (string, error) {
	digits, negative := strings.CutPrefix(trimSpace(text), "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return "", numberError(err)
	}
	if negative {
		n = -n
	}
	return strconv.FormatUint(n, 10), nil
}

// trimSpace takes away what strtoull reads over.
func trimSpace(text string) string { return strings.TrimLeft(text, " \t\n\v\f\r") }

func numberError(err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return errors.New("out of range")
	}
	return errors.New("no decimal number")
}
