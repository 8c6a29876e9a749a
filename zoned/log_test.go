package zoned

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
)

// TestLogIsBounded: one supervisor that lives for years, in a zone that gives it much to tell, has a
// log of the size that is kept and one more; no line is torn, and the last is there.
func TestLogIsBounded(t *testing.T) {
	lay := layout.At(t.TempDir())
	log, err := OpenLog(lay, "web")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(lay.Log, "web.log")
	text := strings.Repeat("x", 4000)
	for range 3*logBytesMax/len(text) + 10 {
		log.Info(text)
	}
	log.Info("the last line")
	var kept int64
	for _, n := range []string{name, name + ".1"} {
		st, err := os.Stat(n)
		if err != nil {
			t.Fatal(err)
		}
		if kept += st.Size(); st.Size() > logBytesMax+8<<10 || st.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes, mode %o", n, st.Size(), st.Mode())
		}
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "time=") || !strings.HasSuffix(line, "zone=web\n") {
				t.Fatalf("a torn line: %.80q", line)
			}
		}
		if n == name && !strings.Contains(string(b), "the last line") {
			t.Error("the last line is lost")
		}
	}
	if kept < logBytesMax {
		t.Errorf("only %d bytes are kept", kept)
	}
	// One that cannot be put aside is written to all the same, and so is one that was taken away.
	if err := os.Remove(name + ".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(name+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range logBytesMax/len(text) + 10 {
		log.Info(text)
	}
	log.Info("still here")
	if b, err := os.ReadFile(name); err != nil || !strings.Contains(string(b), "still here") {
		t.Errorf("a line is lost: %v", err)
	}
}
