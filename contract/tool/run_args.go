package tool

import (
	"strconv"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

const runUsage = `usage: ctrun [-i event[,event...]] [-f event[,event...]] [-l none|child|contract]
             [-o noorphan,pgrponly,regent] [-r count [-t]] [-F fmri] [-A aux] [-v|-V]
             command [argument ...]
`

// lifetime says when ctrun ends.
type lifetime string

// The lifetimes.
const (
	lifeNone     lifetime = "none"     // when the command was started; the contract is an orphan
	lifeChild    lifetime = "child"    // when the command ends
	lifeContract lifetime = "contract" // when the contract is empty
)

// runOrder is what ctrun was told to do.
type runOrder struct {
	info, crit, fatal contract.Events
	params            contract.Params
	life              lifetime
	restart           bool // -r
	runs              int  // of the command at most, 0: no bound
	transfer          bool // -t
	fmri              *string
	aux               string
	adopt             contract.ID // -a
	verbose           int         // 1: -v, 2: -V
	command           []string
}

func parseRun(args []string) (o runOrder, problem string) {
	o = runOrder{info: contract.Core, fatal: contract.Hwerr, life: lifeContract}
	options, operands, problem := parseOptions(args, "a:A:c:f:F:i:l:o:r:tvV")
	if problem != "" {
		return o, problem
	}
	for _, opt := range options {
		if problem := o.take(opt); problem != "" {
			return o, problem
		}
	}
	o.command = operands
	return o, o.sensible()
}

func (o *runOrder) take(opt option) (problem string) {
	switch opt.letter {
	case 'i':
		return takeEvents(&o.info, opt, contract.AllEvents)
	case 'c':
		return takeEvents(&o.crit, opt, contract.AllEvents)
	case 'f':
		return takeEvents(&o.fatal, opt, contract.AllFatal)
	case 'l':
		switch o.life = lifetime(opt.arg); o.life {
		case lifeNone, lifeChild, lifeContract:
		default:
			return "-l wants none, child or contract, not " + printable.Text(opt.arg)
		}
	case 'o':
		return o.takeParams(opt.arg)
	case 'r':
		n, err := strconv.ParseUint(opt.arg, 10, 31)
		if err != nil {
			return "-r wants a number, not " + printable.Text(opt.arg)
		}
		o.restart, o.runs = true, int(n)
	case 't':
		o.transfer = true
	case 'F':
		if o.fmri = &opt.arg; len(opt.arg) > contract.FMRIMax {
			return "-F: the name of a service has at most " + strconv.Itoa(contract.FMRIMax) + " bytes"
		}
	case 'A':
		if o.aux = opt.arg; len(opt.arg) > contract.AuxMax {
			return "-A: at most " + strconv.Itoa(contract.AuxMax) + " bytes"
		}
	case 'a':
		var ok bool
		if o.adopt, ok = parseID(opt.arg); !ok {
			return "-a wants the number of a contract, not " + printable.Text(opt.arg)
		}
	case 'v':
		o.verbose = max(o.verbose, 1)
	case 'V':
		o.verbose = 2
	}
	return ""
}

func takeEvents(to *contract.Events, opt option, allowed contract.Events) (problem string) {
	e, err := contract.ParseEvents(opt.arg)
	if err != nil {
		return "-" + string(opt.letter) + " wants events (core, empty, exit, fork, hwerr, signal, or none), not " + printable.Text(opt.arg)
	}
	if e&^allowed != 0 {
		return "only core, hwerr and signal can be fatal, not " + (e &^ allowed).String()
	}
	*to = e
	return ""
}

// takeParams adds to what was given before: an option may be given more than once.
func (o *runOrder) takeParams(list string) (problem string) {
	p, err := contract.ParseParams(list)
	if err != nil || p&contract.Inherit != 0 {
		return "-o wants noorphan, pgrponly or regent, not " + printable.Text(list)
	}
	o.params |= p
	return ""
}

// sensible refuses what contradicts itself.
func (o *runOrder) sensible() (problem string) {
	switch {
	case o.life == lifeNone && o.params&contract.NoOrphan != 0:
		return "-o noorphan makes no sense with -l none"
	case o.restart && o.life != lifeContract:
		return "-r makes sense with -l contract only"
	case o.restart && o.params&contract.PgrpOnly != 0:
		return "-r makes no sense with -o pgrponly"
	case o.transfer && !o.restart:
		return "-t makes no sense without -r"
	case o.adopt != 0 && o.life != lifeContract:
		return "-a makes sense with -l contract only"
	case len(o.command) == 0 && (o.adopt == 0 || o.restart):
		return "a command is missing"
	case len(o.command) > 0 && o.adopt != 0 && !o.restart:
		return "-a starts a command only to restart it: -r is missing"
	}
	return ""
}

// needsCriticalOnly says whether informative events mean nothing to this run: then a storm of
// them does not wake it. Those that end a run are critical by its own terms, but for those of a
// contract that another made, and fatal ones that end nobody but a process group.
func (o *runOrder) needsCriticalOnly() bool {
	return o.verbose == 0 && o.adopt == 0 && o.params&contract.PgrpOnly == 0
}

// terms are those of the command's contract. What is fatal is critical too, so that ctrun is
// told of it, but where only a process group dies; that the contract is empty always is.
func (o *runOrder) terms() contract.Terms {
	t := contract.DefaultTerms()
	t.Informative, t.Fatal, t.Params, t.Aux = o.info, o.fatal, o.params, o.aux
	t.Critical = contract.Empty | o.crit
	if o.params&contract.PgrpOnly == 0 {
		t.Critical |= o.fatal
	}
	if o.fmri != nil {
		t.FMRI = *o.fmri
	}
	return t
}
