package fmri

import "strings"

// Scheme is what an FMRI's text begins with.
type Scheme uint8

// The schemes.
const (
	Service Scheme = iota + 1 // svc:
	File                      // file:
	Legacy                    // lrc:
)

// String is the scheme's word, with its colon.
func (s Scheme) String() string {
	switch s {
	case Service:
		return "svc:"
	case File:
		return "file:"
	case Legacy:
		return "lrc:"
	}
	return ""
}

const (
	localhost  = "localhost"
	properties = "/:properties/"
)

// FMRI is a parsed FMRI. The zero value is none.
type FMRI struct {
	Scheme Scheme
	// Of Service: Instance is empty when a service is meant, Group when no property is, and
	// Property when a whole group is.
	Service, Instance, Group, Property string
	// Path of File and Legacy, from its '/' on.
	Path string
}

// Parse reads an FMRI that is written in full, in any of its forms. ErrSyntax, ErrName,
// ErrTooLong, ErrScope.
func Parse(text string) (FMRI, error) {
	if len(text) > BytesMax {
		return FMRI{}, &bad{text, ErrTooLong}
	}
	for _, scheme := range []Scheme{Service, File, Legacy} {
		rest, is := strings.CutPrefix(text, scheme.String())
		if !is {
			continue
		}
		path, err := local(rest)
		switch {
		case err != nil:
			return FMRI{}, &bad{text, err}
		case scheme == Service:
			return parseService(text, path[1:])
		case strings.ContainsRune(path, 0):
			return FMRI{}, &bad{text, ErrSyntax}
		}
		return FMRI{Scheme: scheme, Path: path}, nil
	}
	return FMRI{}, &bad{text, ErrSyntax}
}

// local takes "//localhost" away and gives what follows, from its '/' on.
func local(rest string) (string, error) {
	if after, is := strings.CutPrefix(rest, "//"); is {
		slash := strings.IndexByte(after, '/')
		switch {
		case slash < 0:
			return "", ErrSyntax
		case slash > 0 && after[:slash] != localhost:
			return "", ErrScope
		}
		rest = after[slash:]
	}
	if !strings.HasPrefix(rest, "/") || rest == "/" {
		return "", ErrSyntax
	}
	return rest, nil
}

// parseService reads what follows "svc:/".
func parseService(text, rest string) (FMRI, error) {
	f := FMRI{Scheme: Service}
	entity, below, has := strings.Cut(rest, properties)
	if has {
		group, property, hasProperty := strings.Cut(below, "/")
		f.Group, f.Property = group, property
		if group == "" || hasProperty && property == "" {
			return FMRI{}, &bad{text, ErrSyntax}
		}
	}
	name, instance, hasInstance := strings.Cut(entity, ":")
	f.Service, f.Instance = name, instance
	if hasInstance && instance == "" {
		return FMRI{}, &bad{text, ErrSyntax}
	}
	if err := f.check(); err != nil {
		return FMRI{}, err
	}
	return f, nil
}

func (f FMRI) check() error {
	if err := CheckService(f.Service); err != nil {
		return err
	}
	for _, name := range []string{f.Instance, f.Group, f.Property} {
		if name == "" {
			continue
		}
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// String is the canonical form: two FMRIs mean the same when their Strings are equal.
func (f FMRI) String() string {
	switch f.Scheme {
	case File:
		return "file://" + f.Path
	case Legacy:
		return "lrc:" + f.Path
	case Service:
	default:
		return ""
	}
	s := Of(f.Service, f.Instance)
	if f.Group != "" {
		s += properties + f.Group
		if f.Property != "" {
			s += "/" + f.Property
		}
	}
	return s
}

// Of is the canonical form of a service, and of an instance when one is named.
func Of(service, instance string) string {
	if instance == "" {
		return "svc:/" + service
	}
	return "svc:/" + service + ":" + instance
}

// Entity is the FMRI without its property group and property.
func (f FMRI) Entity() FMRI {
	f.Group, f.Property = "", ""
	return f
}
