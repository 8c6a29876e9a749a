package zoned

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

const (
	journalName    = "journal"
	journalVersion = 1
	// journalBytesMax bounds what is read back. A boot writes some kilobytes, and the file is
	// written anew at each operation.
	journalBytesMax = 8 << 20
	// resultsMax is how many results of ended operations are kept for callers that come back.
	resultsMax = 64
)

// record is one line of the journal.
type record struct {
	Type string `json:"t"`
	// open
	Version int    `json:"v,omitempty"`
	Boot    string `json:"boot,omitempty"`
	// op
	Op *operation `json:"op,omitempty"`
	// phase
	Phase phase `json:"phase,omitempty"`
	// do, done, undo, undone
	Step string    `json:"step,omitempty"`
	Data *stepData `json:"data,omitempty"`
	// failed
	Replies []api.Reply `json:"replies,omitempty"`
	// shutdown
	Shutdown *shutdown `json:"shutdown,omitempty"`
	// end
	Result *result  `json:"result,omitempty"`
	Revive *revival `json:"revive,omitempty"`
}

// The types of records.
const (
	recOpen   = "open"
	recOp     = "op"
	recPhase  = "phase"  // one phase of the operation is over
	recDown   = "down"   // it could not be halted
	recFailed = "failed" // what was done of it is being undone
	recDo     = "do"
	recDone   = "done"
	recUndo   = "undo"
	recUndone = "undone"
	recEnd    = "end"
	// recShutdown: the zone was asked to go down by itself. It is over with the request's result,
	// or with an operation of the request's id, which goes on from there.
	recShutdown = "shutdown"
)

// shutdown is one that waits for the zone to go down, beside the operations.
type shutdown struct {
	ID            string `json:"id"`
	Until         int64  `json:"until"` // on the monotonic clock, in nanoseconds
	Reboot        bool   `json:"reboot,omitempty"`
	BootArgs      string `json:"bootargs,omitempty"`
	BootArgsGiven bool   `json:"bootargs_given,omitempty"`
}

// operation is a transition under way.
type operation struct {
	ID       string   `json:"id"` // the request's, empty when it came from inside the zone
	Verb     api.Verb `json:"verb"`
	Phases   []phase  `json:"phases"`
	BootArgs string   `json:"bootargs,omitempty"`
	// BootArgsGiven: without it the configuration's serve.
	BootArgsGiven bool `json:"bootargs_given,omitempty"`
	Verbose       bool `json:"verbose,omitempty"`
	// Of an upgrade: the file that ran, whether it is the one to go on, and both builds.
	Program     string `json:"program,omitempty"`
	SameProgram bool   `json:"same_program,omitempty"`
	From        string `json:"from,omitempty"`
	To          string `json:"to,omitempty"`
	// Past are the phases that are over.
	Past []phase `json:"past,omitempty"`
	// Revive: when this halt has ended the zone waits to be booted again, because its init died or
	// it rebooted itself again and again.
	Revive *revival `json:"revive,omitempty"`
	// Attempt counts supervisors that died during it.
	Attempt int `json:"attempt,omitempty"`
	// Failed is what was said of its failure, once there was one: it is not tried again, only
	// undone.
	Failed []api.Reply `json:"failed,omitempty"`
}

// revival is a boot that waits, since the zone's init died too often to boot it at once.
type revival struct {
	At    int64         `json:"at"`    // on the monotonic clock, in nanoseconds
	Delay time.Duration `json:"delay"` // what the next one will wait
}

// result is how an operation ended, kept for a caller whose supervisor died.
type result struct {
	ID      string      `json:"id"`
	Replies []api.Reply `json:"replies"`
}

