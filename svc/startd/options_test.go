package startd

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// TestBootOptions: what init was given, in any order; what is nothing of svc.startd's is left alone.
//
//shows:3.3/notice-start 3.4/milestone
func TestBootOptions(t *testing.T) {
	for line, want := range map[string]bootOptions{
		"":                           {},
		"-s":                         {milestone: "single-user"},
		"-m verbose":                 {verbose: true},
		"-m debug":                   {verbose: true, debug: true},
		"-m quiet":                   {quiet: true},
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

// TestBootMessages: the console is told of starts when the boot arguments say so, or else when
// svc.startd's own instance does.
//
//shows:3.3/boot-messages
func TestBootMessages(t *testing.T) {
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "r"), VolatilePath: filepath.Join(dir, "v"), BootID: "this boot"})
	must(t, err)
	defer r.Close()
	on := repo.Entity{Service: "system/svc/restarter", Instance: "default"}
	var b repo.Batch
	b.Create(repo.Entity{Service: on.Service})
	b.Create(on)
	_, err = r.Apply(&b)
	must(t, err)
	for _, c := range []struct {
		property, args string
		want           bool
	}{
		{"", "", false}, {"", "-m verbose", true}, {"quiet", "", false}, {"verbose", "", true}, {"verbose", "-m quiet", false},
		{"quiet", "-m debug", true}, {"Verbose", "", false},
	} {
		var b repo.Batch
		g := tree.Group{Name: "options", Type: "framework"}
		if c.property != "" {
			g.Props = []tree.Property{{Name: "boot_messages", Type: prop.AString, Values: []string{c.property}}}
		}
		b.PutGroup(on, &g)
		_, err := r.Apply(&b)
		must(t, err)
		o := parseOptions(strings.Fields(c.args))
		if got := o.tellsStarts(r); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
