package trampoline

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// MessageBytesMax is twice the kernel's limit of one argument string (128 KiB), and
	// above what boot arguments (256 bytes) and an image's environment need.
	MessageBytesMax = 256 << 10
	// stringsMax bounds args and env each. An OCI image's environment has tens.
	stringsMax = 4096
)

// Boot is what a zone's init is to be.
type Boot struct {
	Path string   // absolute, in the zone
	Args []string // args[0] is the name
	Env  []string
}

// errMessage is what no sender of ours would send.
var errMessage = errors.New("malformed boot message")

// decode reads the one message. It knows exactly the keys of Boot, each at most once, and
// strings and lists of strings. encoding/json would be most of this program's size: it is
// the test's oracle instead.
func decode(data []byte) (Boot, error) {
	d := decoder{data: data}
	var b Boot
	seen := make(map[string]bool, 3)
	d.expect('{')
	for first := true; d.err == nil && !d.accept('}'); first = false {
		if !first {
			d.expect(',')
		}
		key := d.str()
		d.expect(':')
		if seen[key] {
			d.fail("key twice")
		}
		seen[key] = true
		switch key {
		case "path":
			b.Path = d.str()
		case "args":
			b.Args = d.list()
		case "env":
			b.Env = d.list()
		default:
			d.fail("unknown key")
		}
	}
	d.space()
	if d.err == nil && d.at != len(d.data) {
		d.fail("more than one value")
	}
	if d.err != nil {
		return Boot{}, d.err
	}
	return b, nil
}

type decoder struct {
	data []byte
	at   int
	err  error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = errors.Join(errMessage, errors.New(what+" at byte "+strconv.Itoa(d.at)))
	}
}

func (d *decoder) space() {
	for d.at < len(d.data) {
		switch d.data[d.at] {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return
		}
	}
}

// accept takes c if it is what follows.
func (d *decoder) accept(c byte) bool {
	d.space()
	if d.err == nil && d.at < len(d.data) && d.data[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *decoder) expect(c byte) {
	if !d.accept(c) {
		d.fail("no " + string(rune(c)))
	}
}

func (d *decoder) list() []string {
	var list []string
	if d.space(); bytes.HasPrefix(d.data[d.at:], []byte("null")) {
		d.at += len("null")
		return nil // how Go writes an empty list
	}
	d.expect('[')
	for d.err == nil && !d.accept(']') {
		if len(list) > 0 {
			d.expect(',')
		}
		if len(list) == stringsMax {
			d.fail("more than " + strconv.Itoa(stringsMax) + " strings")
		}
		list = append(list, d.str())
	}
	return list
}

// str reads a string. A NUL byte is refused: an argument of execve(2) cannot hold one.
func (d *decoder) str() string {
	d.expect('"')
	var out []byte
	for d.err == nil {
		if d.at == len(d.data) {
			d.fail("unfinished string")
			return ""
		}
		c := d.data[d.at]
		switch {
		case c == '"':
			d.at++
			return string(out)
		case c == '\\':
			d.at++
			out = d.escape(out)
		case c < ' ':
			d.fail("control character")
		case c < utf8.RuneSelf:
			out = append(out, c)
			d.at++
		default:
			r, size := utf8.DecodeRune(d.data[d.at:])
			if r == utf8.RuneError && size == 1 {
				d.fail("not UTF-8")
			}
			out = append(out, d.data[d.at:d.at+size]...)
			d.at += size
		}
	}
	return ""
}

// plain are the escapes of one letter.
var plain = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (d *decoder) escape(out []byte) []byte {
	if d.at == len(d.data) {
		d.fail("unfinished escape")
		return out
	}
	c := d.data[d.at]
	d.at++
	if p, ok := plain[c]; ok {
		return append(out, p)
	}
	if c != 'u' {
		d.fail("unknown escape")
		return out
	}
	r := d.hex()
	if utf16.IsSurrogate(r) {
		low := rune(utf8.RuneError)
		if d.at+1 < len(d.data) && d.data[d.at] == '\\' && d.data[d.at+1] == 'u' {
			d.at += 2
			low = d.hex()
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			d.fail("half a surrogate pair")
		}
	}
	if r == 0 {
		d.fail("NUL")
	}
	return utf8.AppendRune(out, r)
}

func (d *decoder) hex() rune {
	if d.at+4 > len(d.data) {
		d.fail("unfinished escape")
		return 0
	}
	n, err := strconv.ParseUint(string(d.data[d.at:d.at+4]), 16, 16)
	if err != nil {
		d.fail("bad escape")
		return 0
	}
	d.at += 4
	return rune(n)
}
