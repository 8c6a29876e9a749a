package hostile

import (
	"regexp"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// keyForm is what a key looks like: words that are for good, not a text.
var keyForm = regexp.MustCompile(`^[a-z]+(\.[a-z]+)*$`)

// TestMessages: whatever a door says has a key and the arguments that its text is made of.
func TestMessages(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("web")
	silent(t, z, "web", "boot")
	console := z.Pty("zlogin", "-C", "web") // keeps the supervisor, also below ready
	console.Expect(`\[Connected to zone 'web' console\]`)
	texts := map[string]bool{} // keys and whether they had arguments
	heard := func(list []answer, rval int) {
		t.Helper()
		if last := result(t, list); last.Rval != rval {
			t.Errorf("rval %d, want %d: %+v", last.Rval, rval, list)
		}
		for _, m := range list[:len(list)-1] {
			if m.Type != "message" || !keyForm.MatchString(m.Key) || m.Text == "" || strings.ContainsAny(m.Text, "\n%") ||
				!strings.Contains("error warning note progress", m.Level) || m.Level == "" {
				t.Errorf("a message: %+v", m)
			}
			for _, a := range m.Args {
				if !strings.Contains(m.Text, a) {
					t.Errorf("argument %q is not in %q", a, m.Text)
				}
			}
			texts[m.Key] = true
		}
	}
	for _, c := range []struct {
		verb string
		more map[string]any
		rval int
	}{
		{"ping", nil, 0},
		{"boot", nil, 0},
		{"boot", map[string]any{"bootargs": "-x stray", "bootargs_given": true}, 0},
		{"nonsense", nil, -1},
		{"note_uninstalling", nil, -1},
		{"wait", map[string]any{"target": "x"}, -1},
		{"reboot", map[string]any{"bootargs": "-x stray", "bootargs_given": true}, 0},
		{"halt", nil, 0},
		{"halt", nil, 0},
		{"shutdown", nil, 0},
		{"reboot", nil, -1},
		{"login", map[string]any{"login": map[string]any{"args": []string{"true"}, "tty": true}}, -1},
		{"boot", map[string]any{"bootargs": "-i /nonexistent", "bootargs_given": true}, -1},
		{"boot", map[string]any{"bootargs": "-i /etc/passwd", "bootargs_given": true}, -1},
		{"ready", nil, 0},
		{"ready", nil, 0},
		{"shutdown", nil, -1},
		{"halt", nil, 0},
	} {
		heard(request(t, z, "web", freshID(), c.verb, c.more), c.rval)
	}
	for _, key := range []string{"already.booted", "already.halted", "already.ready", "state.invalid", "door.verb", "bootargs.unused", "init.stat", "init.exec", "login.state", "login.unknown"} {
		if !texts[key] {
			t.Errorf("no message with key %s was heard; there were %v", key, texts)
		}
	}
	console.Send("\r~.")
	console.Wait()
}
