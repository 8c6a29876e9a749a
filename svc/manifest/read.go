package manifest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/linuxzones/zones/internal/printable"
)

// node is an element with what it holds.
type node struct {
	Position
	name  string
	attrs []attr
	kids  []*node
	text  string // of an element that holds text
	stray bool   // text stands where none belongs
}

type attr struct{ name, value string }

// attr is the value of an attribute; "" for one that is not there.
func (n *node) attr(name string) string {
	value, _ := n.lookup(name)
	return value
}

func (n *node) lookup(name string) (string, bool) {
	for _, a := range n.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

func (n *node) fault(err error, format string, args ...any) *Error {
	return &Error{Position: n.Position, Element: n.name, Err: err, What: fmt.Sprintf(format, args...)}
}

// Name spaces of XInclude: of the DTD, and of files in the field.
var includeSpaces = map[string]bool{
	"xi":                              true,
	"http://www.w3.org/2001/XInclude": true,
	"http://www.w3.org/2003/XInclude": true,
}

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// reader builds the tree of one document.
type reader struct {
	file     string
	data     []byte // as UTF-8
	dec      *xml.Decoder
	line     int
	stack    []*node
	root     *node
	doctype  bool
	elements *int // read so far, with the documents that include this one
}

// readTree reads a document's elements. encoding/xml expands no entities but the five of XML,
// and fetches nothing, so a tree is not larger than its document.
func readTree(file string, data []byte, elements *int) (*reader, error) {
	r := &reader{file: file, line: 1, elements: elements}
	if len(data) > documentBytesMax {
		return r, r.fail(ErrLimit, "larger than %d bytes", documentBytesMax)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return r, r.fail(ErrEmpty, "")
	}
	if err := r.decode(data); err != nil {
		return r, err
	}
	r.dec = xml.NewDecoder(bytes.NewReader(r.data))
	r.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decode did it
	for {
		begin := r.dec.InputOffset()
		r.line, _ = r.dec.InputPos()
		tok, err := r.dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return r, r.syntax(err)
		}
		if err := r.token(tok, begin); err != nil {
			return r, err
		}
	}
	if r.root == nil {
		return r, r.fail(ErrEmpty, "")
	}
	return r, nil
}

func (r *reader) fail(err error, format string, args ...any) error {
	return &Error{Position: Position{r.file, r.line}, Err: err, What: fmt.Sprintf(format, args...)}
}

func (r *reader) syntax(err error) error {
	text := err.Error()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		r.line, text = syntax.Line, syntax.Msg
	}
	return r.fail(ErrParse, "%s", printable.Cut(strings.TrimPrefix(text, "xml: "), 200))
}

// decode makes the document UTF-8, by what its XML declaration says.
func (r *reader) decode(data []byte) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("\xff\xfe")) {
		return r.fail(ErrEncoding, "UTF-16")
	}
	if bytes.IndexByte(data[:min(len(data), 4)], 0) >= 0 {
		return r.fail(ErrEncoding, "UTF-16 or UTF-32")
	}
	name := declaredEncoding(data)
	switch strings.ToUpper(name) {
	case "", "UTF-8", "UTF8":
		r.data = data
		return r.wellEncoded(utf8.RuneError)
	case "US-ASCII", "ASCII":
		r.data = data
		return r.wellEncoded(utf8.RuneSelf)
	case "ISO-8859-1", "LATIN1", "ISO8859-1":
		r.data = make([]byte, 0, len(data)+len(data)/8)
		for _, c := range data {
			r.data = utf8.AppendRune(r.data, rune(c))
		}
		return nil
	}
	return r.fail(ErrEncoding, "%s; UTF-8, US-ASCII and ISO-8859-1 are", quote(name))
}

// wellEncoded finds the first byte that is not of the encoding: one that is no UTF-8, or, for
// US-ASCII, one that is no ASCII.
func (r *reader) wellEncoded(below rune) error {
	if below == utf8.RuneError && utf8.Valid(r.data) {
		return nil
	}
	for i := 0; i < len(r.data); {
		c, size := utf8.DecodeRune(r.data[i:])
		if c == utf8.RuneError && size == 1 || below == utf8.RuneSelf && c >= below {
			r.line = 1 + bytes.Count(r.data[:i], []byte{'\n'})
			return r.fail(ErrParse, "byte 0x%02x is not of the document's encoding", r.data[i])
		}
		i += size
	}
	return nil
}

// declaredEncoding is that of <?xml version='1.0' encoding='...'?>.
func declaredEncoding(data []byte) string {
	if !bytes.HasPrefix(data, []byte("<?xml")) {
		return ""
	}
	declaration, _, _ := bytes.Cut(data[:min(len(data), 1024)], []byte("?>"))
	_, after, ok := strings.Cut(string(declaration), "encoding")
	if !ok {
		return ""
	}
	after = strings.TrimLeft(after, " \t\r\n=")
	if after == "" || after[0] != '\'' && after[0] != '"' {
		return ""
	}
	name, _, _ := strings.Cut(after[1:], after[:1])
	return name
}

func (r *reader) token(tok xml.Token, begin int64) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return r.open(t, begin)
	case xml.EndElement:
		r.stack = r.stack[:len(r.stack)-1]
	case xml.CharData:
		return r.chars(t)
	case xml.Directive:
		return r.directive(string(t))
	}
	return nil
}

func (r *reader) chars(text []byte) error {
	blank := len(bytes.TrimSpace(text)) == 0
	if len(r.stack) == 0 {
		if blank {
			return nil
		}
		return r.fail(ErrParse, "text outside of any element")
	}
	n := r.stack[len(r.stack)-1]
	if rule := elements()[n.name]; rule != nil && rule.text {
		if len(n.text)+len(text) > textMax {
			return r.fail(ErrLimit, "<%s> holds more than %d bytes", n.name, textMax)
		}
		n.text += string(text)
	} else if !blank {
		n.stray = true
	}
	return nil
}

