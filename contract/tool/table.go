package tool

import (
	"strconv"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

// Widths of columns, the blank behind them included, as in the examples of the original's
// manual pages.
const (
	columnWidth = 8
	critWidth   = 5
	ackWidth    = 4
	// labelWidth is for what -v puts before a value, behind a tab.
	labelWidth = 23
)

// appendColumn writes a word and fills it up with blanks; one blank stands behind a word that
// is too wide.
func appendColumn(b []byte, word string, width int) []byte {
	b = append(b, word...)
	for n := len(word); n < width-1; n++ {
		b = append(b, ' ')
	}
	return append(b, ' ')
}

// appendTable is ctstat's: the header and a line for each contract, with -v its details.
func appendTable(b []byte, list []contract.Status, verbose, zoneName bool) []byte {
	for _, word := range []string{"CTID", "ZONEID", "TYPE", "STATE", "HOLDER", "EVENTS", "QTIME"} {
		b = appendColumn(b, word, columnWidth)
	}
	b = appendLast(b, "NTIME", "ZONE", zoneName)
	for i := range list {
		st := &list[i]
		b = appendColumn(b, formatID(st.ID), columnWidth)
		b = appendColumn(b, strconv.Itoa(st.ZoneID), columnWidth)
		b = appendColumn(b, typeProcess, columnWidth)
		b = appendColumn(b, stateColumn(st.State), columnWidth)
		b = appendColumn(b, unless(st.Holder, 0), columnWidth)
		b = appendColumn(b, strconv.Itoa(st.Unacked), columnWidth)
		b = appendColumn(b, unless(st.QuantumMs, -1), columnWidth)
		b = appendLast(b, unless(st.NegotiateMs, -1), printable.Text(st.Zone), zoneName)
		if verbose {
			b = appendDetails(b, st)
		}
	}
	return b
}

// appendLast writes the last column, and the zone's name behind it when it is asked for.
func appendLast(b []byte, word, zone string, zoneName bool) []byte {
	if zoneName {
		return append(append(appendColumn(b, word, columnWidth), zone...), '\n')
	}
	return append(append(b, word...), '\n')
}

// stateColumn is the state in the width that the table has.
func stateColumn(s contract.State) string {
	if s == contract.Inherited {
		return "inherit"
	}
	return s.String()
}

func unless(n, not int64) string {
	if n == not {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// appendDetails is what -v says of a contract, in the order of the original; what it does
// not have is behind.
func appendDetails(b []byte, st *contract.Status) []byte {
	t := &st.Terms
	b = appendLabel(b, "cookie", string(contract.AppendCookie(nil, t.Cookie)))
	b = appendLabel(b, "informative event set", t.Informative.String())
	b = appendLabel(b, "critical event set", t.Critical.String())
	b = appendLabel(b, "fatal event set", t.Fatal.String())
	b = appendLabel(b, "parameter set", t.Params.String())
	b = appendLabel(b, "member processes", numbers(st.Members))
	b = appendLabel(b, "inherited contracts", numbers(st.Inherits))
	b = appendLabel(b, "service fmri", printable.Text(t.FMRI))
	b = appendLabel(b, "service fmri ctid", unless(int64(st.FMRICT), 0))
	b = appendLabel(b, "creator", printable.Text(st.Creator))
	b = appendLabel(b, "aux", printable.Text(t.Aux))
	b = appendLabel(b, "event sources", printable.Text(st.Sources))
	if p := st.Within.Project; p != nil {
		b = appendLabel(b, "project", strconv.FormatUint(uint64(p.ID), 10)+" ("+printable.Text(p.Name)+")")
	}
	if st.Within.Pool != "" {
		b = appendLabel(b, "pool", printable.Text(st.Within.Pool))
	}
	if st.LostEvents > 0 {
		b = appendLabel(b, "events lost", strconv.FormatUint(st.LostEvents, 10))
	}
	return b
}

// appendLabel writes a line of details.
func appendLabel(b []byte, label, value string) []byte {
	b = append(b, '\t')
	if value == "" {
		return append(append(b, label...), ':', '\n')
	}
	return append(append(appendColumn(b, label+":", labelWidth), value...), '\n')
}

// numbers is a list of them, "none" for an empty one.
func numbers[T int32 | contract.ID](list []T) string {
	if len(list) == 0 {
		return "none"
	}
	var b []byte
	for i, n := range list {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}
