package method

import (
	"cmp"
	"fmt"
	"testing"

	"github.com/linuxzones/zones/contract"
)

// matrixOfEvents is which events of a contract stop a service: e that it is empty, c a core dump, s a
// signal from outside, h a hardware error. Columns are values of startd/ignore_error.
var matrixOfEvents = []struct {
	on   string // start/restart_on
	want [7]string
}{
	{"", [7]string{"ecsh", "esh", "ech", "eh", "eh", "ecsh", "ecsh"}},
	{"all", [7]string{"ecsh", "esh", "ech", "eh", "eh", "ecsh", "ecsh"}},
	{"any_fault", [7]string{"csh", "sh", "ch", "h", "h", "csh", "csh"}},
	{"external_fault", [7]string{"sh", "sh", "h", "h", "h", "sh", "sh"}},
	{"any other", [7]string{"ecsh", "esh", "ech", "eh", "eh", "ecsh", "ecsh"}},
}

var ignores = [7]string{"", "core", "signal", "core,signal", "signal,core", "signal, core", "any other"}

// TestEventMatrix is every restart_on by every ignore_error, in every method: only a start's count.
//
//shows:3.2/restart-on 3.2/ignore-error
func TestEventMatrix(t *testing.T) {
	letters := map[rune]contract.Events{'e': contract.Empty, 'c': contract.Core, 's': contract.Signal, 'h': contract.Hwerr}
	for _, row := range matrixOfEvents {
		for column, word := range row.want {
			ignore := ignores[column]
			name := fmt.Sprintf("%s, %s", cmp.Or(row.on, "none"), cmp.Or(ignore, "none"))
			t.Run(name, func(t *testing.T) {
				start := grp("start", str("exec", "x"))
				if row.on != "" {
					start = grp("start", str("exec", "x"), str("restart_on", row.on))
				}
				startd := grp("startd")
				if ignore != "" {
					startd = grp("startd", str("ignore_error", ignore))
				}
				var want contract.Events
				for _, letter := range word {
					want |= letters[letter]
				}
				if m, err := instance(start, startd).Method("start"); err != nil || m.Events != want {
					t.Errorf("%#x, %v, not %#x", m.Events, err, want)
				}
				t.Attr("cell", fmt.Sprintf("3.2/restart-on|restart_on %s|ignore_error/%s|%s", cmp.Or(row.on, "none"), cmp.Or(ignore, "none"), word))
			})
		}
	}
}
