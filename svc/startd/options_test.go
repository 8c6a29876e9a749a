package startd

import (
	"strings"
	"testing"
)

// TestBootOptions: what init was given, in any order; what is nothing of svc.startd's is left alone.
//
//shows:3.3/notice-start 3.4/milestone
func TestBootOptions(t *testing.T) {
	for line, want := range map[string]bootOptions{
		"":                           {},
		"-s":                         {milestone: "single-user"},
		"-m verbose":                 {verbose: true},
		"-m debug":                   {verbose: true},
		"-m quiet":                   {},
		"-m milestone=none":          {milestone: "none"},
		"-m milestone=":              {},
		"-m milestone=a -m verbose":  {milestone: "a", verbose: true},
		"-m verbose -s":              {milestone: "single-user", verbose: true},
		"-m milestone=a -s":          {milestone: "single-user"},
		"-s -m milestone=a":          {milestone: "a"},
		"-m":                         {},
		"-s -m":                      {milestone: "single-user"},
		"-m -s":                      {},
		"verbose":                    {},
		"-m Verbose":                 {},
		"-m seed -v milestone=b x y": {},
		"--down":                     {down: true},
		"--down -m verbose":          {down: true, verbose: true},
	} {
		if got := parseOptions(strings.Fields(line)); got != want {
			t.Errorf("%q: %+v, not %+v", line, got, want)
		}
	}
}
