package configs

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func bootID(t *testing.T) string {
	t.Helper()
	id, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func writeStatus(t *testing.T, s *Store, zone, text string) {
	t.Helper()
	if err := os.MkdirAll(s.layout.Status(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.layout.StatusFile(zone), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEffectiveState(t *testing.T) {
	s := storeAB(t)
	if err := s.SetState("a", Installed); err != nil {
		t.Fatal(err)
	}
	id := bootID(t)
	for _, tc := range []struct {
		status string
		want   State
		bad    bool
	}{
		{"", Installed, false},
		{`{"state":"running","boot_id":"` + id + `","more":[1]}`, Running, false},
		{`{"state":"shutting_down","boot_id":"` + id + `"}`, ShuttingDown, false},
		{`{"state":"running","boot_id":"another"}`, Installed, false},
		{`{"state":"installed","boot_id":"` + id + `"}`, Installed, false},
		{`{"state":"configured","boot_id":"` + id + `"}`, Installed, false},
		{`{"state":"dancing","boot_id":"` + id + `"}`, Installed, true},
		{`{`, Installed, true},
		{strings.Repeat(" ", statusBytesMax+1), Installed, true},
	} {
		if tc.status != "" {
			writeStatus(t, s, "a", tc.status)
		}
		got, err := s.EffectiveState("a")
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%.80s: %v, %v", tc.status, got, err)
		}
	}
	if st, err := s.EffectiveState(GlobalName); st != Running || err != nil {
		t.Error(st, err)
	}
	if _, err := s.EffectiveState("nobody"); !errors.Is(err, ErrNoZone) {
		t.Error(err)
	}
	if _, err := s.LoadStatus("../a"); err == nil {
		t.Error("a path was taken for a name")
	}
	writeStatus(t, s, "b", `{"state":"ready","boot_id":"`+id+`"}`)
	if err := s.Delete("b", ""); !errors.Is(err, ErrState) {
		t.Errorf("a live zone was deleted: %v", err)
	}
}

func TestSnapshot(t *testing.T) {
	s := storeAB(t)
	if _, err := s.LoadSnapshot("a"); !errors.Is(err, ErrNoSnapshot) {
		t.Error(err)
	}
	z, _, _ := s.Load("a")
	path, err := s.Snapshot(z)
	if err != nil || path != filepath.Join(s.layout.ZoneState("a"), "snapshot.xml") {
		t.Fatal(path, err)
	}
	if err := edit(s, "a", func(z *Zone) { z.Autoboot = true }); err != nil {
		t.Fatal(err)
	}
	if frozen, err := s.LoadSnapshot("a"); err != nil || frozen.Autoboot {
		t.Errorf("a commit reached the frozen configuration: %v, %v", frozen, err)
	}
	st, _ := os.Stat(path)
	if st.Mode().Perm() != 0o600 {
		t.Error(st.Mode())
	}
	for range 2 {
		if err := s.DestroySnapshot("a"); err != nil {
			t.Error(err)
		}
	}
	if err := s.DestroySnapshot("b"); err != nil {
		t.Errorf("no directory: %v", err)
	}
	if _, err := s.LoadSnapshot("../b"); err == nil {
		t.Error("a path was taken for a name")
	}
}

func TestStateText(t *testing.T) {
	for s := Configured; s <= Down; s++ {
		data, err := json.Marshal(s)
		var back State
		if err != nil || json.Unmarshal(data, &back) != nil || back != s {
			t.Error(s, err)
		}
	}
	if _, err := json.Marshal(State(9)); err == nil || State(9).String() != "state(9)" {
		t.Error("state 9 exists")
	}
	if _, err := ParseState("Running"); err == nil {
		t.Error("Running")
	}
	if !(Configured < Incomplete && Incomplete < Installed && Installed < Ready && Ready < Mounted && Mounted < Running && Running < ShuttingDown && ShuttingDown < Down) {
		t.Error("order")
	}
}
