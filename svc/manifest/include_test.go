package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// library is documents that include each other.
type library map[string]string

func (l library) find(from, href string) (Document, error) {
	text, ok := l[strings.TrimPrefix(href, "file:/")]
	if !ok {
		return Document{}, fmt.Errorf("%s of %s: %w", href, from, fs.ErrNotExist)
	}
	return Document{Name: strings.TrimPrefix(href, "file:/"), Data: []byte(text)}, nil
}

func profile(content string) string {
	return doctype + "<service_bundle type='profile' name='p' xmlns:xi='http://www.w3.org/2001/XInclude'>" + content + "</service_bundle>"
}

func include(href string) string { return "\n<xi:include href='" + href + "'/>" }

func service(name string) string { return "<service name='" + name + "'/>" }

func TestIncludes(t *testing.T) {
	l := library{
		"a":      profile(service("a") + include("file:/b") + include("file:/single") + service("z")),
		"b":      profile(include("c") + service("b")),
		"c":      "<service_bundle type='profile' name='c'>" + service("c") + service("d") + "</service_bundle>",
		"single": "<service name='single'/>",
	}
	b, err := Parse("a", []byte(l["a"]), Options{Include: l.find})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range b.Services {
		names = append(names, s.Config.Name+" of "+s.Own.File)
	}
	if got := strings.Join(names, ", "); got != "a of a, c of c, d of c, b of b, single of single, z of a" {
		t.Errorf("%s", got)
	}
}

func TestIncludesThatCannotBe(t *testing.T) {
	l := library{
		"self":     profile(include("self")),
		"one":      profile(include("two")),
		"two":      profile(include("three")),
		"three":    profile(include("two")),
		"manifest": doctype + "<service_bundle type='manifest' name='m'/>",
		"broken":   "<service_bundle type='profile' name='m'>\n<service",
		"instance": "<instance name='a' enabled='true'/>",
		"other":    "<!DOCTYPE html><html/>",
		"bomb":     "<!DOCTYPE service_bundle [<!ENTITY a 'b'>]><service_bundle type='profile' name='m'/>",
		"many":     profile(strings.Repeat(include("single"), includesMax+1)),
		"single":   "<service_bundle type='profile' name='m'/>",
		"big":      profile("<!--" + strings.Repeat("x", 15<<20) + "-->"),
		"wrong":    profile("\n\n<service name='x'><nothing/></service>"),
	}
	for i := range includeDepthMax + 2 {
		l[fmt.Sprintf("deep%d", i)] = profile(include(fmt.Sprintf("deep%d", i+1)))
	}
	for name, c := range map[string]struct {
		text string
		err  error
		says string
	}{
		"missing":                 {profile(include("nowhere")), ErrInclude, `f.xml, line 3: <xi:include>: couldn't handle XInclude statements in document: "nowhere": nowhere of f.xml: file does not exist`},
		"itself":                  {profile(include("self")), ErrInclude, "self, line 3: <xi:include>: couldn't handle XInclude statements in document: documents include each other: self > self"},
		"a circle":                {profile(include("one")), ErrInclude, "documents include each other: two > three > two"},
		"another type":            {profile(include("manifest")), ErrInclude, "manifest, line 2: couldn't handle XInclude statements in document: included bundle of different type"},
		"broken":                  {profile(include("broken")), ErrParse, "broken, line 2"},
		"broken, with a fallback": {profile("<xi:include href='broken'><xi:fallback/></xi:include>"), ErrParse, "broken, line 2"},
		"of a part":               {profile(include("instance")), ErrNotBundle, "instance, line 1"},
		"of the web":              {profile(include("other")), ErrNotBundle, "other, line 1"},
		"a bomb":                  {profile(include("bomb")), ErrEntity, "bomb, line 1"},
		"too many":                {profile(include("many")), ErrLimit, "more than 256 documents are included"},
		"too deep":                {profile(include("deep0")), ErrLimit, "more than 16 deep"},
		"too much":                {profile(strings.Repeat(include("big"), 5)), ErrLimit, "documents of more than 67108864 bytes in all"},
		"not valid":               {profile(include("wrong")), ErrInvalid, "wrong, line 4: <nothing>"},
		"as text":                 {profile("<xi:include href='single' parse='text'/>"), ErrInclude, "text cannot be included"},
		"a part by xpointer":      {profile("<xi:include href='single' xpointer='a'/>"), ErrInclude, "parts of documents"},
		"without href":            {profile("<xi:include/>"), ErrInvalid, "lacks attribute href"},
		"within a service":        {profile("<service name='x'>" + include("single") + "</service>"), ErrInvalid, "<xi:include>: does not belong into <service>"},
		"an odd fallback":         {profile("<xi:include href='nowhere'><xi:fallback><instance name='a'/></xi:fallback></xi:include>"), ErrInvalid, "does not belong into <xi:fallback>"},
		"in a fallback":           {profile("<xi:include href='nowhere'><xi:fallback>" + include("self") + "</xi:fallback></xi:include>"), ErrInclude, "self > self"},
	} {
		list := wrong(t, name, c.text, Options{Include: l.find})
		if !errors.Is(list, c.err) || !strings.Contains(list.Error(), c.says) {
			t.Errorf("%s: %v", name, list)
		}
	}
	if list := wrong(t, "no way to find it", profile(include("single")), Options{}); !strings.Contains(list.Error(), "includes are not followed here") {
		t.Errorf("%v", list)
	}
}

func TestFallback(t *testing.T) {
	l := library{"b": service("b")}
	text := profile("<xi:include href='nowhere'><xi:fallback>" + service("a") + include("b") + "</xi:fallback></xi:include>" +
		"<xi:include href='nowhere'><xi:fallback/></xi:include>" + "<xi:include href='b2'><xi:fallback>" + service("c") + "</xi:fallback></xi:include>")
	b, err := Parse("f.xml", []byte(text), Options{Include: l.find})
	if err != nil || len(b.Services) != 3 || b.Services[1].Config.Name != "b" {
		t.Errorf("%+v, %v", b, err)
	}
	// Of a document that is found the fallback is none.
	l["nowhere"] = service("found")
	b, err = Parse("f.xml", []byte(text[:strings.Index(text, "</xi:include>")]+"</xi:include></service_bundle>"), Options{Include: l.find})
	if err != nil || len(b.Services) != 1 || b.Services[0].Config.Name != "found" {
		t.Errorf("%+v, %v", b, err)
	}
}
