package contract

import "strconv"

// kindWords are the kinds of events as they stand in an event's line.
var kindWords = map[Events]string{
	Empty: "empty", Fork: "fork", Exit: "exit", Core: "core", Signal: "signal", Hwerr: "hwerr", Lost: "lost", Left: "left",
}

// AppendEvent writes an event's line with its newline:
//
//	CTID EVID crit|info ack|noack process KIND key=value ... time=SECONDS.NANOSECONDS
//
// host says that the reader is on the host: it is told the sender's zone.
func AppendEvent(dst []byte, e *Event, host bool) []byte {
	dst = strconv.AppendUint(dst, uint64(e.CT), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(e.ID), 10)
	if e.Critical {
		dst = append(dst, " crit"...)
	} else {
		dst = append(dst, " info"...)
	}
	if e.Acked {
		dst = append(dst, " ack process "...)
	} else {
		dst = append(dst, " noack process "...)
	}
	dst = append(dst, kindWords[e.Kind]...)
	dst = appendFacts(dst, e)
	dst = appendSender(dst, &e.Sender, host)
	if e.Kind == Lost {
		dst = strconv.AppendUint(append(dst, " count="...), e.Count, 10)
	}
	return append(appendTime(append(dst, " time="...), e.Time.Unix(), e.Time.Nanosecond()), '\n')
}

// appendFacts writes what the event's kind has of pid, ppid, status, signal and core.
func appendFacts(dst []byte, e *Event) []byte {
	if e.Kind != Lost {
		dst = strconv.AppendInt(append(dst, " pid="...), int64(e.Pid), 10)
	}
	switch e.Kind {
	case Fork:
		dst = strconv.AppendInt(append(dst, " ppid="...), int64(e.PPid), 10)
	case Exit:
		dst = strconv.AppendUint(append(dst, " status="...), uint64(e.Status), 10)
	case Core:
		dst = strconv.AppendInt(append(dst, " signal="...), int64(e.Sig), 10)
		if e.CoreFile {
			dst = append(dst, " core=yes"...)
		} else {
			dst = append(dst, " core=no"...)
		}
	case Signal:
		dst = strconv.AppendInt(append(dst, " signal="...), int64(e.Sig), 10)
	}
	return dst
}

// senderWords are the senders that are no process that could be named.
var senderWords = [...]string{FromOutside: "outside", FromKernel: "kernel", FromOOM: "oom", FromContract: "contract"}

func appendSender(dst []byte, s *Sender, host bool) []byte {
	if s.Kind == NoSender || int(s.Kind) >= len(senderWords) {
		return dst
	}
	dst = append(dst, " sender="...)
	if s.Kind != FromProcess {
		return append(dst, senderWords[s.Kind]...)
	}
	dst = strconv.AppendInt(dst, int64(s.Pid), 10)
	if s.CT != 0 {
		dst = strconv.AppendUint(append(dst, " senderct="...), uint64(s.CT), 10)
	}
	if s.UID >= 0 {
		dst = strconv.AppendInt(append(dst, " uid="...), s.UID, 10)
	}
	if s.Comm != "" {
		dst = AppendEscaped(append(dst, " comm="...), s.Comm)
	}
	if host && s.Zone != "" {
		dst = AppendEscaped(append(dst, " zone="...), s.Zone)
	}
	return dst
}

// appendTime writes seconds since 1970, a point and nine digits.
func appendTime(dst []byte, seconds int64, nanoseconds int) []byte {
	dst = append(strconv.AppendInt(dst, seconds, 10), '.')
	for unit := 100_000_000; unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(nanoseconds/unit%10))
	}
	return dst
}
