package remains

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/linuxzones/zones/internal/sys"
)

// ledgerMax bounds a journal; zoned's own limit is the same.
const ledgerMax = 8 << 20

// ledgerVersion is of the journals that are understood, zoned's own.
const ledgerVersion = 1

// ErrLedger: the journal says nothing that can be relied upon.
var ErrLedger = errors.New("the zone's journal can not be read")

// ledger is what a zone's journal says of generations. The supervisor's own reader knows more;
// a test holds the two against each other.
type ledger struct {
	boot  string
	live  map[string]int // cgroups of steps that were begun and not undone, and how often
	ids   map[int]int    // numbers likewise
	steps int            // steps that were begun and not undone
	open  bool           // an operation is under way
}

// entry is the part of a journal's line that is of interest.
type entry struct {
	Type string `json:"t"`
	Boot string `json:"boot"`
	V    int    `json:"v"`
	Step string `json:"step"`
	Data struct {
		ZoneID int    `json:"zone_id"`
		Cgroup string `json:"cgroup"`
	} `json:"data"`
}

// Living gives the generations that the journal in dir speaks of: none is taken for dead while
// it makes or takes away anything. A journal of another boot knows none. One that can not be
// read, or is not there though a supervisor is, is an error: then everything might live.
func Living(dir, boot string) (map[int]bool, error) {
	l, err := readLedger(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	live := map[int]bool{}
	if l.boot != boot {
		return live, nil
	}
	for id := range l.ids {
		live[id] = true
	}
	for dir := range l.live {
		if id, err := strconv.Atoi(filepath.Base(dir)[1:]); err == nil {
			live[id] = true
		}
	}
	return live, nil
}

// journaled are the cgroups that the zone's journal speaks of, if it is of this boot: a
// supervisor that was killed between making one and marking it has left it without a mark.
func (h *Host) journaled(zone string) []string {
	l, err := readLedger(h.lay.ZoneState(zone))
	if err != nil || l.boot != h.boot {
		return nil
	}
	return slices.Collect(maps.Keys(l.live))
}

// readLedger reads the journal in dir.
func readLedger(dir string) (*ledger, error) {
	b, err := sys.ReadFile(filepath.Join(dir, "journal"), ledgerMax)
	if err != nil {
		return nil, err
	}
	return parseLedger(b)
}

// parseLedger reads a journal's bytes. A torn last line was acted upon by nobody.
func parseLedger(b []byte) (*ledger, error) {
	l := &ledger{live: map[string]int{}, ids: map[int]int{}}
	type step struct {
		name, cgroup string
		id           int
	}
	var steps []step
	for first := true; len(b) > 0; first = false {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		b = rest
		e, ok := parseEntry(line)
		switch {
		case !ok && (!whole || len(rest) == 0) && !first:
			b = nil // torn
			continue
		case !ok, first && (e.Type != "open" || e.V != ledgerVersion):
			return nil, errors.New("a line is damaged, or of another version")
		}
		switch e.Type {
		case "open":
			l.boot = e.Boot
		case "op":
			l.open = true
		case "end":
			l.open = false
		case "do":
			steps = append(steps, step{e.Step, e.Data.Cgroup, e.Data.ZoneID})
		case "done", "undone":
			for i := len(steps) - 1; i >= 0; i-- {
				if steps[i].name != e.Step {
					continue
				}
				if e.Type == "done" {
					steps[i].cgroup, steps[i].id = e.Data.Cgroup, e.Data.ZoneID
				} else {
					steps = append(steps[:i], steps[i+1:]...)
				}
				break
			}
		}
	}
	l.steps = len(steps)
	for _, s := range steps {
		if len(filepath.Base(s.cgroup)) > 1 {
			l.live[s.cgroup]++
		}
		if s.id != 0 {
			l.ids[s.id]++
		}
	}
	return l, nil
}

func parseEntry(line []byte) (e entry, ok bool) {
	sum, body, cut := bytes.Cut(line, []byte{' '})
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !cut || err != nil || crc32.ChecksumIEEE(body) != uint32(want) {
		return e, false
	}
	return e, json.Unmarshal(body, &e) == nil
}
