package enter

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]call{
		"login":                         {"root", "", login, nil},
		"-l alice login":                {"alice", "", login, nil},
		"-t vt100 -l 0 login":           {"0", "vt100", login, nil},
		"-l -x login":                   {"-x", "", login, nil},
		"shell -- echo a":               {"root", "", shell, []string{"echo", "a"}},
		"-l bob exec -- -l x":           {"bob", "", command, []string{"-l", "x"}},
		"-l bob -t dumb exec -- a -- b": {"bob", "dumb", command, []string{"a", "--", "b"}},
	} {
		if got, err := parse(strings.Fields(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{
		"", "-l", "-l alice", "-t", "-x y login", "login x", "login --", "shell", "shell --", "shell echo", "exec --", "exec a", "run -- a", "-- login", "--",
	} {
		if got, err := parse(strings.Fields(line)); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}
