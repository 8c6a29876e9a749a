package prop

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ValueBytesMax is the most bytes of a value, as text: SCF_LIMIT_MAX_VALUE_LENGTH.
const ValueBytesMax = 4095

// Canonical checks that text is a value of t, and gives the text that is kept for it. Canonical
// of a canonical text is that text. ErrValue, ErrRange, ErrTooLong, ErrType.
func Canonical(t Type, text string) (string, error) {
	if !t.Valid() {
		return "", &valueError{t, text, ErrType}
	}
	if len(text) > ValueBytesMax {
		return "", &valueError{t, text, ErrTooLong}
	}
	canonical, err := syntaxes[t](text)
	if err == nil && len(canonical) > ValueBytesMax {
		err = ErrTooLong
	}
	if err != nil {
		return "", &valueError{t, text, err}
	}
	return canonical, nil
}

// syntaxes check and canonicalise, by type.
var syntaxes = [typeCount]func(string) (string, error){
	Boolean:      boolean,
	Count:        count,
	Integer:      integer,
	Time:         seconds,
	Opaque:       opaque,
	AString:      kept(func(s string) bool { return strings.IndexByte(s, 0) < 0 }),
	UString:      kept(text8),
	URI:          kept(func(s string) bool { return text8(s) && uri(s) }),
	FMRI:         kept(func(s string) bool { return text8(s) && isFMRI(s) }),
	Host:         kept(func(s string) bool { return hostname(s) || address(s, 4) || address(s, 6) }),
	Hostname:     kept(hostname),
	NetAddress:   kept(func(s string) bool { return address(s, 4) || address(s, 6) }),
	NetAddressV4: kept(func(s string) bool { return address(s, 4) }),
	NetAddressV6: kept(func(s string) bool { return address(s, 6) }),
}

// kept is the syntax of a type whose values stay as they are.
func kept(is func(string) bool) func(string) (string, error) {
	return func(s string) (string, error) {
		if !is(s) {
			return "", ErrValue
		}
		return s, nil
	}
}

// text8 says whether s is UTF-8 that a C program can read.
func text8(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func boolean(s string) (string, error) {
	switch s {
	case "true", "1":
		return "true", nil
	case "false", "0":
		return "false", nil
	}
	return "", ErrValue
}

func count(s string) (string, error) {
	digits, base, negative := number(s)
	if negative {
		return "", ErrRange
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return "", numberError(err)
	}
	return strconv.FormatUint(n, 10), nil
}

func integer(s string) (string, error) {
	digits, base, negative := number(s)
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil {
		return "", numberError(err)
	}
	return strconv.FormatInt(n, 10), nil
}

// number takes a text apart as strtoull(3C) does with base 0: white space, a sign, 0x for
// hexadecimal and 0 for octal. digits is nothing that strconv takes when it is no number.
func number(s string) (digits string, base int, negative bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	switch {
	case strings.HasPrefix(s, "-"):
		s, negative = s[1:], true
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	base = 10
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s != "" && (s[0] == '-' || s[0] == '+') { // strconv would take a second sign
		return "", base, false
	}
	return s, base, negative
}

func numberError(err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return ErrRange
	}
	return ErrValue
}

// nanosecondDigits of a second's fraction.
const nanosecondDigits = 9

// seconds is "sec" or "sec.fraction"; of a fraction all nine digits are kept.
func seconds(s string) (string, error) {
	whole, fraction, has := strings.Cut(s, ".")
	digits := strings.TrimPrefix(whole, "-")
	if !decimal(digits) {
		return "", ErrValue
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return "", numberError(err)
	}
	canonical := strconv.FormatInt(n, 10)
	if !has {
		return canonical, nil
	}
	switch {
	case !decimal(fraction):
		return "", ErrValue
	case len(fraction) > nanosecondDigits:
		return "", ErrRange
	}
	fraction += strings.Repeat("0", nanosecondDigits-len(fraction))
	if strings.Trim(fraction, "0") == "" {
		return canonical, nil
	}
	if n == 0 && whole[0] == '-' {
		canonical = "-0"
	}
	return canonical + "." + fraction, nil
}

func decimal(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// opaque is bytes, each two hexadecimal digits.
func opaque(s string) (string, error) {
	if len(s)%2 != 0 {
		return "", ErrValue
	}
	for i := 0; i < len(s); i++ {
		if !hexDigit(s[i]) {
			return "", ErrValue
		}
	}
	return strings.ToLower(s), nil
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
