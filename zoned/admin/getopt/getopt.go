package getopt

import (
	"fmt"
	"strings"
)

// Option is one option as it was given.
type Option struct {
	Letter byte
	Arg    string // of an option that takes one
}

// Parsed is a command line taken apart.
type Parsed struct {
	Options []Option
	// Operands are what follows the options.
	Operands []string
}

// Parse takes args apart. spec lists the letters that are allowed; a colon after one says
// that it takes an argument, as in getopt(3).
func Parse(args []string, spec string) (Parsed, error) {
	var p Parsed
	for len(args) > 0 {
		a := args[0]
		if a == "--" {
			args = args[1:]
			break
		}
		if len(a) < 2 || a[0] != '-' {
			break
		}
		args = args[1:]
		for i := 1; i < len(a); i++ {
			o := Option{Letter: a[i]}
			at := strings.IndexByte(spec, o.Letter)
			if o.Letter == ':' || at < 0 {
				return p, fmt.Errorf("unknown option -%s", show(a[i:]))
			}
			if at+1 == len(spec) || spec[at+1] != ':' {
				p.Options = append(p.Options, o)
				continue
			}
			if o.Arg = a[i+1:]; o.Arg == "" {
				if len(args) == 0 {
					return p, fmt.Errorf("option -%c needs an argument", o.Letter)
				}
				o.Arg, args = args[0], args[1:]
			}
			p.Options = append(p.Options, o)
			break
		}
	}
	p.Operands = args
	return p, nil
}

// show gives the letter that was not understood, or the word if it is a --long option.
func show(rest string) string {
	if rest[0] == '-' {
		return strings.ToValidUTF8(fmt.Sprintf("%.30s", rest), "?")
	}
	for _, r := range rest {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return "?"
		}
		return string(r)
	}
	return ""
}

// Has says whether an option was given.
func (p Parsed) Has(letter byte) bool {
	for _, o := range p.Options {
		if o.Letter == letter {
			return true
		}
	}
	return false
}

// Arg is the argument of the last occurrence of an option, and whether there was one.
func (p Parsed) Arg(letter byte) (string, bool) {
	for i := len(p.Options) - 1; i >= 0; i-- {
		if p.Options[i].Letter == letter {
			return p.Options[i].Arg, true
		}
	}
	return "", false
}
