package svcs

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
)

const usage = `Usage: svcs [-aHpv] [-o col[,col ... ]] [-R restarter] [-sS col] [-Z | -z zone ]
            [<service> ...]
       svcs -d | -D [-Hpv] [-o col[,col ... ]] [-sS col] [-Z | -z zone ]
            [<service> ...]
       svcs [-l | -L] [-pv] [-Z | -z zone] <service> ...
       svcs -x [-v] [-Z | -z zone] [<service> ...]
       svcs -?
`

const help = `
	-a  list instances that are not enabled too
	-d  list what the services depend on
	-D  list what depends on the services
	-H  no header, and a tab between columns
	-l  tell all of the services
	-L  print the names of the services' log files
	-o  print these columns; json prints an array of objects
	-p  list the processes of each service
	-R  list what this restarter looks after
	-s  sort by this column, in ascending order
	-S  sort by this column, in descending order
	-v  tell more, of whatever is printed
	-x  explain why services do not run: these, or those at the root of it
	-z  on the host: the services of a zone
	-Z  on the host: the services of all running zones

	A service is named by its FMRI, the end of it, or a pattern:

	svcs svc:/network/smtp:sendmail
	svcs network/smtp:sendmail
	svcs 'network/*mail'
	svcs smtp

	Columns, in either case of letters:

`

// optionsMax bounds columns, keys and restarters: there are 15 columns.
const optionsMax = 64

// sortKey is a column to sort by.
type sortKey struct {
	column  *column
	reverse bool
}

// order is what svcs was told to do.
type order struct {
	mode                                     byte // d, D, l, L, x; 0: list
	all, bare, processes, verbose            bool
	json, allZones, help, hasZone, hasColumn bool
	columns                                  []*column
	keys                                     []sortKey
	restarters                               []string
	zone                                     string
	operands                                 []string
}

// misuse is a mistake in a command line that usage answers.
type misuse struct{}

func (misuse) Error() string { return "usage" }

const withArgument = "oRsSz"

// given is one option with its argument.
type given struct {
	letter byte
	value  string
}

// split takes a command line apart, as getopt(3) does.
func split(args []string) (options []given, operands []string, err error) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			g := given{letter: word[i]}
			if !strings.Contains(withArgument, word[i:i+1]) {
				options = append(options, g)
				continue
			}
			if g.value = word[i+1:]; g.value == "" {
				if len(args) == 0 {
					return nil, nil, misuse{}
				}
				g.value, args = args[0], args[1:]
			}
			options = append(options, g)
			break
		}
	}
	return options, args, nil
}

// parse understands a command line. The mode is looked for first, since it says which options make
// sense.
func parse(args []string) (o order, err error) {
	options, operands, err := split(args)
	if err != nil {
		return o, err
	}
	o.operands = operands
	for _, g := range options {
		switch g.letter {
		case '?':
			o.help = true
			return o, nil
		case 'd', 'D', 'l', 'L', 'x':
			if o.mode != 0 {
				return o, misuse{}
			}
			o.mode = g.letter
		}
	}
	for _, g := range options {
		if err := o.take(g); err != nil {
			return o, err
		}
	}
	if len(operands) == 0 && (o.mode == 'd' || o.mode == 'D' || o.mode == 'l') {
		return o, misuse{}
	}
	o.complete()
	return o, nil
}

// modes are those that each option goes with.
var modes = map[byte]string{
	'a': "\x00", 'H': "\x00dDL", 'p': "\x00dDlL", 'v': "\x00dDlLx", 'o': "\x00dDL", 'R': "\x00", 's': "\x00dD", 'S': "\x00dD",
	'd': "d", 'D': "D", 'l': "l", 'L': "L", 'x': "x", 'z': "\x00dDlLx", 'Z': "\x00dDlLx",
}

func (o *order) take(g given) error {
	if strings.IndexByte(modes[g.letter], o.mode) < 0 {
		return misuse{}
	}
	switch g.letter {
	case 'a':
		o.all = true
	case 'H':
		o.bare = true
	case 'p':
		o.processes = true
	case 'v':
		o.verbose = true
	case 'o':
		return o.addColumns(g.value)
	case 'R':
		return o.addRestarter(g.value)
	case 's', 'S':
		return o.addKey(g.value, g.letter == 'S')
	case 'z':
		o.zone, o.hasZone = g.value, true
	case 'Z':
		o.allZones = true
	}
	if o.hasZone && o.allZones {
		return misuse{}
	}
	return nil
}

// addColumns takes -o. The last one counts, as with the original.
func (o *order) addColumns(list string) error {
	o.hasColumn, o.json, o.columns = true, strings.EqualFold(list, "json"), nil
	if o.json {
		return nil
	}
	for name := range strings.SplitSeq(list, ",") {
		c := columnNamed(name)
		switch {
		case c == nil:
			return &fatal{"Unknown column \"" + name + "\"."}
		case len(o.columns) == optionsMax:
			return &fatal{"Too many columns."}
		}
		o.columns = append(o.columns, c)
	}
	return nil
}

func (o *order) addKey(name string, reverse bool) error {
	c := columnNamed(name)
	switch {
	case c == nil:
		return &fatal{"Unrecognized sort column \"" + name + "\"."}
	case len(o.keys) == optionsMax:
		return &fatal{"Too many sort criteria."}
	}
	o.keys = append(o.keys, sortKey{c, reverse})
	return nil
}

func (o *order) addRestarter(text string) error {
	f, err := fmri.Parse(text)
	switch {
	case err != nil || f.Scheme != fmri.Service:
		return &fatal{"Restarter FMRI \"" + text + "\" is invalid."}
	case f.Instance == "" || f.Group != "":
		return &fatal{"Restarter FMRI \"" + text + "\" does not designate an instance."}
	case len(o.restarters) == optionsMax:
		return &fatal{"Too many restarters."}
	}
	o.restarters = append(o.restarters, f.String())
	return nil
}

// complete sets what was not said.
func (o *order) complete() {
	var columns, keys string
	if o.allZones {
		columns, keys = "zone,", "zone,"
	}
	keys += "state,stime,fmri"
	if o.verbose {
		columns += "state,nstate,stime,ctid,fmri"
	} else {
		columns += "state,stime,fmri"
	}
	// Who chooses columns and no keys gets them in the order in which they come, with the original;
	// here sorted as usual.
	if len(o.keys) == 0 {
		for name := range strings.SplitSeq(keys, ",") {
			o.keys = append(o.keys, sortKey{column: columnNamed(name)})
		}
	}
	if !o.hasColumn {
		for name := range strings.SplitSeq(columns, ",") {
			o.columns = append(o.columns, columnNamed(name))
		}
	}
}

// shows says whether a column is printed.
func (o *order) shows(names ...string) bool {
	return slices.ContainsFunc(o.columns, func(c *column) bool { return slices.Contains(names, c.name) })
}
