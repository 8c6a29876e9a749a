package fmri

import "strings"

// Kind is how much a pattern leaves open.
type Kind uint8

// The kinds. What a command does with several matches depends on it: those of an Exact service
// or a Glob are all meant; of an Abbreviation, several are a mistake.
const (
	Exact        Kind = iota + 1 // an FMRI in full
	Abbreviation                 // its end: ssh, network/ssh, ssh:default, :default, default
	Glob                         // with *, ? or [
)

// Pattern is an operand of a command: which services or instances it stands for.
type Pattern struct {
	text  string
	kind  Kind
	exact FMRI // of Exact
	// Of Abbreviation: the end of a service's name, and an instance's name. word: it may be
	// either.
	service, instance string
	word              bool
}

// ParsePattern reads an operand. ErrPattern or ErrTooLong, and of an FMRI in full what Parse
// says. Property groups are not for patterns: ErrPattern.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	switch {
	case len(text) > BytesMax:
		return p, &bad{text, ErrTooLong}
	case text == "":
		return p, &bad{text, ErrPattern}
	case strings.ContainsAny(text, `*?[\`):
		p.kind = Glob
		p.text = strings.Replace(text, "svc://localhost/", "svc:/", 1)
		return p, nil
	case schemed(text):
		f, err := Parse(text)
		if err == nil && f.Group != "" {
			err = &bad{text, ErrPattern}
		}
		p.kind, p.exact = Exact, f
		return p, err
	}
	p.kind = Abbreviation
	service, instance, hasInstance := strings.Cut(strings.TrimPrefix(text, "/"), ":")
	p.service, p.instance = service, instance
	p.word = !hasInstance && !strings.Contains(text, "/")
	switch {
	case hasInstance && CheckName(instance) != nil,
		(service != "" || !hasInstance) && CheckService(service) != nil:
		return p, &bad{text, ErrPattern}
	}
	return p, nil
}

func schemed(text string) bool {
	for _, scheme := range []Scheme{Service, File, Legacy} {
		if strings.HasPrefix(text, scheme.String()) {
			return true
		}
	}
	return false
}

// Kind is how much the pattern leaves open.
func (p Pattern) Kind() Kind { return p.kind }

// String is the pattern as it was given.
func (p Pattern) String() string { return p.text }

// FMRI is what an Exact pattern names.
func (p Pattern) FMRI() FMRI { return p.exact }

// MatchService says whether the pattern stands for the service itself. One that names an
// instance does not.
func (p Pattern) MatchService(service string) bool {
	switch p.kind {
	case Exact:
		return p.exact.Scheme == Service && p.exact.Instance == "" && p.exact.Service == service
	case Abbreviation:
		return p.instance == "" && ends(service, p.service)
	case Glob:
		return p.globs("svc:/", service, "")
	}
	return false
}

// MatchInstance says whether the pattern stands for the instance, also by standing for its
// whole service.
func (p Pattern) MatchInstance(service, instance string) bool {
	switch p.kind {
	case Exact:
		f := p.exact
		return f.Scheme == Service && f.Service == service && (f.Instance == "" || f.Instance == instance)
	case Abbreviation:
		if p.word && p.service == instance {
			return true
		}
		return (p.service == "" || ends(service, p.service)) && (p.instance == "" || p.instance == instance)
	case Glob:
		return p.globs("svc:/", service, "") || p.globs("svc:/", service, ":"+instance) ||
			Match(p.text, instance) || Match(p.text, ":"+instance)
	}
	return false
}

// MatchLegacy says whether the pattern stands for the script of a path below lrc:.
func (p Pattern) MatchLegacy(path string) bool {
	switch p.kind {
	case Exact:
		return p.exact.Scheme == Legacy && p.exact.Path == path
	case Abbreviation:
		return p.instance == "" && ends(path, p.service)
	case Glob:
		return p.globs("lrc:/", strings.TrimPrefix(path, "/"), "")
	}
	return false
}

// ends says whether name ends with the components of end.
func ends(name, end string) bool {
	before, is := strings.CutSuffix(name, end)
	return is && end != "" && (before == "" || before[len(before)-1] == '/')
}

// globs tries the pattern on prefix+name+suffix and on each of its abbreviations.
func (p Pattern) globs(prefix, name, suffix string) bool {
	full := name + suffix
	if Match(p.text, prefix+full) || Match(p.text, full) {
		return true
	}
	for i := 0; i < len(name); i++ {
		if name[i] == '/' && Match(p.text, full[i+1:]) {
			return true
		}
	}
	return false
}
