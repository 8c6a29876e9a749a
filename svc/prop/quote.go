package prop

import "strings"

// ListMax is the most values that ParseList takes.
const ListMax = 1024

// special is what the Bourne shell does not take as itself, as svcprop(1) counts it.
const special = ";&()|^<>\n \t\\\"'`"

// AppendShell appends a value as svcprop prints it. Only values of strings can hold what needs
// a backslash.
func AppendShell(b []byte, value string) []byte {
	if value == "" {
		return append(b, `""`...)
	}
	for i := 0; i < len(value); i++ {
		if strings.IndexByte(special, value[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return b
}

// Shell is a value as svcprop prints it.
func Shell(value string) string { return string(AppendShell(nil, value)) }

// ParseShell reads values that were written by Shell with spaces between. ErrQuoting,
// ErrTooMany.
func ParseShell(line string) ([]string, error) { return words(line, false) }

// Quote is a value as svccfg takes it, whatever is in it.
func Quote(value string) string {
	b := append(make([]byte, 0, len(value)+2), '"')
	for i := 0; i < len(value); i++ {
		if value[i] == '"' || value[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return string(append(b, '"'))
}

// List is values as svccfg takes several: ( "a" "b" ).
func List(values []string) string {
	b := append([]byte(nil), '(')
	for _, v := range values {
		b = append(append(b, ' '), Quote(v)...)
	}
	return string(append(b, " )"...))
}

// ParseList reads the values that follow a type on svccfg's command line: one word, or a list
// in parentheses. A word is "quoted", in which a backslash takes the next character as it is,
// or bare. ErrQuoting, ErrTooMany.
func ParseList(text string) ([]string, error) {
	text = strings.Trim(text, blank)
	if inner, is := strings.CutPrefix(text, "("); is {
		return words(inner, true)
	}
	list, err := words(text, false)
	if err == nil && len(list) > 1 {
		return nil, ErrTooMany
	}
	return list, err
}

const blank = " \t\n"

// words splits at white space; closes says that a parenthesis must end them.
func words(s string, closes bool) ([]string, error) {
	var list []string
	for {
		s = strings.TrimLeft(s, blank)
		switch {
		case closes && strings.HasPrefix(s, ")"):
			if strings.Trim(s[1:], blank) != "" {
				return nil, ErrQuoting
			}
			return list, nil
		case s == "" && closes:
			return nil, ErrQuoting
		case s == "":
			return list, nil
		case len(list) == ListMax:
			return nil, ErrTooMany
		}
		word, n, err := word(s, closes)
		if err != nil {
			return nil, err
		}
		list = append(list, word)
		s = s[n:]
	}
}

// word reads one and says how long it was.
func word(s string, closes bool) (value string, n int, err error) {
	var b []byte
	quoted := false
	for ; n < len(s); n++ {
		switch c := s[n]; {
		case c == '\\':
			if n++; n == len(s) {
				return "", 0, ErrQuoting
			}
			b = append(b, s[n])
		case c == '"':
			quoted = !quoted
		case !quoted && (strings.IndexByte(blank, c) >= 0 || closes && c == ')'):
			return string(b), n, nil
		default:
			b = append(b, c)
		}
	}
	if quoted {
		return "", 0, ErrQuoting
	}
	return string(b), n, nil
}
