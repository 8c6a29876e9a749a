package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/printable"
)

const doctype = "<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>\n"

// doc is a manifest with one service, of which the argument is the content; it begins on line 3.
func doc(content string) string {
	return doctype + "<service_bundle type='manifest' name='t'><service name='s' type='service' version='1'>\n" + content + "\n</service></service_bundle>"
}

// wrong parses what must not be parsed, and gives its errors.
func wrong(t *testing.T, what, text string, o Options) *Errors {
	t.Helper()
	b, err := Parse("f.xml", []byte(text), o)
	var list *Errors
	if b != nil || !errors.As(err, &list) || len(list.List) == 0 {
		t.Fatalf("%s: %+v, %v", what, b, err)
	}
	for _, e := range list.List {
		if e.Line < 1 || e.File == "" || strings.ContainsAny(e.Error(), "\n\x1b") {
			t.Errorf("%s: %q has no line, no file, or more than a line", what, e.Error())
		}
	}
	return list
}

func TestEnvelope(t *testing.T) {
	body := "<service_bundle type='manifest' name='n'/>"
	deep := doc(strings.Repeat("<a>", 100))
	for name, c := range map[string]struct {
		text string
		err  error
		says string
	}{
		"nothing":               {"", ErrEmpty, "f.xml, line 1: document is empty"},
		"spaces":                {" \n\n", ErrEmpty, ""},
		"a declaration alone":   {"<?xml version='1.0'?>\n" + doctype, ErrEmpty, "line 3"},
		"text":                  {"network/ssh\n", ErrParse, "line 1: couldn't parse document: text outside"},
		"binary":                {"\x7fELF\x02\x01\x01\x00\x00\xff\xfe", ErrParse, "couldn't parse document: byte 0xff is not of the document's encoding"},
		"another language":      {"{\"a\": 1}", ErrParse, ""},
		"no DTD":                {"<?xml version='1.0'?>\n" + body, ErrNoDTD, "line 2: document has no DTD"},
		"another version":       {strings.Replace(doctype, "dtd.1", "dtd.2", 1) + body, ErrUnknownDTD, "line 1: document DTD unknown; not service bundle?"},
		"a DTD elsewhere":       {"<!DOCTYPE service_bundle SYSTEM 'http://example.com/service_bundle.dtd.1'>" + body, ErrUnknownDTD, ""},
		"a DTD without a name":  {"<!DOCTYPE service_bundle>" + body, ErrUnknownDTD, ""},
		"public only":           {"<!DOCTYPE service_bundle PUBLIC 'x'>" + body, ErrUnknownDTD, ""},
		"document of zones":     {"<!DOCTYPE zone PUBLIC '-//Sun Microsystems Inc//DTD Zones//EN' 'file:///usr/share/lib/xml/dtd/zonecfg.dtd.1'><zone/>", ErrNotBundle, ""},
		"another root":          {doctype + "<service name='a' type='service' version='1'/>", ErrNotBundle, "line 2: document is not a service bundle: it begins with <service>"},
		"two doctypes":          {doctype + doctype + body, ErrParse, "line 2"},
		"doctype at the end":    {body + doctype, ErrParse, ""},
		"an element after it":   {doctype + body + "<a/>", ErrParse, "after the end"},
		"text after it":         {doctype + body + "x", ErrParse, ""},
		"not closed":            {doctype + "<service_bundle type='manifest' name='n'>\n\n", ErrParse, "line 4: couldn't parse document: unexpected EOF"},
		"closed by another":     {doctype + "<service_bundle type='manifest' name='n'></service>", ErrParse, "closed by"},
		"attribute twice":       {doctype + "<service_bundle type='manifest' name='n' name='m'/>", ErrParse, "attribute name of <service_bundle> is given twice"},
		"attribute unquoted":    {doctype + "<service_bundle type=manifest name='n'/>", ErrParse, ""},
		"type unknown":          {doctype + "<service_bundle type='thing' name='n'/>", ErrInvalid, `type cannot be "thing"`},
		"no type":               {doctype + "<service_bundle name='n'/>", ErrInvalid, ""},
		"no name":               {doctype + "<service_bundle type='manifest'/>", ErrInvalid, "lacks name attribute"},
		"a name space":          {doctype + "<service_bundle xmlns='urn:x' type='manifest' name='n'/>", ErrNotBundle, "urn:x:service_bundle"},
		"XML 1.1":               {"<?xml version='1.1'?>" + doctype + body, ErrParse, "version"},
		"escape in the file":    {doctype + "<service_bundle type='man\u009bifest' name='n'/>", ErrInvalid, `"man?ifest"`},
		"an entity":             {"<!DOCTYPE service_bundle SYSTEM 'a' [<!ENTITY a 'b'>]>" + body, ErrEntity, "declarations of entities are not allowed"},
		"an external entity":    {strings.Replace(doctype, "'>", "' [\n<!ENTITY a SYSTEM 'file:///etc/shadow'>\n]>", 1) + body, ErrEntity, ""},
		"a parameter entity":    {strings.Replace(doctype, "'>", "' [<!ENTITY % a 'b'> %a;]>", 1) + body, ErrEntity, ""},
		"a declaration":         {strings.Replace(doctype, "'>", "' [<!ELEMENT a EMPTY>]>", 1) + body, ErrParse, "declarations within"},
		"use of an entity":      {doc("<property_group name='a' type='b'>&a;</property_group>"), ErrParse, "line 3: couldn't parse document: invalid character entity &a;"},
		"entity in a value":     {doc("<property_group name='&nbsp;' type='b'/>"), ErrParse, "line 3"},
		"deep":                  {deep, ErrLimit, "more than 32 elements within each other"},
		"attributes":            {doc("<x" + strings.Repeat(" a='1'", 33) + "/>"), ErrLimit, "more than 32 attributes"},
		"long attribute":        {doc("<property_group name='" + strings.Repeat("a", attributeMax+1) + "' type='b'/>"), ErrLimit, "attribute name of <property_group> is longer than 65536 bytes"},
		"long text":             {doc("<template><common_name><loctext xml:lang='C'>" + strings.Repeat("a", textMax+1) + "</loctext></common_name></template>"), ErrLimit, "<loctext> holds more"},
		"elements":              {doc(strings.Repeat("<a/>", elementsMax)), ErrLimit, "more than 262144 elements"},
		"values":                {doc("<property_group name='a' type='b'><property name='p' type='count'><count_list>" + strings.Repeat("<value_node value='1'/>", valuesMax+1) + "</count_list></property></property_group>"), ErrLimit, "more than 8192 values"},
		"a document too long":   {doc(strings.Repeat(" ", documentBytesMax)), ErrLimit, "larger than 16777216 bytes"},
		"a service in a nested": {doctype + "<service_bundle type='manifest' name='n'><service_bundle type='profile' name='m'/></service_bundle>", ErrInvalid, "included bundle of different type"},
	} {
		list := wrong(t, name, c.text, Options{})
		if !errors.Is(list, c.err) || !strings.Contains(list.Error(), c.says) {
			t.Errorf("%s: %v", name, list)
		}
	}
	for name, text := range map[string]string{
		"plain":             doctype + body,
		"public":            strings.Replace(doctype, "SYSTEM", "PUBLIC '-//Sun Microsystems Inc//DTD Services//EN'", 1) + body,
		"double quotes":     strings.ReplaceAll(doctype, "'", `"`) + body,
		"on lines":          strings.ReplaceAll(doctype, " ", "\n") + body,
		"an empty subset":   strings.Replace(doctype, "'>", "' [ ]>", 1) + body,
		"byte order mark":   "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>" + doctype + body,
		"instructions":      "<?xml version='1.0'?><?a b?>" + doctype + "<!-- c -->" + body + "<!-- d -->\n<?e?>\n",
		"carriage returns":  strings.ReplaceAll(doctype+body, "\n", "\r\n"),
		"bundles in itself": doctype + "<service_bundle type='manifest' name='n'>" + body + body + "</service_bundle>",
	} {
		if b, err := Parse("f.xml", []byte(text), Options{Want: Manifest}); err != nil || b.Type != Manifest || b.Name != "n" {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

func TestWantedType(t *testing.T) {
	for have := Manifest; have <= Archive; have++ {
		text := doctype + "<service_bundle type='" + have.String() + "' name='n'/>"
		for want := Any; want <= Archive; want++ {
			b, err := Parse("f", []byte(text), Options{Want: want})
			if want == Any || want == have {
				if err != nil || b.Type != have {
					t.Errorf("%v as %v: %v", have, want, err)
				}
				continue
			}
			if is := map[Type]error{Manifest: ErrNotManifest, Profile: ErrNotProfile, Archive: ErrNotArchive}[want]; !errors.Is(err, is) {
				t.Errorf("%v as %v: %v", have, want, err)
			}
		}
	}
	_, err := Parse("f", []byte(doctype+"<service_bundle type='profile' name='n'/>"), Options{Want: Manifest})
	if want := `f, line 2: document is not a manifest: its type is "profile"`; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestEncodings(t *testing.T) {
	content := func(name string) string {
		return "<property_group name='a' type='b'><propval name='p' type='ustring' value='" + name + "'/></property_group>"
	}
	for encoding, c := range map[string]struct {
		value string
		want  string // empty for an error
	}{
		"UTF-8": {"ü", "ü"}, "utf-8": {"ü", "ü"}, "US-ASCII": {"u", "u"}, "us-ascii": {"&#252;", "ü"}, "ISO-8859-1": {"\xfc", "ü"},
		"iso-8859-1": {"\xfc\xff", "üÿ"}, "UTF-16": {"u", ""}, "windows-1252": {"u", ""}, "EUC-JP": {"u", ""}, "ISO-8859-15": {"u", ""}, "": {"u", "u"},
	} {
		text := "<?xml version='1.0' encoding='" + encoding + "'?>\n" + doc(content(c.value))
		b, err := Parse("f.xml", []byte(text), Options{})
		if c.want == "" {
			if !errors.Is(err, ErrEncoding) || !strings.Contains(err.Error(), encoding) {
				t.Errorf("%s: %v", encoding, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", encoding, err)
			continue
		}
		if got := b.Services[0].Config.Group("a").Prop("p").Values[0]; got != c.want {
			t.Errorf("%s: %q", encoding, got)
		}
	}
	for name, text := range map[string]string{
		"no UTF-8":           doc(content("\xfc")),
		"no ASCII":           "<?xml version='1.0' encoding='US-ASCII'?>" + doc("<!-- ü -->"),
		"UTF-16":             "\xff\xfe<\x00?\x00",
		"UTF-16, the other":  "\xfe\xff\x00<",
		"UTF-16 without BOM": "<\x00?\x00x\x00",
		"UTF-32":             "\x00\x00\x00<",
	} {
		list := wrong(t, name, text, Options{})
		if !errors.Is(list, ErrEncoding) && !strings.Contains(list.Error(), "is not of the document's encoding") {
			t.Errorf("%s: %v", name, list)
		}
	}
	if list := wrong(t, "the line of a byte", doc("\n\n"+content("\xfc")), Options{}); list.List[0].Line != 5 {
		t.Errorf("%v", list)
	}
}

// White space in a value is a space, a reference to it is itself.
func TestAttributeValues(t *testing.T) {
	for raw, want := range map[string]string{
		"a\nb": "a b", "a\r\nb": "a b", "a\tb\n": "a b ", "a&#10;b": "a\nb", "a&#xA;\tb": "a\n b", "&#13;&#9;": "\r\t",
		"&lt;&#38;lt;\n&amp;&quot;&apos;&gt;": "<&lt; &\"'>", "\n\"x\"": " \"x\"", "\n&#x1F600;": " \U0001F600", "a=\nb='": "a= b=",
	} {
		quote := "'"
		if strings.Contains(raw, "'") {
			quote, want = `"`, want+"'"
		}
		text := doc("<property_group name='a'\n type =\t'b'><propval type='astring' value=" + quote + raw + quote + " name='p'/></property_group>")
		b, err := Parse("f.xml", []byte(text), Options{})
		if err != nil {
			t.Errorf("%q: %v", raw, err)
			continue
		}
		if got := b.Services[0].Config.Group("a").Prop("p").Values[0]; got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// endless is a stream that goes on for n bytes, and counts what is taken of it.
type endless struct{ n, taken int }

func (e *endless) Read(p []byte) (int, error) {
	if e.taken >= e.n {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.taken += len(p)
	return len(p), nil
}

func TestReadTakesNoMoreThanADocument(t *testing.T) {
	e := &endless{n: 100 << 20}
	_, err := Read("f.xml", io.MultiReader(strings.NewReader(doctype), e), Options{})
	if !errors.Is(err, ErrLimit) || e.taken > documentBytesMax+(1<<20) {
		t.Errorf("%v, after %d bytes", err, e.taken)
	}
	broken := errors.New("broken")
	if _, err := Read("f.xml", io.MultiReader(strings.NewReader("<"), failing{broken}), Options{}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	b, err := Read("f.xml", strings.NewReader(doc("")), Options{})
	if err != nil || len(b.Services) != 1 {
		t.Errorf("%+v, %v", b, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A document that is cut off anywhere is an error with a line, or all of it was there.
func TestCutOff(t *testing.T) {
	for name, data := range corpus(t) {
		end := bytes.LastIndex(data, []byte("</service_bundle>")) + len("</service_bundle>")
		for i := 0; i < end; i += 97 {
			wrong(t, fmt.Sprintf("%s cut at %d", name, i), string(data[:i]), Options{Include: emptyProfile})
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	list := wrong(t, "a hundred mistakes", doc(strings.Repeat("<foo/>\n", 100)), Options{})
	if len(list.List) != faultsMax || list.More != 100-faultsMax || !strings.HasSuffix(list.Error(), "\nand 80 errors more") {
		t.Errorf("%v", list)
	}
	for i, e := range list.List {
		if want := fmt.Sprintf("f.xml, line %d: <foo>: there is no such element", i+3); e.Error() != want {
			t.Errorf("%v, want %s", e, want)
		}
	}
	if len(list.Unwrap()) != faultsMax {
		t.Error("not all are unwrapped")
	}
	if s := printable.Cut(strings.Repeat("é", 50)+"\x1b[2J\u202e\x7f", 20); len(s) > 30 || strings.ContainsAny(s, "\x1b\u202e\x7f") {
		t.Errorf("%q", s)
	}
}

// A document may have any number of parts of one kind, up to the limit of elements: each is read
// and exported without being compared with all before it, which would show here.
func TestManyOfAKind(t *testing.T) {
	const many = 20_000
	repeat := func(format string) string {
		var b strings.Builder
		for i := range many {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	name := "<common_name><loctext xml:lang='C'>n</loctext></common_name>"
	for name, text := range map[string]string{
		"services":     doctype + "<service_bundle type='archive' name='n'>" + repeat("<service name='s%d' type='service' version='1'/>") + "</service_bundle>",
		"instances":    doc(repeat("<instance name='i%d' enabled='true'/>")),
		"groups":       doc(repeat("<property_group name='g%d' type='t'/>")),
		"properties":   doc("<property_group name='g' type='t'>" + repeat("<propval name='p%d' type='count' value='1'/>") + "</property_group>"),
		"dependents":   doc(repeat("<dependent name='d%d' grouping='require_all' restart_on='none'><service_fmri value='svc:/o'/></dependent>")),
		"manuals":      doc("<template>" + name + "<documentation>" + repeat("<manpage title='m%d' section='1'/>") + "</documentation></template>"),
		"patterns":     doc("<template>" + name + repeat("<pg_pattern name='p%d'/>") + "</template>"),
		"prop_pattern": doc("<template>" + name + "<pg_pattern name='g'>" + repeat("<prop_pattern name='p%d'/>") + "</pg_pattern></template>"),
	} {
		b, err := Parse(name, []byte(text), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := b.Services[0].Whole()
		out, err := Export(&s, exportOptions(b))
		if err != nil || name != "services" && bytes.Count(out, []byte{'\n'}) < many {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
}