// directive accepts the document type, without declarations of its own.
func (r *reader) directive(d string) error {
	fields := splitDoctype(d)
	if len(fields) < 2 || fields[0] != "DOCTYPE" || r.doctype || r.root != nil {
		return r.fail(ErrParse, "declaration <!%s> where none belongs", printable.Cut(d, 20))
	}
	r.doctype = true
	if subset, ok := strings.CutPrefix(fields[len(fields)-1], "["); ok {
		if strings.Contains(subset, "<!ENTITY") {
			return r.fail(ErrEntity, "")
		}
		if strings.Trim(subset, " \t\r\n]") != "" {
			return r.fail(ErrParse, "declarations within the document type are not allowed")
		}
		fields = fields[:len(fields)-1]
	}
	if fields[1] != root {
		return r.fail(ErrNotBundle, "its type is %s", quote(fields[1]))
	}
	system := ""
	switch {
	case len(fields) == 4 && fields[2] == "SYSTEM":
		system = fields[3]
	case len(fields) == 5 && fields[2] == "PUBLIC":
		system = fields[4]
	}
	if system != dtdPath {
		return r.fail(ErrUnknownDTD, "")
	}
	return nil
}

// splitDoctype splits a document type into words, texts without their quotes, and, as the last
// one, the internal subset from its bracket on.
func splitDoctype(d string) []string {
	var fields []string
	for {
		d = strings.TrimLeft(d, " \t\r\n")
		if d == "" {
			return fields
		}
		switch c := d[0]; c {
		case '[':
			return append(fields, d)
		case '\'', '"':
			text, rest, _ := strings.Cut(d[1:], string(c))
			fields, d = append(fields, text), rest
		default:
			end := strings.IndexAny(d, " \t\r\n'\"[")
			if end < 0 {
				end = len(d)
			}
			fields, d = append(fields, d[:end]), d[end:]
		}
	}
}

func (r *reader) open(t xml.StartElement, begin int64) error {
	n := &node{Position: Position{r.file, r.line}, name: localName(t.Name)}
	if r.root == nil {
		r.root = n
	} else if len(r.stack) == 0 {
		return r.fail(ErrParse, "<%s> after the end of the document", printable.Cut(n.name, 40))
	} else {
		parent := r.stack[len(r.stack)-1]
		parent.kids = append(parent.kids, n)
	}
	r.stack = append(r.stack, n)
	if len(r.stack) > depthMax {
		return r.fail(ErrLimit, "more than %d elements within each other", depthMax)
	}
	if *r.elements++; *r.elements > elementsMax {
		return r.fail(ErrLimit, "more than %d elements", elementsMax)
	}
	if len(t.Attr) > attributesMax {
		return r.fail(ErrLimit, "more than %d attributes in <%s>", attributesMax, printable.Cut(n.name, 40))
	}
	return r.attributes(n, t.Attr, r.data[begin:r.dec.InputOffset()])
}

// attributes takes an element's attributes over. A line break or tab within a value is a space
// to XML, one that is written as &#10; is itself: what encoding/xml gives does not tell them
// apart, therefore the tag is looked at.
func (r *reader) attributes(n *node, attrs []xml.Attr, tag []byte) error {
	var raw []string
	for i, a := range attrs {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue // DTDs know no name spaces
		}
		if strings.ContainsAny(a.Value, "\t\n\r") {
			if raw == nil {
				raw = rawValues(string(tag))
			}
			if i < len(raw) {
				a.Value = normalized(raw[i])
			}
		}
		name := localName(a.Name)
		if len(a.Value) > attributeMax {
			return r.fail(ErrLimit, "attribute %s of <%s> is longer than %d bytes", printable.Cut(name, 40), printable.Cut(n.name, 40), attributeMax)
		}
		if _, twice := n.lookup(name); twice {
			return r.fail(ErrParse, "attribute %s of <%s> is given twice", printable.Cut(name, 40), printable.Cut(n.name, 40))
		}
		n.attrs = append(n.attrs, attr{name, a.Value})
	}
	return nil
}

// localName is a name with the prefix that the DTD has for its name space.
func localName(n xml.Name) string {
	switch {
	case n.Space == "":
		return n.Local
	case includeSpaces[n.Space]:
		return "xi:" + n.Local
	case n.Space == xmlSpace:
		return "xml:" + n.Local
	}
	return n.Space + ":" + n.Local
}

// rawValues are the values of a well-formed tag's attributes as they are written.
func rawValues(tag string) []string {
	var values []string
	for {
		begin := strings.IndexAny(tag, `'"`)
		if begin < 0 {
			return values
		}
		value, rest, _ := strings.Cut(tag[begin+1:], tag[begin:begin+1])
		values, tag = append(values, value), rest
	}
}

// normalized reads a value as XML says: white space becomes a space, references what they name.
func normalized(raw string) string {
	raw = strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ", "\r", " ").Replace(raw)
	var b strings.Builder
	for {
		text, after, found := strings.Cut(raw, "&")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		name, rest, _ := strings.Cut(after, ";")
		b.WriteString(reference(name))
		raw = rest
	}
}

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// reference is what a reference of a well-formed document names.
func reference(name string) string {
	if text, ok := entities[name]; ok {
		return text
	}
	var code rune
	format := "#%d"
	if strings.HasPrefix(name, "#x") {
		format = "#x%x"
	}
	if _, err := fmt.Sscanf(name, format, &code); err != nil {
		return ""
	}
	return string(code)
}