// stepData is what a step needs to be undone, and what it made. Each step has its part.
type stepData struct {
	ZoneID    int      `json:"zone_id,omitempty"`
	IDBase    uint32   `json:"id_base,omitempty"`
	Cgroup    string   `json:"cgroup,omitempty"`
	CgroupID  uint64   `json:"cgroup_id,omitempty"`
	Contract  uint32   `json:"contract,omitempty"`
	InitPid   int      `json:"init_pid,omitempty"`
	InitStart uint64   `json:"init_start,omitempty"`
	InitPath  string   `json:"init_path,omitempty"`
	InitArgs  []string `json:"init_args,omitempty"`
	InitEnv   []string `json:"init_env,omitempty"`
	Since     int64    `json:"since,omitempty"`
}

// liveStep is a step that was begun and not undone.
type liveStep struct {
	Name string
	Data stepData
	Done bool
}

// history is what a journal says.
type history struct {
	steps   []liveStep
	open    *operation // one that did not end
	down    bool       // a halt failed: processes or steps are left
	revive  *revival   // between a halt and the boot that waits, see operation
	asked   *shutdown  // the zone was asked to go down, and whoever asked waits
	results []result
}

// journal is the append-only log of what this zone's supervisors did. A line is a checksum
// and a record; a torn last line, of a supervisor that was killed while it wrote, is cut off.
// It is not fsynced: it must survive a process, not the host, whose boot id it carries.
type journal struct {
	dir  string
	file *os.File
	size int64 // of the file, up to its last whole line
	boot string
	hist history
}

var errJournal = errors.New("journal")

// openJournal reads the zone's journal and goes on with it. A journal of another boot of the
// host says nothing.
func openJournal(dir string) (*journal, error) {
	boot, err := sys.BootID()
	if err != nil {
		return nil, err
	}
	j := &journal{dir: dir, boot: boot}
	b, err := sys.ReadFile(filepath.Join(dir, journalName), journalBytesMax)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	if j.hist, err = replay(b, boot); err != nil {
		return nil, err
	}
	return j, j.rewrite()
}

// replay makes the history of a journal's bytes.
func replay(b []byte, boot string) (history, error) {
	var h history
	first := true
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		b = rest
		r, err := parseLine(line)
		if err != nil {
			if !whole || len(rest) == 0 {
				break // torn: nobody acted on it
			}
			return h, fmt.Errorf("%w: damaged before its end: %w", errJournal, err)
		}
		if first {
			if r.Type != recOpen || r.Version != journalVersion {
				return h, fmt.Errorf("%w: version %d, this program knows %d", errJournal, r.Version, journalVersion)
			}
			if r.Boot != boot {
				return history{}, nil
			}
			first = false
			continue
		}
		h.apply(r)
	}
	return h, nil
}

func (h *history) apply(r *record) {
	switch r.Type {
	case recOp:
		h.begin(r.Op)
	case recShutdown:
		h.asked = r.Shutdown
	case recPhase:
		if h.open != nil {
			h.open.Past = append(h.open.Past, r.Phase)
		}
	case recDo:
		// One that its supervisor did not finish is begun again by the next (doBoot): it is one step.
		if i := h.find(r.Step); i >= 0 && !h.steps[i].Done {
			h.steps[i].Data = *r.Data
			return
		}
		h.steps = append(h.steps, liveStep{Name: r.Step, Data: *r.Data})
	case recDone:
		if i := h.find(r.Step); i >= 0 {
			h.steps[i].Done = true
			h.steps[i].Data = *r.Data
		}
	case recUndone:
		if i := h.find(r.Step); i >= 0 {
			h.steps = append(h.steps[:i], h.steps[i+1:]...)
		}
		h.down = h.down && len(h.steps) > 0
	case recDown:
		h.down = true
	case recFailed:
		if h.open != nil {
			h.open.Failed = r.Replies
		}
	case recEnd:
		if h.open = nil; r.Revive != nil {
			h.revive = r.Revive
		}
		if h.asked != nil && h.asked.ID == r.Result.ID {
			h.asked = nil
		}
		if r.Result.ID != "" {
			h.results = append(h.results, *r.Result)
			h.results = h.results[max(0, len(h.results)-resultsMax):]
		}
	}
}

// begin takes an operation into the history. Of a shutdown it is the second half.
func (h *history) begin(op *operation) {
	h.open, h.revive = op, nil
	if h.asked != nil && h.asked.ID == op.ID {
		h.asked = nil
	}
}

