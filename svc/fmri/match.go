package fmri

// Match is fnmatch(3) without flags: * and ? match '/' too, [a-z] and [!a-z] one character, and a
// backslash takes the next one as it is. An open bracket that is never closed is itself. Its time
// is bounded by the product of the lengths.
func Match(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0 // where the last * is, and what it has taken up to
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, t
			p++
			continue
		}
		if n := one(pattern[p:], text[t]); n > 0 {
			p += n
			t++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one gives how many bytes of the pattern stand for c; 0 when they do not.
func one(pattern string, c byte) int {
	if pattern == "" {
		return 0
	}
	n := 1
	switch pattern[0] {
	case '?':
		return n
	case '[':
		if length, in := bracket(pattern, c); length > 0 {
			if !in {
				return 0
			}
			return length
		}
	case '\\':
		if len(pattern) == 1 {
			return 0
		}
		pattern, n = pattern[1:], 2
	}
	if pattern[0] != c {
		return 0
	}
	return n
}

// bracket reads a bracket expression: its length, 0 when it is not one, and whether c is in it.
func bracket(pattern string, c byte) (length int, in bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != negated
		}
		low, next, ok := member(pattern, i)
		if !ok {
			return 0, false
		}
		high := low
		if next+1 < len(pattern) && pattern[next] == '-' && pattern[next+1] != ']' {
			high, next, ok = member(pattern, next+1)
			if !ok {
				return 0, false
			}
		}
		in = in || low <= c && c <= high
		i = next
	}
	return 0, false
}

// member reads one character of a bracket expression.
func member(pattern string, i int) (c byte, next int, ok bool) {
	if pattern[i] == '\\' {
		i++
	}
	if i >= len(pattern) {
		return 0, i, false
	}
	return pattern[i], i + 1, true
}
