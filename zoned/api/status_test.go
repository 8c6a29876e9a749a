package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
	"golang.org/x/sys/unix"
)

func TestReadStatus(t *testing.T) {
	boot, err := sys.BootID()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "web.json")
	if st, err := api.ReadStatus(p); st != nil || err != nil {
		t.Errorf("no file: %v, %v", st, err)
	}
	for _, c := range []struct {
		name, text string
		some, fail bool
	}{
		{"this boot's", fmt.Sprintf(`{"state":"running","boot_id":%q,"id":7,"of_tomorrow":[1]}`, boot), true, false},
		{"another boot's", `{"state":"running","boot_id":"x","id":7}`, false, false},
		{"cut", `{"state":"runn`, false, true},
		{"empty", ``, false, true},
		{"of another kind", `[]`, false, true},
	} {
		if err := os.WriteFile(p, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := api.ReadStatus(p)
		if (st != nil) != c.some || (err != nil) != c.fail {
			t.Errorf("%s: %+v, %v", c.name, st, err)
		}
		if c.some && (st.ID != 7 || st.State != "running") {
			t.Errorf("%s: %+v", c.name, st)
		}
	}
	_ = os.Remove(p)
	if err := unix.Mkfifo(p, 0o644); err != nil {
		t.Fatal(err)
	}
	if st, err := api.ReadStatus(p); err == nil {
		t.Errorf("a fifo: %+v", st)
	}
}

func TestProcessAlive(t *testing.T) {
	start, err := sys.StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p    api.Process
		want bool
	}{
		{api.Process{Pid: os.Getpid(), Start: start}, true},
		{api.Process{Pid: os.Getpid(), Start: start + 1}, false},
		{api.Process{}, false},
		{api.Process{Pid: 1 << 30, Start: 1}, false},
		{api.Process{Pid: -1}, false},
	} {
		if got := c.p.Alive(); got != c.want {
			t.Errorf("%+v alive: %v, want %v", c.p, got, c.want)
		}
	}
}