// find is the index of the last live step of a name.
func (h *history) find(name string) int {
	for i := len(h.steps) - 1; i >= 0; i-- {
		if h.steps[i].Name == name {
			return i
		}
	}
	return -1
}

func parseLine(line []byte) (*record, error) {
	sum, body, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return nil, errors.New("no checksum")
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || crc32.ChecksumIEEE(body) != uint32(want) {
		return nil, errors.New("bad checksum")
	}
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	switch {
	case r.Type == recOp && r.Op == nil, (r.Type == recDo || r.Type == recDone) && r.Data == nil, r.Type == recEnd && r.Result == nil,
		r.Type == recShutdown && (r.Shutdown == nil || r.Shutdown.ID == ""):
		return nil, errors.New("incomplete record")
	}
	return &r, nil
}

func appendLine(b []byte, r *record) ([]byte, error) {
	p, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.ChecksumIEEE(p))
	return append(append(b, p...), '\n'), nil
}

// rewrite replaces the file by one that says the same in the fewest lines, and opens it.
func (j *journal) rewrite() error {
	var b []byte
	var err error
	lines := []*record{{Type: recOpen, Version: journalVersion, Boot: j.boot}}
	for i := range j.hist.results {
		lines = append(lines, &record{Type: recEnd, Result: &j.hist.results[i]})
	}
	if j.hist.revive != nil {
		lines = append(lines, &record{Type: recEnd, Result: &result{}, Revive: j.hist.revive})
	}
	for i := range j.hist.steps {
		s := &j.hist.steps[i]
		lines = append(lines, &record{Type: recDo, Step: s.Name, Data: &s.Data})
		if s.Done {
			lines = append(lines, &record{Type: recDone, Step: s.Name, Data: &s.Data})
		}
	}
	if j.hist.down {
		lines = append(lines, &record{Type: recDown})
	}
	if j.hist.asked != nil {
		lines = append(lines, &record{Type: recShutdown, Shutdown: j.hist.asked})
	}
	if j.hist.open != nil {
		lines = append(lines, &record{Type: recOp, Op: j.hist.open})
	}
	for _, r := range lines {
		if b, err = appendLine(b, r); err != nil {
			return err
		}
	}
	name := filepath.Join(j.dir, journalName)
	if err := replaceFile(name, b, 0o600); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.size = int64(len(b))
	j.file, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// log appends a record and takes it into the history. What could not be journaled must not
// be done.
func (j *journal) log(r *record) error {
	b, err := appendLine(nil, r)
	if err != nil {
		return err
	}
	j.crashpoint("before " + r.name())
	defer j.crashpoint("after " + r.name())
	if _, err := j.file.Write(b); err != nil {
		// Half a line in the middle would make the whole unreadable.
		_ = j.file.Truncate(j.size)
		return fmt.Errorf("write the journal: %w", err)
	}
	j.size += int64(len(b))
	j.hist.apply(r)
	return nil
}

// begin notes an operation; the file starts anew with it, so that it does not grow.
func (j *journal) begin(op *operation) error {
	j.hist.begin(op)
	j.crashpoint("before " + recOp)
	defer j.crashpoint("after " + recOp)
	return j.rewrite()
}

// forgetRevival: nothing waits any more. No operation may be under way.
func (j *journal) forgetRevival() error {
	j.hist.revive = nil
	return j.rewrite()
}

func (j *journal) end(r result) error {
	rec := &record{Type: recEnd, Result: &r}
	if j.hist.open != nil {
		rec.Revive = j.hist.open.Revive
	}
	return j.log(rec)
}

// name tells a record's place in an operation.
func (r *record) name() string { return strings.TrimSpace(r.Type + " " + r.Step + string(r.Phase)) }

// result finds how the operation of a request ended.
func (h *history) result(id string) (result, bool) {
	for _, r := range h.results {
		if r.ID == id && id != "" {
			return r, true
		}
	}
	return result{}, false
}
