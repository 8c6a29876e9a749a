package method

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/contract"
)

// whole is what a project may take as a whole, while its attributes are read.
type whole struct {
	name   string // "project NAME", for messages
	p      contract.Project
	bounds bool // there is something for the kernel to hold
}

// weightOfShare is the weight of one share: a project by default has one, and a cgroup 100.
const weightOfShare = 100

// processesMin is the least that a project may have, threads and all: who puts a context into effect
// has five for a moment, and there is the method besides.
const processesMin = 8

// without are controls of a project that nothing on Linux has, and why.
var without = map[string]string{
	"project.max-locked-memory": "the kernel does not count locked memory by cgroup; rcap.max-rss counts it with all other memory",
	"project.max-shm-memory":    "the kernel counts shared memory by zone; what of it is in use counts for rcap.max-rss",
	"project.max-contracts":     "the zone's attribute max-contracts bounds the contracts of all",
}

// take takes an attribute that is not of each process.
func (w *whole) take(r *reading, key, value string) error {
	switch key {
	case "project.max-lwps", "project.max-processes":
		n, err := w.denied(r, key, value)
		if err != nil || n == 0 {
			return err
		}
		if n < processesMin {
			return errors.New("with less than " + strconv.Itoa(processesMin) + ", threads counted, nothing could be started")
		}
		if n <= contract.ProcessesMax && (w.p.Processes == 0 || n < w.p.Processes) { // more cannot be had anyhow
			w.p.Processes, w.bounds = n, true
		}
	case "project.cpu-cap":
		n, err := w.denied(r, key, value)
		if err != nil || n == 0 {
			return err
		}
		if n < contract.PercentMax {
			w.p.Percent, w.bounds = n, true
		}
	case "project.cpu-shares":
		l, _, err := parseLimit(value)
		if err != nil {
			return err
		}
		w.p.Weight, w.bounds = w.weight(r, least(l)), true
	case "rcap.max-rss":
		return w.memory(value)
	case "project.pool":
		if !contract.ValidPoolName(value) {
			return errors.New("no pool can be called so")
		}
		if r.c.Within.Pool = value; value == poolDefault {
			r.c.Within.Pool = ""
		}
	default:
		why := without[key]
		if why != "" {
			why = ": " + why
		}
		r.notice(w.name + ": " + quoted(key) + " has no counterpart" + why + ".")
	}
	return nil
}

// denied is the least value of a control beyond which the original denies something; 0: there is none.
func (w *whole) denied(r *reading, key, value string) (uint64, error) {
	l, signals, err := parseLimit(value)
	if err != nil {
		return 0, err
	}
	if signals {
		r.notice(w.name + ": " + key + " denies, and sends no signals.")
	}
	n := least(l)
	if n == 0 {
		return 0, errors.New("with 0 nothing could be started")
	}
	return n, nil
}

// least is the least value of a control, whoever has set it.
func least(l Limit) uint64 {
	n := uint64(math.MaxUint64)
	if l.SetSoft {
		n = l.Soft
	}
	if l.SetHard {
		n = min(n, l.Hard)
	}
	return n
}

// weight is the weight of shares. Without any the original gives what nobody else wants: 1 is the
// least there is.
func (w *whole) weight(r *reading, shares uint64) uint32 {
	switch {
	case shares == 0:
		return 1
	case shares > contract.WeightMax/weightOfShare:
		r.notice(w.name + ": project.cpu-shares counts as " + strconv.Itoa(contract.WeightMax/weightOfShare) + ", the most there is.")
		return contract.WeightMax
	}
	return uint32(shares) * weightOfShare
}

// memory takes rcap.max-rss: bytes, with a scale.
func (w *whole) memory(value string) error {
	n, err := parseThreshold(value)
	if err != nil {
		return err
	}
	if n < contract.MemoryMin {
		return errors.New("with less than " + strconv.Itoa(contract.MemoryMin) + " bytes nothing could be started")
	}
	if n <= contract.MemoryMax {
		w.p.Memory, w.bounds = n, true
	}
	return nil
}

// enter has the method count in the project, if that bounds anything as a whole.
func (w *whole) enter(r *reading, fields []string) error {
	if !w.bounds {
		return nil
	}
	id, err := strconv.ParseUint(fields[1], 10, 31)
	switch {
	case err != nil:
		return invalid(w.name, "its number is "+quoted(fields[1])+", and has to be one up to "+strconv.Itoa(contract.ProjectMax))
	case !contract.ValidProjectName(fields[0]):
		return invalid(w.name, "a name is a letter and then letters, digits, '_', '-' and '.', "+strconv.Itoa(contract.ProjectNameMax)+" at most")
	}
	w.p.ID, w.p.Name = uint32(id), strings.Clone(fields[0])
	r.c.Within.Project = &w.p
	return nil
}
