package configs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
)

// FuzzStatus: a status file that anything has written gives a state, none, or an error that names
// the file; and the zone's effective state is one that there is.
func FuzzStatus(f *testing.F) {
	boot, err := BootID()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{"state":"running","boot_id":"BOOT"}`, `{"state":"flying","boot_id":"BOOT"}`, `{"state":7}`, `{"boot_id":"another","state":"ready"}`, `null`, ``, `{"state":"\u0000"`} {
		f.Add([]byte(s))
	}
	l := layout.At(f.TempDir())
	if err := os.MkdirAll(filepath.Dir(l.StatusFile("web")), 0o755); err != nil {
		f.Fatal(err)
	}
	s := Open(l)
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := os.WriteFile(l.StatusFile("web"), bytes.ReplaceAll(in, []byte("BOOT"), []byte(boot)), 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := s.LoadStatus("web")
		if err != nil {
			if st != nil || !bytes.Contains([]byte(err.Error()), []byte("web")) {
				t.Fatalf("%+v, %v", st, err)
			}
			return
		}
		if st == nil {
			return
		}
		if back, err := ParseState(st.State.String()); err != nil || back != st.State || st.BootID != boot {
			t.Fatalf("%+v: %v", st, err)
		}
	})
}
