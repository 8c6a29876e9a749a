package svcs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/contract"
)

// ticks is how many there are in a second, as processes' times are told: Linux has 100 for all
// programs (USER_HZ), whatever the kernel's own clock does.
const ticks = 100

// Proc reads processes from a proc file system.
type Proc struct {
	dir  string
	boot time.Time
}

// NewProc is one that is mounted at dir.
func NewProc(dir string) *Proc {
	p := &Proc{dir: dir}
	text, _ := os.ReadFile(dir + "/stat")
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "btime "); is {
			if n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64); err == nil {
				p.boot = time.Unix(n, 0)
			}
		}
	}
	return p
}

// Process tells of a process. ok: there is one. It may be another's by now that has the number.
func (p *Proc) Process(pid int) (told Process, ok bool) {
	dir := p.dir + "/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return told, false
	}
	told.Name, told.Start, ok = p.parse(stat)
	if !ok {
		return told, false
	}
	args, _ := os.ReadFile(dir + "/cmdline")
	told.Args = strings.TrimRight(strings.ReplaceAll(string(args), "\x00", " "), " ")
	if told.Args == "" { // it has ended, or is the kernel's
		told.Args = told.Name
	}
	return told, true
}

// startField is the place of the time of start behind the name, which may have blanks and brackets
// itself: field 22 of proc_pid_stat(5).
const startField = 22 - 3

// parse understands a line of proc_pid_stat(5).
func (p *Proc) parse(stat []byte) (name string, start time.Time, ok bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", start, false
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) <= startField {
		return "", start, false
	}
	n, err := strconv.ParseInt(fields[startField], 10, 64)
	if err != nil || n < 0 {
		return "", start, false
	}
	start = p.boot.Add(time.Duration(n/ticks)*time.Second + time.Duration(n%ticks)*(time.Second/ticks))
	return string(stat[open+1 : end]), start, true
}

// Members tells what is held by contracts of the zone, or the host, that this is. What is no contract any
// more has nobody.
func Members(ids []uint64) (map[uint64]Held, error) {
	f, err := contract.Find()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	members := map[uint64]Held{}
	for _, id := range ids {
		if id == 0 || id > 1<<31-1 {
			continue
		}
		st, err := f.Contract(contract.ID(id)).Status()
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return members, err
		default:
			members[id] = HeldBy(&st)
		}
	}
	return members, nil
}

// HeldBy is what a contract holds.
func HeldBy(st *contract.Status) Held {
	pids := make([]int, len(st.Members))
	for i, pid := range st.Members {
		pids[i] = int(pid)
	}
	return Held{Pids: pids, Within: st.Within}
}
