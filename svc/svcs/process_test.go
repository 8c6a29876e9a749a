package svcs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// TestProc: what is told of this process, and of its parent, is so.
func TestProc(t *testing.T) {
	p := NewProc("/proc")
	me, ok := p.Process(os.Getpid())
	if !ok {
		t.Fatal("there is no such process")
	}
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if name = filepath.Base(name); me.Name != name[:min(len(name), 15)] {
		t.Errorf("%q, want the beginning of %q", me.Name, name)
	}
	if me.Args != strings.Join(os.Args, " ") {
		t.Errorf("%q, want %q", me.Args, os.Args)
	}
	if ago := time.Since(me.Start); ago < -2*time.Second || ago > testenv.Deadline(30*time.Minute) {
		t.Errorf("started %v ago", ago)
	}
	parent, ok := p.Process(os.Getppid())
	if !ok || parent.Start.After(me.Start.Add(2*time.Second)) {
		t.Errorf("%+v, %v", parent, ok)
	}
	for _, pid := range []int{0, -1, 1 << 30} {
		if told, ok := p.Process(pid); ok {
			t.Errorf("process %d is %+v", pid, told)
		}
	}
	if _, ok := NewProc(t.TempDir()).Process(1); ok {
		t.Error("a process of nowhere")
	}
}

// TestOddProcesses are those whose names and command lines are not as usual.
func TestOddProcesses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const rest = " S 1 1 1 0 -1 4194304 1 1 1 1 1 1 1 1 20 0 1 0 12345 1 1\n"
	write("stat", "cpu 1 2\nbtime 1000\nprocesses 5\n")
	write("7/stat", "7 (a) (b) c\n)"+rest)
	write("7/cmdline", "a\x00 b\x00\x00")
	write("8/stat", "8 (kworker)"+rest)
	write("8/cmdline", "")
	write("9/stat", "9 (short) S 1 1\n")
	write("10/stat", "10 no name"+rest)
	write("11/stat", "11 (x) S 1 1 1 0 -1 4194304 1 1 1 1 1 1 1 1 20 0 1 0 word 1 1\n")
	write("12/stat", "")
	write("13/stat", ")(")
	p := NewProc(dir)
	at := time.Unix(1000+123, 450_000_000)
	for pid, want := range map[int]*Process{
		7: {"a) (b) c\n", "a  b", at}, 8: {"kworker", "kworker", at}, 9: nil, 10: nil, 11: nil, 12: nil, 13: nil, 14: nil,
	} {
		got, ok := p.Process(pid)
		switch {
		case want == nil && ok:
			t.Errorf("%d: %+v", pid, got)
		case want != nil && (!ok || got.Name != want.Name || got.Args != want.Args || !got.Start.Equal(want.Start)):
			t.Errorf("%d: %+v, want %+v", pid, got, want)
		}
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("7 (a) S 1 1 1 0 -1 4194304 1 1 1 1 1 1 1 1 20 0 1 0 9223372036854775807 1 1\n"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, stat []byte) {
		p := &Proc{}
		if name, _, ok := p.parse(stat); ok && !strings.Contains(string(stat), "("+name+")") {
			t.Errorf("%q of %q", name, stat)
		}
	})
}

func TestHeldBy(t *testing.T) {
	got := HeldBy(&contract.Status{Members: []int32{5, 3}, Within: contract.Within{Pool: "fast"}})
	if len(got.Pids) != 2 || got.Pids[0] != 5 || got.Pids[1] != 3 || got.Within.Pool != "fast" {
		t.Errorf("%+v", got)
	}
}
