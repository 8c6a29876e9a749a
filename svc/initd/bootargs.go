package initd

import "strings"

// options are what the boot arguments say.
type options struct {
	single  bool // -s
	quiet   bool // -m quiet
	verbose bool // -m verbose, -m debug, -v
	// forStartd are the arguments that svc.startd understands, as given.
	forStartd []string
	unknown   []string
}

// milestones are the values of -m milestone=.
var milestones = []string{"none", "single-user", "multi-user", "multi-user-server", "all"}

// parseBootArgs reads what follows init's name. Nothing in it stops a boot: what is not
// understood is listed. A zone's boot arguments are 256 bytes at most, so is the list.
func parseBootArgs(args []string) options {
	var o options
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "-s":
			o.single = true
			o.forStartd = append(o.forStartd, arg)
		case arg == "-v":
			o.verbose = true
			o.forStartd = append(o.forStartd, "-m", "verbose")
		case strings.HasPrefix(arg, "-m"):
			value := arg[2:]
			if value == "" && i+1 < len(args) {
				i++
				value = args[i]
			}
			o.suboptions(value)
		default:
			o.unknown = append(o.unknown, arg)
		}
	}
	return o
}

// suboptions are a comma-separated list.
func (o *options) suboptions(list string) {
	for value := range strings.SplitSeq(list, ",") {
		if !o.suboption(value) {
			o.unknown = append(o.unknown, "-m "+value)
			continue
		}
		o.forStartd = append(o.forStartd, "-m", value)
	}
}

func (o *options) suboption(value string) bool {
	switch value {
	case "quiet":
		o.quiet = true
		return true
	case "verbose", "debug":
		o.verbose = true
		return true
	}
	name, found := strings.CutPrefix(value, "milestone=")
	if !found {
		return false
	}
	for _, m := range milestones {
		if name == m {
			o.single = o.single || m == "single-user"
			return true
		}
	}
	return false
}
