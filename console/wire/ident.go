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
	// AnswerMax is the longest first line of a supervisor, and as much again.
	AnswerMax = 128
	// localeMax is longer than any locale's name; it is written to logs.
	localeMax = 128
	// pidMax is the kernel's limit (PID_MAX_LIMIT).
	pidMax = 1 << 22

	// Version is the newest form of a connection that this package knows: frames both ways.
	Version = 2
	// versionMax is beyond any that will ever be.
	versionMax = 99
	// RowsMax is the most lines that a client may ask for; RowsUsual what one gets that does
	// not know how many its terminal has.
	RowsMax   = 200
	RowsUsual = 24
	// clientsMax is more than any supervisor admits.
	clientsMax = 1 << 16
)

// From is where a client wants the output to begin.
type From int

// Original: a client that does not know positions. The others are the words of resume=.
const (
	Original From = iota
	Live
	History
	Position
	Screen
)

// Role is what a client wants of the console.
type Role int

const (
	Writer Role = iota // types, if nobody else does
	Reader             // watches
	Taker              // types, in the place of whoever does
)

var roles = [...]string{Writer: "writer", Reader: "reader", Taker: "taker"}

func parseRole(s string) (Role, bool) {
	for r, word := range roles {
		if s == word {
			return Role(r), true
		}
	}
	return 0, false
}

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
	Rows         int   // with Screen
	// Version is the newest form that the client understands; below 2 it knows no frames and no
	// roles. The connection has the older of its and the supervisor's.
	Version int
	Role    Role // from version 2 on
}

// Framed says whether a connection of this client's is one of frames.
func (id Ident) Framed() bool { return id.Version >= 2 }

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
	case Screen:
		line += " resume=screen:" + strconv.Itoa(max(1, min(id.Rows, RowsMax)))
	}
	if id.Framed() {
		line += " v=" + strconv.Itoa(id.Version) + " as=" + roles[id.Role]
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
	if words[0] != "IDENT" || len(words) < 3 {
		return Ident{}, fmt.Errorf("%w: not IDENT and two words or more", ErrIdent)
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
	if len(words) > 5 {
		if err := id.parseVersion(words[5:]); err != nil {
			return Ident{}, err
		}
	}
	if id.From == Screen && !id.Framed() {
		return Ident{}, fmt.Errorf("%w: a screen without a version", ErrIdent)
	}
	return id, nil
}

// parseVersion reads the words from the version on. Those that a newer version may add after
// them are not ours to judge.
func (id *Ident) parseVersion(words []string) error {
	v, ok := strings.CutPrefix(words[0], "v=")
	n, good := number(v, versionMax)
	if !ok || !good || n < 2 {
		return fmt.Errorf("%w: not a version", ErrIdent)
	}
	if id.Version = n; len(words) < 2 {
		return fmt.Errorf("%w: no role", ErrIdent)
	}
	role, ok := strings.CutPrefix(words[1], "as=")
	if id.Role, good = parseRole(role); !ok || !good {
		return fmt.Errorf("%w: not a role", ErrIdent)
	}
	if len(words) > 2 && n <= Version {
		return fmt.Errorf("%w: too many words", ErrIdent)
	}
	return nil
}

func (id *Ident) parseResume(word string) bool {
	from, ok := strings.CutPrefix(word, "resume=")
	rows, screen := strings.CutPrefix(from, "screen:")
	switch {
	case !ok:
		return false
	case from == "-":
		id.From = Live
	case from == "history":
		id.From = History
	case screen:
		id.From = Screen
		id.Rows, ok = number(rows, RowsMax)
	default:
		id.From = Position
		id.Point, ok = ParsePoint(from)
	}
	return ok
}

func parsePid(s string) (int, bool) { return number(s, pidMax) }

// number is one from 1 to limit, in the one way to write it.
func number(s string, limit int) (int, bool) {
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
	return n, n <= limit
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
