package tool

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

// appendEventHeader is ctwatch's.
func appendEventHeader(b []byte, zoneName bool) []byte {
	b = appendColumn(appendColumn(b, "CTID", columnWidth), "EVID", columnWidth)
	b = appendColumn(appendColumn(b, "CRIT", critWidth), "ACK", ackWidth)
	b = appendColumn(b, "CTTYPE", columnWidth)
	if zoneName {
		b = appendColumn(b, "ZONE", columnWidth)
	}
	return append(b, "SUMMARY\n"...)
}

// appendEvent is ctwatch's line of an event; zone is its column, if there is one.
func appendEvent(b []byte, e *contract.Event, zone *string) []byte {
	b = appendColumn(b, formatID(e.CT), columnWidth)
	b = appendColumn(b, strconv.FormatUint(uint64(e.ID), 10), columnWidth)
	crit, ack := "info", "no"
	if e.Critical {
		crit = "crit"
	}
	if e.Acked {
		ack = "yes"
	}
	b = appendColumn(appendColumn(b, crit, critWidth), ack, ackWidth)
	b = appendColumn(b, typeProcess, columnWidth)
	if zone != nil {
		b = appendColumn(b, printable.Text(*zone), columnWidth)
	}
	return append(append(b, summary(e)...), '\n')
}

// summary says what happened.
func summary(e *contract.Event) string {
	process := "process " + strconv.Itoa(int(e.Pid)) + " "
	switch e.Kind {
	case contract.Empty:
		return "contract empty"
	case contract.Fork:
		return process + "was created"
	case contract.Exit:
		return process + "exited"
	case contract.Core:
		return process + "dumped core"
	case contract.Signal:
		return process + "received a fatal signal"
	case contract.Hwerr:
		return process + "was killed by a hardware error"
	case contract.Left:
		return process + "was moved out of the contract, and is killed"
	case contract.Lost:
		return strconv.FormatUint(e.Count, 10) + " events or more were lost"
	}
	return "unknown event"
}

// appendEventDetails is what -v says of an event.
func appendEventDetails(b []byte, e *contract.Event) []byte {
	switch e.Kind {
	case contract.Fork:
		b = appendLabel(b, "parent pid", strconv.Itoa(int(e.PPid)))
	case contract.Exit:
		b = appendLabel(b, "wait status", waitStatus(e.Status))
	case contract.Core:
		b = appendLabel(b, "signal", signalName(int(e.Sig)))
		written := "not written"
		if e.CoreFile {
			written = "written"
		}
		b = appendLabel(b, "core file", written)
	case contract.Signal:
		b = appendLabel(b, "signal", signalName(int(e.Sig)))
	}
	b = appendSenderDetails(b, &e.Sender)
	return appendLabel(b, "time", e.Time.Format(timeLayout))
}

const timeLayout = "2006-01-02 15:04:05.000000 MST"

func appendSenderDetails(b []byte, s *contract.Sender) []byte {
	switch s.Kind {
	case contract.FromProcess:
		b = appendLabel(b, "sender pid", unless(int64(s.Pid), 0))
		b = appendLabel(b, "sender ctid", unless(int64(s.CT), 0))
		b = appendLabel(b, "sender command", printable.Text(s.Comm))
		b = appendLabel(b, "sender uid", unless(s.UID, -1))
		if s.Zone != "" {
			b = appendLabel(b, "sender zone", printable.Text(s.Zone))
		}
	case contract.FromOutside:
		b = appendLabel(b, "sender", "outside of the zone")
	case contract.FromKernel:
		b = appendLabel(b, "sender", "the kernel (a terminal, a timer or a limit)")
	case contract.FromOOM:
		b = appendLabel(b, "sender", "the kernel: out of memory")
	case contract.FromContract:
		b = appendLabel(b, "sender", "the contract's own terms")
	}
	return b
}

// waitStatus is a status of wait(2) for a person.
func waitStatus(status uint32) string {
	w := unix.WaitStatus(status)
	text := "0x" + strconv.FormatUint(uint64(status), 16)
	switch {
	case w.Exited():
		return text + " (exited, code " + strconv.Itoa(w.ExitStatus()) + ")"
	case w.Signaled():
		text += " (signal " + signalName(int(w.Signal()))
		if w.CoreDump() {
			text += ", core dumped"
		}
		return text + ")"
	}
	return text
}

// realtimeFirst is the first real-time signal that the C library leaves to programs.
const realtimeFirst = 34

// signalName is a signal's number, and its name if it has one.
func signalName(n int) string {
	text := strconv.Itoa(n)
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return text + " (" + name + ")"
	}
	if n >= realtimeFirst && n <= 64 {
		return text + " (SIGRTMIN+" + strconv.Itoa(n-realtimeFirst) + ")"
	}
	return text
}
