package utmp

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOtherThings: what is no plain file is left as it is, and nobody is waited for.
func TestOtherThings(t *testing.T) {
	for name, make := range map[string]func(f Files) error{
		"fifo":      func(f Files) error { return unix.Mkfifo(f.Table, 0o666) },
		"directory": func(f Files) error { return os.Mkdir(f.Table, 0o755) },
		"link":      func(f Files) error { return os.Symlink(f.Log, f.Table) },
		"device":    func(f Files) error { return unix.Mknod(f.Table, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))) },
	} {
		t.Run(name, func(t *testing.T) {
			f := files(t)
			must(t, os.WriteFile(f.Log, []byte("kept"), 0o644))
			must(t, os.Remove(f.Table))
			if err := make(f); err != nil {
				if name == "device" && errors.Is(err, unix.EPERM) {
					return // not to be had here
				}
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"begin": f.Begin("co"), "end": f.End(1, 0), "booted": f.Booted(Boot{}), "level": f.Level('3'), "down": f.Down(),
			} {
				if err == nil {
					t.Errorf("%s: no error", what)
				}
			}
			if b, _ := os.ReadFile(f.Log); string(b) != "kept" {
				t.Errorf("%q", b)
			}
		})
	}
}

// TestNotThere: without files there is nothing to record, and no fault; a boot alone makes the table.
func TestNotThere(t *testing.T) {
	f := in(t.TempDir())
	for what, err := range map[string]error{"begin": f.Begin("co"), "end": f.End(1, 0), "level": f.Level('3'), "down": f.Down()} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, os.WriteFile(f.Group.Group, []byte("root:x:0:\nutmp:x:43:\n"), 0o644))
	must(t, f.Booted(Boot{}))
	var st unix.Stat_t
	must(t, unix.Stat(f.Table, &st))
	if st.Mode&0o777 != tableMode || st.Gid != 43 || st.Size != int64(Here().Size) {
		t.Errorf("%o, group %d, %d bytes", st.Mode, st.Gid, st.Size)
	}
	if _, err := os.Lstat(f.Log); !os.IsNotExist(err) {
		t.Errorf("a log was made: %v", err)
	}
	if err := in(f.Table + "/x").Booted(Boot{}); err == nil {
		t.Error("no directory, and no error")
	}
}

// TestCutOff: a record that is cut off is nobody's, and written over.
func TestCutOff(t *testing.T) {
	f := files(t)
	add(t, f.Table, UserProcess, os.Getppid(), "s/0", "bob")
	for _, path := range []string{f.Table, f.Log} {
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, append(b, bytes.Repeat([]byte{7}, 100)...), 0o644))
	}
	must(t, f.Begin("co"))
	if list := read(t, f.Table); len(list) != 2 || list[1].id != "co00" {
		t.Errorf("%+v", list)
	}
	if list := read(t, f.Log); len(list) != 1 || list[0].id != "co00" {
		t.Errorf("%+v", list)
	}
}

// TestTooLarge: files beyond their limits stay as they are, and cost nothing.
func TestTooLarge(t *testing.T) {
	f := files(t)
	must(t, os.Truncate(f.Table, TableBytesMax+1))
	for what, err := range map[string]error{"begin": f.Begin("co"), "end": f.End(1, 0), "level": f.Level('3'), "booted": f.Booted(Boot{})} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, os.Truncate(f.Table, TableBytesMax/int64(Here().Size)*int64(Here().Size)))
	if err := f.Begin("co"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a table that is full: %v", err)
	}
	must(t, os.Truncate(f.Table, 0))
	must(t, os.Truncate(f.Log, 1<<40))
	if err := f.Begin("co"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a log that is full: %v", err)
	}
	if info, err := os.Stat(f.Log); err != nil || info.Size() != 1<<40 {
		t.Errorf("%v, %v", info.Size(), err)
	}
	if list := read(t, f.Table); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

// TestFullDisk: what does not fit is not left half written.
func TestFullDisk(t *testing.T) {
	f := files(t)
	add(t, f.Table, UserProcess, os.Getppid(), "s/0", "bob")
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	limit := old
	limit.Cur = uint64(Here().Size) + 100
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &limit))
	err := f.Begin("co")
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
	if err == nil {
		t.Fatal("no error")
	}
	if list := read(t, f.Table); len(list) != 1 || list[0].user != "bob" {
		t.Errorf("%v: %+v", err, list)
	}
}

// FuzzTable: whatever stands in the files, they stay files of whole records that say one new thing.
func FuzzTable(f *testing.F) {
	e := make(entry, Here().Size)
	e.setKind(UserProcess)
	e.setPid(1)
	f.Add([]byte{}, []byte{}, "co")
	f.Add([]byte(e), []byte("x"), "abcd")
	e.setKind(BootTime)
	f.Add(append([]byte(e.clone()), bytes.Repeat([]byte{0xff}, Here().Size+7)...), []byte(e), "")
	f.Fuzz(func(t *testing.T, table, log []byte, prefix string) {
		fs := files(t)
		must(t, os.WriteFile(fs.Table, table, 0o644))
		must(t, os.WriteFile(fs.Log, log, 0o644))
		err := fs.Begin(prefix)
		if err != nil && !errors.Is(err, ErrNoID) {
			t.Fatal(err)
		}
		must(t, fs.Level('3'))
		must(t, fs.End(1<<22+1, 0))
		must(t, fs.Sweep([]string{prefix}, nil))
		size := Here().Size
		mine := 0
		for _, r := range read(t, trimmed(t, fs.Table, size)) {
			if r.kind == InitProcess && r.pid == os.Getpid() && r.user == starter {
				mine++
			}
		}
		if err == nil && mine != 1 {
			t.Errorf("%d records of this process", mine)
		}
		b, _ := os.ReadFile(fs.Log)
		if n := len(b) / size; n < len(log)/size+1 {
			t.Errorf("the log has %d records, and had %d", n, len(log)/size)
		}
	})
}

// trimmed takes the part of a record at the end away that nothing was written over.
func trimmed(t *testing.T, path string, size int) string {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()/int64(size)*int64(size)))
	return path
}
