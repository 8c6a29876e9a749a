package sys

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLock(t *testing.T) {
	dir := openDir(t, t.TempDir())
	l, holder, err := LockFile(dir, "x.pid")
	if err != nil || holder != 0 || l.Pid() != 0 {
		t.Fatalf("%v %d", err, holder)
	}
	if _, holder, err := LockFile(dir, "x.pid"); !errors.Is(err, unix.EAGAIN) || holder != 0 {
		t.Errorf("a second lock on an empty file: %v, holder %d", err, holder)
	}
	check(t, l.WritePid(1234567))
	check(t, l.WritePid(42)) // shorter than before
	if _, holder, err := LockFile(dir, "x.pid"); !errors.Is(err, unix.EAGAIN) || holder != 42 {
		t.Errorf("a second lock: %v, holder %d", err, holder)
	}
	if pid, held, err := LockHolder(dir, "x.pid"); err != nil || !held || pid != 42 {
		t.Errorf("holder %d, held %v, %v", pid, held, err)
	}
	// Looking at one's own file and closing it does not lose the lock.
	if _, held, _ := LockHolder(dir, "x.pid"); !held {
		t.Error("the lock is lost")
	}
	l.Release()
	if pid, held, err := LockHolder(dir, "x.pid"); err != nil || held || pid != 42 {
		t.Errorf("after Release: holder %d, held %v, %v", pid, held, err)
	}
	l, _, err = LockFile(dir, "x.pid")
	check(t, err)
	if l.Pid() != 42 {
		t.Errorf("the one before was %d", l.Pid())
	}
	check(t, l.Remove())
	if pid, held, err := LockHolder(dir, "x.pid"); err != nil || held || pid != 0 {
		t.Errorf("after Remove: %d %v %v", pid, held, err)
	}
}

func TestLockReadsPids(t *testing.T) {
	base := t.TempDir()
	dir := openDir(t, base)
	for text, want := range map[string]int{
		"": 0, "17": 17, "17\n": 17, " 17 \n": 17, "17\n5\n": 17, "-3\n": 0, "0\n": 0, "x\n": 0, "17x\n": 0, strings.Repeat("9", 40): 0,
	} {
		check(t, os.WriteFile(base+"/f", []byte(text), 0o600))
		if pid, held, err := LockHolder(dir, "f"); pid != want || held || err != nil {
			t.Errorf("%q: %d %v %v", text, pid, held, err)
		}
	}
}

// What was put in the place of a locked file is locked anew, and not removed by who had the old.
func TestLockOfAReplacedFile(t *testing.T) {
	base := t.TempDir()
	dir := openDir(t, base)
	first, _, err := LockFile(dir, "f")
	check(t, err)
	check(t, os.WriteFile(base+"/new", []byte("9\n"), 0o600))
	check(t, os.Rename(base+"/new", base+"/f"))
	second, _, err := LockFile(dir, "f")
	check(t, err)
	check(t, first.Remove())
	if _, held, err := LockHolder(dir, "f"); err != nil || !held {
		t.Errorf("the second's file is gone: %v %v", held, err)
	}
	check(t, second.Remove())
	if _, err := os.Stat(base + "/f"); err == nil {
		t.Error("the file is left")
	}
}

func TestLockOfOtherThings(t *testing.T) {
	base := t.TempDir()
	dir := openDir(t, base)
	check(t, os.Mkdir(base+"/dir", 0o700))
	check(t, os.WriteFile(base+"/precious", nil, 0o600))
	check(t, os.Symlink("precious", base+"/link"))
	for _, name := range []string{"dir", "link", "no/where"} {
		if l, _, err := LockFile(dir, name); err == nil || l != nil || errors.Is(err, unix.EAGAIN) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := LockHolder(dir, "link"); err == nil {
		t.Error("a link was followed")
	}
}

// A child does not hold its dead parent's lock.
func TestLockIsNotInherited(t *testing.T) {
	dir := openDir(t, t.TempDir())
	l, _, err := LockFile(dir, "f")
	check(t, err)
	cmd := exec.Command("/bin/sleep", "1000")
	check(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	l.Release()
	l, _, err = LockFile(dir, "f")
	check(t, err)
	check(t, l.Remove())
}

// lockerMain takes and gives back a lock many times. While it has it, it makes a file that
// nobody else may have made.
func lockerMain(dir string) int {
	d, err := OpenDir(dir)
	if err != nil {
		return 1
	}
	got := 0
	for round := 0; got < 100; round++ {
		l, _, err := LockFile(d, "x.pid")
		if errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			fmt.Println("error", err)
			return 1
		}
		got++
		witness, err := os.OpenFile(dir+"/witness", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			fmt.Println("error: two hold the lock:", err)
			return 1
		}
		witness.Close()
		if err := l.WritePid(os.Getpid()); err != nil {
			fmt.Println("error", err)
			return 1
		}
		if l.Pid() != os.Getpid() {
			fmt.Println("error: another's number is in the file")
			return 1
		}
		_ = os.Remove(dir + "/witness")
		switch round % 3 {
		case 0:
			l.Release()
		case 1:
			_ = l.Remove()
		default: // dies with it
			l.fd.Close()
			l.dir.Close()
		}
	}
	fmt.Println(got)
	return 0
}

func TestLockRaces(t *testing.T) {
	base := t.TempDir()
	var cmds []*exec.Cmd
	said := make([]bytes.Buffer, 8)
	for i := range said {
		cmd := player(t, "locker "+base)
		cmd.Stdout = &said[i] // Wait waits until it has all
		check(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		cmds = append(cmds, cmd)
	}
	for i, c := range cmds {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		for in := bufio.NewScanner(&said[i]); in.Scan(); {
			if n, err := strconv.Atoi(in.Text()); err != nil || n != 100 {
				t.Error(in.Text())
			}
		}
	}
}
