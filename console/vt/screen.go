package vt

// Screen finds where in a stream a screenful may begin: the last lines of it, from the
// beginning of a line, and never within a character or a sequence.
type Screen struct {
	p     Parser
	lines []uint64 // positions after newlines, the last len(lines) of them
	next  int      // in lines

	pos      uint64 // of the token that comes
	limit    uint64 // nothing before it, if there is anything after it
	atLimit  uint64 // the first boundary from the limit on
	has      bool   // there is one
	last     uint64 // the last boundary
	any      bool
	cleared  uint64 // where the screen was cleared last
	home     uint64 // where the cursor was put into the corner, just before pos
	homeEnds uint64
}

// NewScreen looks at what begins at pos, for at most so many lines that begin at limit or after
// it. clean: the first byte is the beginning of something.
func NewScreen(lines int, pos, limit uint64, clean bool) *Screen {
	s := &Screen{lines: make([]uint64, 0, max(1, lines)), pos: pos, limit: limit}
	if clean {
		s.boundary()
		s.line()
	}
	return s
}

// Feed takes what follows.
func (s *Screen) Feed(b []byte) { s.p.Feed(b, s.token) }

func (s *Screen) token(t Token) {
	start := s.pos
	s.pos += uint64(t.Len)
	s.boundary()
	switch {
	case t.Kind == Control && t.Bytes[0] == '\n':
		s.line()
	case t.Kind == CSI && homes(t.Bytes):
		s.home, s.homeEnds = start, s.pos
	case t.Kind == CSI && clears(t.Bytes), t.Kind == Escape && string(t.Bytes) == "\x1bc":
		s.cleared = start
		if s.homeEnds == start && start != 0 {
			s.cleared = s.home
		}
	}
}

func (s *Screen) boundary() {
	s.last, s.any = s.pos, true
	if !s.has && s.pos >= s.limit {
		s.atLimit, s.has = s.pos, true
	}
}

func (s *Screen) line() {
	if len(s.lines) < cap(s.lines) {
		s.lines = append(s.lines, s.pos)
		return
	}
	s.lines[s.next] = s.pos
	s.next = (s.next + 1) % len(s.lines)
}

// Start is where to begin. False: nowhere, it is all one sequence.
func (s *Screen) Start() (uint64, bool) {
	if !s.any {
		return 0, false
	}
	if s.cleared >= s.limit && s.cleared > s.oldestLine() {
		return s.cleared, true
	}
	for i := range s.lines { // oldest first
		if p := s.lines[(s.next+i)%len(s.lines)]; p >= s.limit {
			return p, true
		}
	}
	if s.has {
		return s.atLimit, true // one long line, or less than there might be
	}
	return s.last, true
}

func (s *Screen) oldestLine() uint64 {
	if len(s.lines) == 0 {
		return 0
	}
	return s.lines[s.next]
}

// homes: the cursor goes into the corner, as before a screen is cleared.
func homes(seq []byte) bool {
	body := parameters(seq)
	return body == "H" || body == "1;1H" || body == "f" || body == ";H"
}

func clears(seq []byte) bool { return parameters(seq) == "2J" }

// parameters is a control sequence without its introducer.
func parameters(seq []byte) string {
	if len(seq) > 2 {
		return string(seq[2:]) // ESC [, or U+009B in UTF-8
	}
	return ""
}
