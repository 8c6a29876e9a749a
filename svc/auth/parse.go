package auth

import (
	"slices"
	"strings"
)

const (
	// lineBytesMax is for one line with its continuations.
	lineBytesMax = 64 << 10
	// fieldCount is how many fields a line has; the last one is the attributes.
	fieldCount = 5
)

// lookup is one question: what a user has.
type lookup struct {
	profiles []string // the files' texts
	words    []string
	seen     []string // profiles
	stopped  bool
}

// resolve gives what the user of that name has; an empty name is one without lines.
func resolve(name string, users, profiles []string, policy string) (Set, error) {
	l := &lookup{profiles: profiles}
	err := l.take(users, name)
	if err == nil && !l.stopped {
		auths, profs := policyOf(policy)
		err = l.add(auths, profs)
	}
	if err != nil {
		return Set{}, err
	}
	return Set{words: l.words}, nil
}

// take adds what the lines of a name in any of the texts give.
func (l *lookup) take(texts []string, name string) error {
	if name == "" {
		return nil
	}
	for _, text := range texts {
		for len(text) > 0 {
			var line string
			line, text = nextLine(text)
			if len(line) > lineBytesMax {
				return ErrLimit
			}
			fields := split(line, ':', fieldCount)
			if len(fields) != fieldCount || unescape(fields[0]) != name || strings.HasPrefix(line, "#") {
				continue
			}
			if err := l.attributes(fields[fieldCount-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// attributes adds what a line's last field gives.
func (l *lookup) attributes(field string) error {
	var auths, profs []string
	for _, pair := range split(field, ';', -1) {
		key, value, _ := strings.Cut(pair, "=")
		switch strings.TrimSpace(key) {
		case "auths":
			auths = append(auths, list(value)...)
		case "profiles", "profs":
			profs = append(profs, list(value)...)
		}
	}
	return l.add(auths, profs)
}

func (l *lookup) add(auths, profs []string) error {
	for _, a := range auths {
		if !slices.Contains(l.words, a) {
			l.words = append(l.words, a)
		}
	}
	if len(l.words) > wordsMax {
		return ErrLimit
	}
	for _, p := range profs {
		if l.stopped = l.stopped || p == stopProfile; l.stopped {
			return nil
		}
		if slices.Contains(l.seen, p) {
			continue
		}
		if l.seen = append(l.seen, p); len(l.seen) > profilesMax {
			return ErrLimit
		}
		if err := l.take(l.profiles, p); err != nil {
			return err
		}
	}
	return nil
}

// policyOf gives what everybody has.
func policyOf(text string) (auths, profs []string) {
	for len(text) > 0 {
		var line string
		line, text = nextLine(text)
		key, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(key) {
		case "AUTHS_GRANTED":
			auths = append(auths, list(value)...)
		case "PROFS_GRANTED":
			profs = append(profs, list(value)...)
		}
	}
	return auths, profs
}

// nextLine takes a line off the text. A backslash at its end joins the next one to it.
func nextLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	if !continued(line) {
		return line, rest
	}
	var b strings.Builder
	for continued(line) {
		b.WriteString(line[:len(line)-1])
		line, rest, _ = strings.Cut(rest, "\n")
	}
	b.WriteString(line)
	return b.String(), rest
}

// continued says whether the line ends in a backslash that is not itself meant.
func continued(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// split cuts at a separator that no backslash stands before, into n parts at most.
func split(s string, separator byte, n int) []string {
	var parts []string
	from := 0
	for i := 0; i < len(s) && len(parts) != n-1; i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// list gives the words of a value. Empty ones are none.
func list(value string) []string {
	var words []string
	for _, w := range split(value, ',', -1) {
		if w = strings.TrimSpace(unescape(w)); w != "" {
			words = append(words, w)
		}
	}
	return words
}

// unescape takes backslashes away.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
