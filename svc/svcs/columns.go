package svcs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is a line of the table, or an object.
type row struct {
	*instance
	zone string
}

// column is one that can be printed and sorted by.
type column struct {
	name  string
	width int
	text  string // what it is, for the help
	show  func(r *run, x *row) string
	order func(r *run, x, y *row) int
}

// columns are all there are.
var columns = []column{
	{"CTID", 6, "contract of the service, contract(5)", showContract, byContract},
	{"DESC", 100, "what the service is called", showName, by(showName)},
	{"FMRI", 50, "FMRI of the instance", showFMRI, by(showFMRI)},
	{"INST", 20, "name of the instance", showInstance, by(showInstance)},
	{"N", 1, "next state, as a letter", showN, byNext},
	{"NSTA", 4, "next state, abbreviated", showNSTA, byNext},
	{"NSTATE", 13, "next state", showNext, byNext},
	{"S", 2, "state, as a letter", showS, byState},
	{"SCOPE", 20, "scope of the service", showScope, by(showScope)},
	{"SN", 2, "state and next state, as letters", showSN, func(r *run, x, y *row) int { return cmp.Or(byState(r, x, y), byNext(r, x, y)) }},
	{"SVC", 20, "name of the service", showService, by(showService)},
	{"STA", 4, "state, abbreviated", showSTA, byState},
	{"STATE", 14, "state", showState, byState},
	{"STIME", 8, "when the state was entered", showSince, bySince},
	{"ZONE", 16, "name of the zone", showZone, by(showZone)},
}

// columnNamed finds one, in either case of letters; nil when there is none.
func columnNamed(name string) *column {
	for i := range columns {
		if strings.EqualFold(name, columns[i].name) {
			return &columns[i]
		}
	}
	return nil
}

// stateWords are the states with their letters, abbreviations, and place in the order: from what is
// of least interest to what is of most.
var stateWords = map[string]struct {
	letter, short string
	rank          int
}{
	legacyRun:     {"L", "LRC", 0},
	disabled:      {"d", "DIS", 1},
	online:        {"1", "ON", 2},
	degraded:      {"D", "DGD", 3},
	offline:       {"0", "OFF", 4},
	maintenance:   {"m", "MNT", 5},
	uninitialized: {"u", "UN", 6},
}

func letterOf(state string) string {
	if w, is := stateWords[state]; is {
		return w.letter
	}
	return "?"
}

func shortOf(state string) string {
	if w, is := stateWords[state]; is {
		return w.short
	}
	return "?"
}

func rankOf(state string) int {
	if w, is := stateWords[state]; is {
		return w.rank
	}
	return len(stateWords)
}

// star marks a state that is about to be left, where the next one is not shown.
func (r *run) star(x *row) string {
	if _, is := stateWords[x.next()]; is && !r.order.shows("N", "SN", "NSTA", "NSTATE") {
		return "*"
	}
	return ""
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func showState(r *run, x *row) string { return orDash(x.state()) + r.star(x) }
func showSTA(r *run, x *row) string   { return shortOf(x.state()) + r.star(x) }
func showS(r *run, x *row) string     { return letterOf(x.state()) + r.star(x) }
func showNext(_ *run, x *row) string  { return orDash(x.next()) }
func showSN(r *run, x *row) string    { return letterOf(x.state()) + showN(r, x) }

func showN(_ *run, x *row) string {
	if next := x.next(); next != "" {
		return letterOf(next)
	}
	return "-"
}

func showNSTA(_ *run, x *row) string {
	if next := x.next(); next != "" {
		return shortOf(next)
	}
	return "-"
}

func showFMRI(_ *run, x *row) string { return x.fmri }
func showScope(*run, *row) string    { return "localhost" }

func showService(_ *run, x *row) string {
	if x.path != "" {
		return x.path
	}
	return x.on.Service
}

func showInstance(_ *run, x *row) string { return orDash(x.on.Instance) }
func showName(_ *run, x *row) string     { return orDash(commonName(x.ran)) }

func showZone(r *run, x *row) string {
	if x.zone != "" {
		return x.zone
	}
	return r.env.Here()
}

// showContract is the number of the contract, to the right; of several the first, with a star.
func showContract(_ *run, x *row) string {
	text := "-"
	switch ids := x.contracts("contract"); {
	case len(ids) == 1:
		text = strconv.FormatUint(ids[0], 10)
	case len(ids) > 1:
		text = strconv.FormatUint(ids[0], 10) + "*"
	}
	return strings.Repeat(" ", max(6-len(text), 0)) + text
}

func showSince(r *run, x *row) string {
	at, is := x.since()
	if !is {
		return "-"
	}
	return r.moment(at)
}

// Times are shown by the hour for a day, by the day for 360, and by the year beyond.
const (
	day  = 24 * time.Hour
	year = 360 * day
)

// moment is a time in a table, as wide as its column.
func (r *run) moment(at time.Time) string {
	at = at.In(r.now.Location())
	// In whole seconds, which do not overflow, however long ago it was.
	switch ago := r.now.Unix() - at.Unix(); {
	case ago < int64(day/time.Second):
		text := at.Format("15:04:05")
		if text[0] == '0' {
			text = " " + text[1:]
		}
		return text
	case ago < int64(year/time.Second):
		return at.Format("Jan_02") + "  "
	}
	return at.Format("2006") + "    "
}

// fullTime is a time in a sentence.
func (r *run) fullTime(at time.Time) string {
	return at.In(r.now.Location()).Format("Mon Jan _2 15:04:05 2006")
}

func by(show func(*run, *row) string) func(*run, *row, *row) int {
	return func(r *run, x, y *row) int { return strings.Compare(show(r, x), show(r, y)) }
}

func byState(_ *run, x, y *row) int { return rankOf(x.state()) - rankOf(y.state()) }
func byNext(_ *run, x, y *row) int  { return rankOf(x.nextRank()) - rankOf(y.nextRank()) }

// nextRank is the next state as it is sorted: a script has none, and comes first.
func (x *row) nextRank() string {
	if x.path != "" {
		return legacyRun
	}
	return x.next()
}

func byContract(_ *run, x, y *row) int {
	return slices.Compare(first(x.contracts("contract")), first(y.contracts("contract")))
}

// first has no more than one of a list.
func first(ids []uint64) []uint64 { return ids[:min(len(ids), 1)] }

func bySince(_ *run, x, y *row) int {
	a, hasA := x.since()
	b, hasB := y.since()
	switch {
	case hasA && hasB:
		return a.Compare(b)
	case hasA:
		return 1
	case hasB:
		return -1
	}
	return 0
}
