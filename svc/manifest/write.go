package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const header = "<?xml version='1.0'?>\n<!DOCTYPE " + root + " SYSTEM '" + dtdPath + "'>\n"

// write writes a document. Attributes are in single quotes, as the original has them.
func write(top *node) ([]byte, error) {
	if name, ok := top.unwritable(); !ok {
		return nil, fmt.Errorf("write: %w: characters of %s", ErrUnexportable, name)
	}
	var b bytes.Buffer
	b.WriteString(header)
	top.write(&b, 0)
	return b.Bytes(), nil
}

func (n *node) write(b *bytes.Buffer, depth int) {
	indent := strings.Repeat("  ", depth)
	b.WriteString(indent + "<" + n.name)
	for _, a := range n.attrs {
		b.WriteString(" " + a.name + "='" + attributeEscapes.Replace(a.value) + "'")
	}
	switch {
	case n.text != "":
		b.WriteString(">" + textEscapes.Replace(n.text))
	case len(n.kids) == 0:
		b.WriteString("/>\n")
		return
	default:
		b.WriteString(">\n")
		for _, kid := range n.kids {
			kid.write(b, depth+1)
		}
		b.WriteString(indent)
	}
	b.WriteString("</" + n.name + ">\n")
}

// White space in an attribute is a space to who reads it, unless it is a reference; a carriage
// return is a line feed everywhere.
var (
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;",
		"\t", "&#9;", "\n", "&#10;", "\r", "&#13;")
	textEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
)

// unwritable finds what has characters that XML 1.0 has no way to write.
func (n *node) unwritable() (name string, ok bool) {
	if !isXML(n.text) {
		return "<" + n.name + ">", false
	}
	for _, a := range n.attrs {
		if !isXML(a.value) {
			return "attribute " + a.name + " of <" + n.name + ">", false
		}
	}
	for _, kid := range n.kids {
		if name, ok := kid.unwritable(); !ok {
			return name, false
		}
	}
	return "", true
}

func isXML(s string) bool {
	for i, c := range s {
		switch {
		case c == '\t', c == '\n', c == '\r', c >= ' ' && c <= 0xd7ff, c >= 0xe000 && c < utf8.RuneError:
		case c >= 0x10000:
		case c == utf8.RuneError && strings.HasPrefix(s[i:], "\uFFFD"): // the character itself, not a bad byte
		default:
			return false
		}
	}
	return true
}
