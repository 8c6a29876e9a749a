package svclog

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestSeveralLook: a log that several look at, at once, is put aside by one of them: each line is there
// once, in its place.
func TestSeveralLook(t *testing.T) {
	l := logs(t)
	f, _, err := l.Open(ssh)
	must(t, err)
	defer f.Close()
	stop := make(chan struct{})
	var lookers sync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					l.Look(ssh)
				}
			}
		})
	}
	var want strings.Builder
	filler := strings.Repeat("x", 1000)
	for i := range testenv.Rounds(5000, 3000) {
		line := fmt.Sprintf("%d %s\n", i, filler)
		want.WriteString(line)
		_, err := f.WriteString(line)
		must(t, err)
	}
	close(stop)
	lookers.Wait()
	got := whole(t, f.Name())
	// Where a beginning cannot be taken away, what was written meanwhile may be lost.
	if len(got) > want.Len() || collapses(t, l.Dir) && got != want.String() {
		t.Errorf("%d bytes are there, of %d", len(got), want.Len())
	}
}

// TestQuickWriter: who writes faster than it is copied does not keep who copies for ever.
func TestQuickWriter(t *testing.T) {
	was := collapse
	collapse = 1 << 31 // no such mode
	defer func() { collapse = was }()
	l := logs(t)
	f, _, err := l.Open(ssh)
	must(t, err)
	defer f.Close()
	cmd := exec.Command("yes", strings.Repeat("a line that is long ", 50))
	cmd.Stdout = f
	must(t, cmd.Start())
	for range 3 {
		testenv.Eventually(t, func() bool {
			st, err := f.Stat()
			return err == nil && st.Size() >= BytesMax
		}, "the log to be full")
		l.Look(ssh)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for _, path := range []string{f.Name() + ".0", f.Name() + ".2"} {
		if text := read(t, path); len(text) < BytesMax {
			t.Errorf("%s: %d bytes", path, len(text))
		}
	}
}
