package svcprop

import (
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

const usage = `Usage: svcprop [-fqtv] [-C | -c | -s snapshot] [-z zone] [-p [name/]name]... 
         {FMRI | pattern}...
       svcprop -a [-fqtv] [-C | -c | -s snapshot] [-z zone] [-p [name/]name]...
       svcprop -w [-fqtv] [-z zone] [-p [name/]name] {FMRI | pattern}
`

// path is what -p names: a group, or a property of it. Of a group's operand the first name is a
// property.
type path struct {
	first, second string
	two           bool
}

func (p path) String() string {
	if p.two {
		return p.first + "/" + p.second
	}
	return p.first
}

// order is what svcprop was told to do.
type order struct {
	all, quiet, verbose, wait bool
	types, fmris              bool
	view                      byte   // C, c, s; 0: the effective one
	snapshot                  string // of s
	zone                      string
	hasZone                   bool
	paths                     []path
	operands                  []string
}

// misuse is a mistake in a command line. Its text may be empty: then usage says enough.
type misuse struct {
	text  string
	usage bool
}

func (m *misuse) Error() string { return m.text }

var plain = &misuse{usage: true}

const withArgument = "psz"

func parse(args []string) (o order, err *misuse) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			if strings.IndexByte(withArgument, word[i]) < 0 {
				if err := o.flag(word[i]); err != nil {
					return o, err
				}
				continue
			}
			value := word[i+1:]
			if value == "" {
				if len(args) == 0 {
					return o, plain
				}
				value, args = args[0], args[1:]
			}
			if err := o.option(word[i], value); err != nil {
				return o, err
			}
			break
		}
	}
	o.operands = args
	return o, o.sensible()
}

// sensible refuses what does not go together.
func (o *order) sensible() *misuse {
	switch {
	case o.all && (len(o.operands) > 0 || o.wait),
		!o.all && len(o.operands) == 0,
		o.wait && (o.view != 0 || len(o.paths) > 1 || len(o.operands) > 1):
		return plain
	}
	return nil
}

func (o *order) flag(letter byte) *misuse {
	switch letter {
	case 'a':
		o.all = true
	case 'C', 'c':
		return o.look(letter)
	case 'f':
		o.types, o.fmris = true, true
	case 'q':
		o.quiet = true
	case 't':
		o.types = true
	case 'v':
		o.verbose = true
	case 'w':
		o.wait = true
	default:
		return plain
	}
	return nil
}

func (o *order) option(letter byte, value string) *misuse {
	switch letter {
	case 'p':
		return o.addPath(value)
	case 's':
		o.snapshot = value
		return o.look('s')
	}
	o.zone, o.hasZone = value, true
	return nil
}

// look chooses a view. One may be chosen twice, of two kinds neither.
func (o *order) look(view byte) *misuse {
	if o.view != 0 && o.view != view {
		return plain
	}
	o.view = view
	return nil
}

func (o *order) addPath(text string) *misuse {
	p := path{}
	p.first, p.second, p.two = strings.Cut(text, "/")
	if strings.Contains(p.second, "/") {
		return &misuse{"-p argument `" + text + "' has too many components.", true}
	}
	for _, name := range []string{p.first, p.second} {
		if (name != "" || p.two || p.first == "") && fmri.CheckName(name) != nil {
			return &misuse{"Invalid component name `" + name + "'.", false}
		}
	}
	// Of a mixture those with one name are whole groups, which are printed with their names.
	if n := len(o.paths); n > 0 && o.paths[n-1].two != p.two {
		o.types = true
	}
	o.paths = append(o.paths, p)
	return nil
}

// of is the view of an entity: a service has one only.
func (o *order) of(e repo.Entity) door.View {
	switch {
	case e.Instance == "", o.view == 'C':
		return door.Direct
	case o.view == 'c':
		return door.Composed
	case o.view == 's':
		return door.Snapshot(o.snapshot)
	}
	return door.Effective
}
