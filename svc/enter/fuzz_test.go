package enter

import (
	"strings"
	"testing"
)

// FuzzParse: of a login's words, none but those behind the dashes gets to the command, and all of them.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"login", "-l\nu\nlogin", "-t\nxterm\nexec\n--\nls\n-l", "shell\n--\necho x", "-l", "exec", "exec\n--", "-x\ny\nlogin", "-l\n-t\n-t\n-l\nlogin", "login\nx", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\n")
		c, err := parse(args)
		if err != nil {
			return
		}
		n := len(args) - len(c.words)
		if got := strings.Join(args[n:], "\n"); got != strings.Join(c.words, "\n") || (len(c.words) > 0 && args[n-1] != "--") {
			t.Fatalf("%q: the words are %q", s, c.words)
		}
		if (c.mode == login) != (len(c.words) == 0) {
			t.Fatalf("%q: %+v", s, c)
		}
	})
}
