package contract

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Template is where the terms of contracts to be are written, and where they are made: Start
// and StartFunc. It is an open file, and goes with it. One goroutine uses it.
type Template struct {
	fs *FS
	fd *sys.FD
	// set are the terms that were written last, so that what needs a privilege is not
	// written again and again.
	set Terms
	// want are terms that go with the next birth, when has is true.
	want Terms
	has  bool
	// within is what the contracts of all births from now on count in.
	within Within
}

// Template opens a template with the default terms.
func (f *FS) Template() (*Template, error) {
	fd, err := f.open(process("template"), unix.O_RDWR)
	if err != nil {
		return nil, err
	}
	return &Template{fs: f, fd: fd, set: DefaultTerms()}, nil
}

// Close forgets the terms, and a contract that has no process yet.
func (t *Template) Close() error { return t.fd.Close() }

// Set writes terms. Nothing of them is taken when one is refused: EINVAL for what makes no
// sense, EPERM for what needs a privilege; of the contract to transfer from ESRCH (there is
// none), EACCES (it is another's) and ENOTEMPTY.
func (t *Template) Set(terms Terms) error {
	t.has = false
	if err := t.write("set terms", appendTerms(nil, t.set, terms)); err != nil {
		return err
	}
	t.set = terms
	return nil
}

// Want is Set together with the next Start, which fails instead: that saves a way to the system.
func (t *Template) Want(terms Terms) { t.want, t.has = terms, true }

// Within has the contracts that are made from now on count in a project, or run on a pool's
// processors; what is empty is as with this process. A start fails with EPERM for who is not the
// zone's root, ENOENT when the zone has no such pool, EDQUOT when it has too many projects,
// EOPNOTSUPP when the host has not the controllers that the bounds need, ERANGE when a pool's
// processors are not there, and EOVERFLOW when a project has more memory already.
func (t *Template) Within(w Within) { t.within = w }

// activate makes the contract, of the terms that are wanted.
func (t *Template) activate(how string) error {
	const op = "make the directory"
	if !t.has {
		return t.command(op, how)
	}
	err := t.write(op, append(appendTerms(nil, t.set, t.want), how+"\n"...))
	if err == nil {
		t.set, t.has = t.want, false
		return nil
	}
	if errnoOf(err) != unix.EINVAL {
		return err
	}
	// They make no sense, or the server is an older one.
	if err := t.Set(t.want); err != nil {
		return err
	}
	return t.command(op, how)
}

// appendTerms gives the lines that change the terms of a template from one to another. What
// is fatal comes first: what may be critical depends on it, and a set of its own that is
// written last is not reduced any more by what is written before it.
func appendTerms(b []byte, from, to Terms) []byte {
	line := func(key, value string) {
		b = append(append(append(append(b, key...), ' '), value...), '\n')
	}
	line("params", to.Params.String())
	line("fatal", to.Fatal.String())
	line("critical", to.Critical.String())
	line("informative", to.Informative.String())
	if to.Cookie != from.Cookie {
		line("cookie", "0x"+strconv.FormatUint(to.Cookie, 16))
	}
	if to.Transfer != from.Transfer {
		line("transfer", strconv.FormatUint(uint64(to.Transfer), 10))
	}
	if to.FMRI != from.FMRI {
		line("svc_fmri", string(AppendEscaped(nil, to.FMRI)))
	}
	if to.Aux != from.Aux {
		line("svc_aux", string(AppendEscaped(nil, to.Aux)))
	}
	return b
}

// Terms are those that the template has now.
func (t *Template) Terms() (Terms, error) {
	text, err := t.text()
	if err != nil {
		return Terms{}, err
	}
	terms := DefaultTerms()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch key, _, _ := strings.Cut(line, " "); key {
		case "state", "birth":
			continue
		}
		k, v, err := ParseTermLine(line)
		if err != nil {
			return Terms{}, &sys.Error{Op: "read", What: t.name(), Errno: err}
		}
		terms.take(k, v)
	}
	return terms, nil
}

// take sets one term.
func (t *Terms) take(k TermKey, v TermValue) {
	switch k {
	case TermInformative:
		t.Informative = Events(v.Number)
	case TermCritical:
		t.Critical = Events(v.Number)
	case TermFatal:
		t.Fatal = Events(v.Number)
	case TermParams:
		t.Params = Params(v.Number)
	case TermCookie:
		t.Cookie = v.Number
	case TermTransfer:
		t.Transfer = ID(v.Number)
	case TermFMRI:
		t.FMRI = v.Text
	case TermAux:
		t.Aux = v.Text
	}
}

// templateBytesMax bounds a template's text: two strings, each byte of which may take four.
const templateBytesMax = 16 << 10

// text reads all of the template, whatever the file's offset is: it is one open file for
// reading and writing. A read that had room for more, and ends with a line, was the last: the
// system gives all that there is room for.
func (t *Template) text() (string, error) {
	b := make([]byte, templateBytesMax)
	have := 0
	for {
		var n int
		err := sys.Retry(func() (e error) { n, e = unix.Pread(t.fd.Int(), b[have:], int64(have)); return })
		if err != nil {
			return "", &sys.Error{Op: "read", What: t.name(), Errno: err}
		}
		have += n
		if n == 0 || have == len(b) || b[have-1] == '\n' {
			return string(b[:have]), nil
		}
	}
}

func (t *Template) name() string { return t.fs.dir + "/" + process("template") }

// command has the template do something.
func (t *Template) command(op, words string) error { return t.write(op, []byte(words+"\n")) }

func (t *Template) write(op string, text []byte) error {
	err := sys.Retry(func() error { _, e := unix.Write(t.fd.Int(), text); return e })
	if err != nil {
		return &sys.Error{Op: op, What: "of a contract", Errno: err}
	}
	return nil
}

// window is what a template says of the birth that it waits for.
type window struct {
	id   ID
	move bool
	path string
}

// parseWindow finds it in the template's text; false when there is none.
func parseWindow(text string) (w window, ok bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "birth" {
			continue
		}
		n, err := strconv.ParseUint(f[1], 10, 31)
		if err != nil || n == 0 || f[2] != "clone" && f[2] != "move" {
			return window{}, false
		}
		w = window{id: ID(n), move: f[2] == "move"}
		if len(f) > 3 {
			path, err := Unescape(f[3])
			if err != nil {
				return window{}, false
			}
			w.path = path
		}
		return w, w.move || w.path != ""
	}
	return window{}, false
}
