package contract

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// ErrText: a line or a word is not of the form that the files of /system/contract have.
var ErrText = errors.New("not understood")

// eventWords are the words of a set of events, in the order of their bits on output.
var eventWords = []struct {
	bit  Events
	word string
}{
	{Core, "core"}, {Empty, "empty"}, {Exit, "exit"}, {Fork, "fork"}, {Hwerr, "hwerr"}, {Signal, "signal"},
}

var paramWords = []struct {
	bit  Params
	word string
}{
	{Inherit, "inherit"}, {NoOrphan, "noorphan"}, {PgrpOnly, "pgrponly"}, {Regent, "regent"},
}

// noWords stands for an empty set.
const noWords = "none"

// AppendEvents writes a set as words: "core empty", or "none".
func AppendEvents(dst []byte, e Events) []byte {
	from := len(dst)
	for _, w := range eventWords {
		if e&w.bit != 0 {
			dst = appendWord(dst, from, w.word)
		}
	}
	return appendWordOrNone(dst, from)
}

// AppendParams writes a set as words: "inherit regent", or "none".
func AppendParams(dst []byte, p Params) []byte {
	from := len(dst)
	for _, w := range paramWords {
		if p&w.bit != 0 {
			dst = appendWord(dst, from, w.word)
		}
	}
	return appendWordOrNone(dst, from)
}

func appendWord(dst []byte, from int, word string) []byte {
	if len(dst) > from {
		dst = append(dst, ' ')
	}
	return append(dst, word...)
}

func appendWordOrNone(dst []byte, from int) []byte {
	if len(dst) == from {
		return append(dst, noWords...)
	}
	return dst
}

func (e Events) String() string { return string(AppendEvents(nil, e)) }
func (p Params) String() string { return string(AppendParams(nil, p)) }

// ParseEvents understands words separated by commas or blanks; "none", alone, is the empty set.
func ParseEvents(s string) (Events, error) {
	words, err := splitSet(s)
	var e Events
	for _, word := range words {
		bit := Events(0)
		for _, w := range eventWords {
			if w.word == word {
				bit = w.bit
			}
		}
		if bit == 0 {
			return 0, ErrText
		}
		e |= bit
	}
	return e, err
}

// ParseParams understands words separated by commas or blanks; "none", alone, is the empty set.
func ParseParams(s string) (Params, error) {
	words, err := splitSet(s)
	var p Params
	for _, word := range words {
		bit := Params(0)
		for _, w := range paramWords {
			if w.word == word {
				bit = w.bit
			}
		}
		if bit == 0 {
			return 0, ErrText
		}
		p |= bit
	}
	return p, err
}

// splitSet gives the words of a set, none for "none". No word at all is a mistake.
func splitSet(s string) ([]string, error) {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	switch {
	case len(words) == 0:
		return nil, ErrText
	case len(words) == 1 && words[0] == noWords:
		return nil, nil
	}
	return words, nil
}

// AppendCookie writes a cookie: 0x and hexadecimal digits.
func AppendCookie(dst []byte, c uint64) []byte {
	return strconv.AppendUint(append(dst, "0x"...), c, 16)
}

// parseNumber understands decimal, 0x and a leading 0 for octal.
func parseNumber(s string) (uint64, error) {
	if strings.Contains(s, "_") || strings.HasPrefix(s, "+") {
		return 0, ErrText
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 0, ErrText
	}
	return n, nil
}

// AppendEscaped writes a string so that it is one word: bytes up to blank, 0x7f and the
// backslash as a backslash and three octal digits.
func AppendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '\\' {
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// Unescape is the string that was escaped. Bytes that AppendEscaped would have escaped may
// stand for themselves, but for the backslash.
func Unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i+3 >= len(s) {
			return "", ErrText
		}
		n, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
		if err != nil {
			return "", ErrText
		}
		out = append(out, byte(n))
		i += 3
	}
	return string(out), nil
}

// TermKey names a term of a template.
type TermKey uint8

// The terms, in the order in which they are written.
const (
	TermInformative TermKey = iota + 1
	TermCritical
	TermFatal
	TermParams
	TermCookie
	TermTransfer
	TermFMRI
	TermAux
)

var termWords = map[string]TermKey{
	"informative": TermInformative, "critical": TermCritical, "fatal": TermFatal, "params": TermParams,
	"cookie": TermCookie, "transfer": TermTransfer, "svc_fmri": TermFMRI, "svc_aux": TermAux,
}

// TermValue is a term's value: Number for sets, the cookie and a contract's id, Text for strings.
type TermValue struct {
	Number uint64
	Text   string
}

// ParseTermLine understands one line of a template, without its newline. Whether the term may
// be set to that value is the table's to say. Strings longer than their limit, events that
// can not be fatal and contract ids of more than 32 bits are ErrText, as what is misspelt.
func ParseTermLine(line string) (TermKey, TermValue, error) {
	word, rest, _ := strings.Cut(line, " ")
	key, known := termWords[word]
	if !known {
		return 0, TermValue{}, ErrText
	}
	var v TermValue
	var err error
	switch key {
	case TermFMRI:
		v.Text, err = parseString(rest, FMRIMax)
	case TermAux:
		v.Text, err = parseString(rest, AuxMax)
	case TermParams:
		var p Params
		p, err = ParseParams(rest)
		v.Number = uint64(p)
	case TermCookie, TermTransfer:
		v.Number, err = parseNumber(strings.TrimSpace(rest))
		if key == TermTransfer && v.Number > math.MaxUint32 {
			err = ErrText
		}
	default:
		var e Events
		e, err = ParseEvents(rest)
		if key == TermFatal && e&^AllFatal != 0 {
			err = ErrText
		}
		v.Number = uint64(e)
	}
	if err != nil {
		return 0, TermValue{}, err
	}
	return key, v, nil
}

func parseString(s string, maxBytes int) (string, error) {
	s, err := Unescape(s)
	if err != nil || len(s) > maxBytes {
		return "", ErrText
	}
	return s, nil
}

// ParseTerm sets the term that a line names, as a template of its own that nobody checks.
func ParseTerm(t *Terms, line string) error {
	key, v, err := ParseTermLine(line)
	if err != nil {
		return err
	}
	t.take(key, v)
	return nil
}

// AppendTerms writes a template's terms, a line each, as ParseTermLine understands them.
func AppendTerms(dst []byte, t *Terms) []byte {
	dst = append(AppendEvents(append(dst, "informative "...), t.Informative), '\n')
	dst = append(AppendEvents(append(dst, "critical "...), t.Critical), '\n')
	dst = append(AppendEvents(append(dst, "fatal "...), t.Fatal), '\n')
	dst = append(AppendParams(append(dst, "params "...), t.Params), '\n')
	dst = append(AppendCookie(append(dst, "cookie "...), t.Cookie), '\n')
	dst = append(strconv.AppendUint(append(dst, "transfer "...), uint64(t.Transfer), 10), '\n')
	dst = append(AppendEscaped(append(dst, "svc_fmri "...), t.FMRI), '\n')
	return append(AppendEscaped(append(dst, "svc_aux "...), t.Aux), '\n')
}
