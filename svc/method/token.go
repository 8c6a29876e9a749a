package method

import (
	"errors"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// restarterName is %r.
const restarterName = "svc.startd"

// application is the group of a property that is named alone.
const application = "application"

// meta are the characters that are escaped in the value of a property.
const meta = ";&()|^<>\n \t\\\"'`"

// What is wrong with a token.
var (
	errParse   = errors.New("parse error")
	errToken   = errors.New("unknown method token")
	errTooLong = errors.New("it would be longer than a command can be")
)

// expand replaces the tokens of a command: those of smf_method(5). A '%' at the end is dropped.
func (i *Instance) expand(command, method string) (string, error) {
	if strings.IndexByte(command, '%') < 0 {
		return command, nil
	}
	var b []byte
	for rest := command; ; {
		text, after, found := strings.Cut(rest, "%")
		b = append(b, text...)
		if !found || after == "" {
			break
		}
		var err error
		if b, rest, err = i.token(b, after, method); err == nil && len(b) > CommandBytesMax {
			err = errTooLong
		}
		if err != nil {
			return "", &Error{Code: ExitConfig, kind: ErrTokens, why: err,
				Text: "Could not expand method tokens in " + quoted(command) + ": " + printable.Cut(err.Error(), textBytesMax) + "."}
		}
	}
	return string(b), nil
}

// token adds to b what the token at the beginning of text stands for, and gives what follows it.
func (i *Instance) token(b []byte, text, method string) (_ []byte, rest string, err error) {
	switch text[0] {
	case '%':
		b = append(b, '%')
	case 'r':
		b = append(b, restarterName...)
	case 'm':
		b = append(b, method...)
	case 's':
		b = append(b, i.Service...)
	case 'i':
		b = append(b, i.Instance...)
	case 'f':
		b = append(b, i.FMRI()...)
	case '{':
		spec, rest, closed := strings.Cut(text[1:], "}")
		if !closed {
			return b, "", errParse
		}
		b, err = i.values(b, spec)
		return b, rest, err
	default:
		return b, "", errToken
	}
	return b, text[1:], nil
}

// values adds the values of the property that is named between braces. Between them is a blank, or
// what the name ends with.
func (i *Instance) values(b []byte, spec string) ([]byte, error) {
	separator := byte(' ')
	if n := len(spec) - 1; n >= 0 && (spec[n] == ',' || spec[n] == ':') {
		separator, spec = spec[n], spec[:n]
	}
	p, err := i.lookUp(spec)
	switch {
	case err != nil:
		return b, err
	case p == nil:
		return b, errors.New("property " + quoted(spec) + " not found")
	}
	for n, v := range p.Values {
		if n > 0 {
			b = append(b, separator)
		}
		if b = appendEscaped(b, v); len(b) > CommandBytesMax {
			return b, errTooLong
		}
	}
	return b, nil
}

// appendEscaped adds a value so that a shell takes it as it is.
func appendEscaped(b []byte, value string) []byte {
	for n := range len(value) {
		if strings.IndexByte(meta, value[n]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, value[n])
	}
	return b
}

// lookUp finds the property that a token names: by its FMRI, as group/property, or alone; nil when
// there is none.
func (i *Instance) lookUp(spec string) (*tree.Property, error) {
	if strings.Contains(spec, ":properties") {
		f, err := fmri.Parse(spec)
		if err != nil || f.Scheme != fmri.Service || f.Property == "" {
			return nil, errParse
		}
		running, current, err := i.other(f.Service, f.Instance)
		if err != nil {
			return nil, err
		}
		return find(f.Group, f.Property, running, current)
	}
	g, p, both := strings.Cut(spec, "/")
	if !both {
		g, p = application, spec
	}
	return find(g, p, i.Running, i.Current)
}

// other gives where another instance's properties are, or this one's when it is named.
func (i *Instance) other(service, instance string) (running, current Config, err error) {
	switch {
	case service == i.Service && instance == i.Instance:
		return i.Running, i.Current, nil
	case i.Other == nil:
		return nil, nil, nil
	}
	running, current, err = i.Other(service, instance)
	if errors.Is(err, repo.ErrNotFound) {
		return nil, nil, nil
	}
	return running, current, err
}

// find looks for a property in one place after the other.
func find(g, p string, places ...Config) (*tree.Property, error) {
	for _, c := range places {
		found, err := group(c, g)
		if err != nil {
			return nil, err
		}
		if v := property(found, p); v != nil {
			return v, nil
		}
	}
	return nil, nil
}
