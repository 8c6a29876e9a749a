package wire

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// IdentMax is the longest first line of a client, its newline included: the longest
	// locale, a pid, a position, the words, and as much again.
	IdentMax = 512
	// AnswerMax is the longest first line of a supervisor.
	AnswerMax = 64
	// localeMax is longer than any locale's name; it is written to logs.
	localeMax = 128
	// pidMax is the kernel's limit (PID_MAX_LIMIT).
	pidMax = 1 << 22
)

// From is where a client wants the output to begin.
type From int

// Original: a client that does not know positions. The others are the words of resume=.
const (
	Original From = iota
	Live
	History
	Position
)

// Point is a position in the console's output.
type Point struct {
	Epoch, Pos uint64
}

func (p Point) String() string { return fmt.Sprintf("%016x:%d", p.Epoch, p.Pos) }

// ParsePoint reads what String writes.
func ParsePoint(s string) (Point, bool) {
	epoch, pos, ok := strings.Cut(s, ":")
	if !ok || len(epoch) != 16 || len(pos) == 0 || len(pos) > 19 || len(pos) > 1 && pos[0] == '0' {
		return Point{}, false
	}
	var p Point
	for i := range len(epoch) {
		c := epoch[i]
		switch {
		case '0' <= c && c <= '9':
			p.Epoch = p.Epoch<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			p.Epoch = p.Epoch<<4 | uint64(c-'a'+10)
		default:
			return Point{}, false
		}
	}
	for i := range len(pos) {
		if pos[i] < '0' || pos[i] > '9' {
			return Point{}, false
		}
		p.Pos = p.Pos*10 + uint64(pos[i]-'0')
	}
	return p, true
}

// Ident is a client's first line.
type Ident struct {
	Pid          int
	Locale       string
	DropWithZone bool // zlogin -d: disconnect when the zone halts
	From         From
	Point        Point // with Position
}

// Line is the line to send, with its newline. A locale that cannot be sent is sent as C.
func (id Ident) Line() string {
	locale := id.Locale
	if !validLocale(locale) {
		locale = "C"
	}
	d := "0"
	if id.DropWithZone {
		d = "1"
	}
	line := "IDENT " + strconv.Itoa(id.Pid) + " " + locale + " " + d
	switch id.From {
	case Live:
		line += " resume=-"
	case History:
		line += " resume=history"
	case Position:
		line += " resume=" + id.Point.String()
	}
	return line + "\n"
}

// ParseIdent reads a line with its newline. The error wraps ErrIdent and says what is wrong
// without repeating the bytes, which may be anything.
func ParseIdent(line []byte) (Ident, error) {
	if len(line) == 0 || len(line) > IdentMax || line[len(line)-1] != '\n' {
		return Ident{}, fmt.Errorf("%w: not one line of at most %d bytes", ErrIdent, IdentMax)
	}
	words := strings.Split(string(line[:len(line)-1]), " ")
	if words[0] != "IDENT" || len(words) < 3 || len(words) > 5 {
		return Ident{}, fmt.Errorf("%w: not IDENT and two to four words", ErrIdent)
	}
	var id Ident
	var ok bool
	if id.Pid, ok = parsePid(words[1]); !ok {
		return Ident{}, fmt.Errorf("%w: not a process number", ErrIdent)
	}
	if id.Locale = words[2]; !validLocale(id.Locale) {
		return Ident{}, fmt.Errorf("%w: not a locale", ErrIdent)
	}
	if len(words) > 3 {
		if words[3] != "0" && words[3] != "1" {
			return Ident{}, fmt.Errorf("%w: the disconnect flag is neither 0 nor 1", ErrIdent)
		}
		id.DropWithZone = words[3] == "1"
	}
	if len(words) > 4 && !id.parseResume(words[4]) {
		return Ident{}, fmt.Errorf("%w: not a position to resume at", ErrIdent)
	}
	return id, nil
}

func (id *Ident) parseResume(word string) bool {
	from, ok := strings.CutPrefix(word, "resume=")
	switch {
	case !ok:
		return false
	case from == "-":
		id.From = Live
	case from == "history":
		id.From = History
	default:
		id.From = Position
		id.Point, ok = ParsePoint(from)
	}
	return ok
}

func parsePid(s string) (int, bool) {
	if len(s) == 0 || len(s) > 7 || s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, n <= pidMax
}

func validLocale(s string) bool {
	if len(s) == 0 || len(s) > localeMax {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Answer is a supervisor's first line.
type Answer struct {
	HolderPid    int // 0: welcome
	HasPositions bool
	Point        Point // of the first byte after the line
}

// Line is the line to send, with its newline.
func (a Answer) Line() string {
	switch {
	case a.HolderPid != 0:
		return strconv.Itoa(a.HolderPid) + "\n"
	case a.HasPositions:
		return "OK " + a.Point.String() + "\n"
	}
	return "OK\n"
}

// ParseAnswer reads a line with its newline.
func ParseAnswer(line []byte) (Answer, error) {
	if len(line) == 0 || len(line) > AnswerMax || line[len(line)-1] != '\n' {
		return Answer{}, fmt.Errorf("%w: not one line of at most %d bytes", ErrAnswer, AnswerMax)
	}
	s := string(line[:len(line)-1])
	if s == "OK" {
		return Answer{}, nil
	}
	if point, ok := strings.CutPrefix(s, "OK "); ok {
		p, ok := ParsePoint(point)
		if !ok {
			return Answer{}, fmt.Errorf("%w: not a position", ErrAnswer)
		}
		return Answer{HasPositions: true, Point: p}, nil
	}
	pid, ok := parsePid(s)
	if !ok {
		return Answer{}, fmt.Errorf("%w: neither OK nor a process number", ErrAnswer)
	}
	return Answer{HolderPid: pid}, nil
}
