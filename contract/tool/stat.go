package tool

import (
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

const statUsage = `usage: ctstat [-avZ] [-i ctid[,ctid...]] [-t type[,type...]] [-z zone[,zone...]]
              [-T u|d] [interval [count]]
       ctstat -o json [-a] [-i ...] [-t ...] [-z ...] [interval [count]]
`

// statOrder is what ctstat was told to show.
type statOrder struct {
	all      bool          // -a
	verbose  bool          // -v
	zoneName bool          // -Z
	json     bool          // -o json
	ids      []contract.ID // -i; none: all
	zones    zones         // -z
	stamp    byte          // -T: u or d
	interval time.Duration // 0: once
	count    int           // 0: for ever
}

// intervalMax: who waits longer has mistyped.
const intervalMax = 366 * 24 * 60 * 60

func parseStat(args []string) (o statOrder, problem string) {
	options, operands, problem := parseOptions(args, "ai:o:t:T:vz:Z")
	if problem != "" {
		return o, problem
	}
	for _, opt := range options {
		if problem := o.take(opt); problem != "" {
			return o, problem
		}
	}
	if o.json && o.stamp != 0 {
		return o, "-T is not for -o json"
	}
	if len(operands) > 2 {
		return o, "too many operands"
	}
	for i, word := range operands {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > intervalMax {
			return o, "the interval and the count are whole numbers from 1 on, not " + printable.Text(word)
		}
		if i == 0 {
			o.interval = time.Duration(n) * time.Second
		} else {
			o.count = n
		}
	}
	return o, ""
}

func (o *statOrder) take(opt option) (problem string) {
	switch opt.letter {
	case 'a':
		o.all = true
	case 'v':
		o.verbose = true
	case 'Z':
		o.zoneName = true
	case 'i':
		ids, ok := parseIDs(opt.arg)
		if !ok {
			return "-i wants numbers of contracts, not " + printable.Text(opt.arg)
		}
		o.ids = append(o.ids, ids...)
	case 'o':
		if opt.arg != "json" {
			return "-o knows json, not " + printable.Text(opt.arg)
		}
		o.json = true
	case 't':
		return checkTypes(opt.arg)
	case 'T':
		if opt.arg != "u" && opt.arg != "d" {
			return "-T wants u or d, not " + printable.Text(opt.arg)
		}
		o.stamp = opt.arg[0]
	case 'z':
		if o.zones = append(o.zones, splitList(opt.arg)...); len(o.zones) == 0 {
			return "-z wants names of zones"
		}
	}
	return ""
}

// typeProcess is the only type of contract that there is here.
const typeProcess = "process"

func checkTypes(list string) (problem string) {
	words := splitList(list)
	for _, word := range words {
		if word != typeProcess {
			return "there is no contract type " + printable.Text(word) + "; there is " + typeProcess
		}
	}
	if len(words) == 0 {
		return "-t wants a type of contracts: " + typeProcess
	}
	return ""
}

func (env *Env) ctstat(args []string) int {
	o, problem := parseStat(args)
	if problem != "" {
		env.complain("ctstat", problem, statUsage)
		return exitUsage
	}
	exit := 0
	for n := 1; ; n++ {
		if code := env.report(&o); code != 0 {
			exit = code
		}
		if o.interval == 0 || n == o.count {
			return exit
		}
		if !pause(o.interval) {
			return exit
		}
	}
}

// pause waits for the next report; false: a signal that ends programs came, and the last
// report is whole.
func pause(d time.Duration) bool {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(ch)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ch:
		return false
	}
}

// report prints one report in one write, so that its reader sees all of it or nothing.
func (env *Env) report(o *statOrder) int {
	list, ok := env.statuses(o)
	var b []byte
	if o.stamp == 'u' {
		b = append(strconv.AppendInt(b, time.Now().Unix(), 10), '\n')
	} else if o.stamp == 'd' {
		b = append(time.Now().AppendFormat(b, time.UnixDate), '\n')
	}
	if o.json {
		b = appendStatusesJSON(b, list)
	} else {
		b = appendTable(b, list, o.verbose, o.zoneName)
	}
	if _, err := env.Out.Write(b); err != nil {
		env.say("ctstat", "write: "+errnoText(err))
		ok = false
	}
	if !ok {
		return exitError
	}
	return 0
}

// statuses asks all sources; ok is false when one could not tell, or a contract that was
// named is nowhere.
func (env *Env) statuses(o *statOrder) (list []contract.Status, ok bool) {
	sources, done, ok := env.sources("ctstat", env.find, o.zones)
	defer done()
	found := map[contract.ID]bool{}
	for _, s := range sources {
		all, err := s.Statuses(o.ids)
		if err != nil {
			env.say("ctstat", inZone(s, err))
			ok = false
		}
		for _, st := range all {
			found[st.ID] = true
			// Who names a contract wants to see it.
			if o.all || len(o.ids) > 0 || st.State != contract.Dead {
				list = append(list, st)
			}
		}
	}
	for _, id := range o.ids {
		if !found[id] {
			env.say("ctstat", "contract "+formatID(id)+": no such contract")
			ok = false
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list, ok
}

// inZone is explain of what went wrong with a source, with its zone's name once.
func inZone(s Source, err error) string {
	text, name := explain(err), printable.Text(s.Zone())
	if prefix := "zone '" + name + "': "; name != "" && !strings.HasPrefix(text, prefix) {
		return prefix + text
	}
	return text
}

func formatID(id contract.ID) string { return strconv.FormatUint(uint64(id), 10) }

func appendStatusesJSON(b []byte, list []contract.Status) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = list[i].AppendJSON(append(b, '\n'))
	}
	if len(list) > 0 {
		b = append(b, '\n')
	}
	return append(b, ']', '\n')
}
