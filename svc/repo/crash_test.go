package repo

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// scriptBatches is how many batches the script does.
const scriptBatches = 4

// childMain is what a process of the test's own does, by its role.
func childMain(as string) int {
	dir := os.Getenv("REPO_TEST_DIR")
	err := errors.New("no such role: " + as)
	switch as {
	case "script":
		if err = childFilter(); err == nil {
			err = batches(dir, scriptBatches, true, say)
		}
	case "stubborn":
		if err = childFilter(); err == nil {
			err = batches(dir, scriptBatches, false, say)
		}
	case "restore":
		if err = childFilter(); err == nil {
			err = Restore(config(dir), filepath.Join(dir, "good"))
		}
	case "loop":
		err = batches(dir, 1<<30, false, say)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func say(i int) { fmt.Println(i) }

// batches does n batches and tells the number of each when it is done. The number is in both
// files, on both levels, and in a snapshot.
func batches(dir string, n int, backups bool, done func(int)) error {
	r, err := Open(config(dir))
	if err != nil {
		return err
	}
	stubborn := os.Getenv(role) == "stubborn"
	for range n {
		i, err := numberOf(r)
		if err != nil {
			return err
		}
		i++
		var b Batch
		b.Ensure(webOne)
		for _, e := range []Entity{web, webOne} {
			b.PutGroup(e, counted("n", i, 0))
			b.PutGroup(e, counted("v", i, tree.NonPersistent))
		}
		b.Ensure(webTwo)
		if i%2 == 0 {
			b.Delete(webTwo, KeepChildren)
		}
		b.TakeSnapshot(webOne, Running)
		_, err = r.Apply(&b)
		switch {
		case err == nil:
			done(i)
		case errors.Is(err, syscall.EIO) && stubborn:
			done(-i)
			if err := agree(r); err != nil {
				return err
			}
		default:
			return err
		}
		if backups && i%2 == 0 {
			if _, _, err := r.Backup(BootBackup); err != nil {
				return err
			}
		}
	}
	return r.Close()
}

// agree says whether both files have the same number, once a batch that changes nothing was done.
func agree(r *Repo) error {
	var b Batch
	b.ExpectRepository(r.Generation())
	if _, err := r.Apply(&b); err != nil {
		return err
	}
	return r.View(func(v *Reader) error {
		a, generation, errA := v.Group(web, "n")
		b, _, errB := v.Group(web, "v")
		switch {
		case errors.Is(errA, ErrNotFound) && errors.Is(errB, ErrNotFound):
			return nil
		case errA != nil || errB != nil || a.Props[0].Values[0] != b.Props[0].Values[0] || generation != v.Generation():
			fmt.Printf("the files do not agree: %v %v, %d of %d\n", errA, errB, generation, v.Generation())
		}
		return nil
	})
}

func counted(name string, i int, f tree.Flags) *tree.Group {
	g := group(name, tree.Property{Name: "a", Type: prop.Count, Values: []string{strconv.Itoa(i)}}, str("b", stringOf(i*1700%4000)))
	g.Flags = f
	return g
}

func numberOf(r *Repo) (i int, err error) {
	err = r.View(func(v *Reader) error {
		g, _, err := v.Group(web, "n")
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			i, err = strconv.Atoi(g.Props[0].Values[0])
		}
		return err
	})
	return i, err
}

// readNumber is a reader of its own: it knows the keys and the values of the file, and nothing of
// this package's code. It gives the number that the file agrees on; 0 when there is none yet.
func readNumber(path string) (int, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var found []string
	err = db.View(func(tx *bolt.Tx) error {
		for e := range tx.Check() {
			return e
		}
		config, contents := tx.Bucket([]byte("config")), tx.Bucket([]byte("contents"))
		for _, key := range []string{"network/web\x00gn", "network/web\x00idefault\x00n"} {
			found = append(found, firstValue(config.Get([]byte(key))))
		}
		if name := tx.Bucket([]byte("snapshots")).Get([]byte("network/web\x00default\x00running")); name != nil {
			_, n := binary.Uvarint(name[5:])
			id, _ := binary.Uvarint(name[5+n:])
			for _, level := range []string{"i", "s"} {
				found = append(found, firstValue(contents.Get([]byte(string(binary.BigEndian.AppendUint64(nil, id))+level+"n"))))
			}
		} else {
			found = append(found, "", "")
		}
		second := config.Get([]byte("network/web\x00isecond\x00")) != nil
		if i, _ := strconv.Atoi(found[0]); second != (i%2 == 1) {
			return fmt.Errorf("at %d the second instance is %v", i, second)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, f := range found {
		if f != found[0] {
			return 0, fmt.Errorf("the file has several states: %q", found)
		}
	}
	if found[0] == "" {
		return 0, nil
	}
	return strconv.Atoi(found[0])
}

// firstValue is the first value of the first property of a group.
func firstValue(b []byte) string {
	if b == nil {
		return ""
	}
	b = b[5:] // checksum, version
	next := func() int {
		n, k := binary.Uvarint(b)
		b = b[k:]
		return int(n)
	}
	next()         // generation
	next()         // flags
	b = b[next():] // type
	next()         // properties
	b = b[next()+1:]
	next() // values
	n := next()
	return string(b[:n])
}

// checkAfterKill wants the number that was said last, or the next, in both files; that the
// volatile file is brought up to it, and that it can go on from there.
func checkAfterKill(t *testing.T, dir string, said int) {
	t.Helper()
	cfg := config(dir)
	i, err := readNumber(cfg.Path)
	if errors.Is(err, os.ErrNotExist) && said == 0 {
		i, err = 0, nil
	}
	if err != nil || i != said && i != said+1 {
		t.Fatalf("after %d the file has %d: %v", said, i, err)
	}
	r, err := Open(cfg)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	if i == 0 {
		return
	}
	view(t, r, func(v *Reader) {
		for _, e := range []Entity{web, webOne} {
			g, _, err := v.Group(e, "v")
			if err != nil || g.Props[0].Values[0] != strconv.Itoa(i) {
				t.Errorf("at %d the volatile file has %v: %v", i, g.Props, err)
			}
		}
	})
	for _, name := range files(t, dir) {
		if strings.HasPrefix(name, backupPrefix) {
			if err := Check(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
		if strings.HasSuffix(name, tempSuffix) {
			t.Errorf("%s is left", name)
		}
	}
}

// TestKilledAtEachWrite kills a process instead of each of its calls that change a file, one
// after the other.
func TestKilledAtEachWrite(t *testing.T) {
	points := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		asked := 0
		lines, killed := startScript(t, "script", dir).run(t, func(fileCall) verdict { asked++; return killWhen(asked == n) })
		if !killed {
			if len(lines) != scriptBatches {
				t.Errorf("the script said %q", lines)
			}
			break
		}
		points++
		checkAfterKill(t, dir, len(lines))
		if t.Failed() {
			t.Fatalf("killed at call %d", n)
		}
	}
	t.Logf("%d points", points)
	if points < 10*scriptBatches {
		t.Errorf("only %d points: what writes is not seen", points)
	}
}

// TestDiskErrors has each call that changes a file fail once. A batch that is refused for it may
// have been done or not, as a disk that fails to flush leaves it; but one or the other, and the
// process goes on with what the file has.
func TestDiskErrors(t *testing.T) {
	points := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		asked := 0
		lines, _ := startScript(t, "stubborn", dir).run(t, func(fileCall) verdict {
			if asked++; asked == n {
				return failIt
			}
			return goOn
		})
		if asked < n {
			break
		}
		points++
		said, refused := 0, 0
		for _, l := range lines {
			i, err := strconv.Atoi(l)
			must(t, err)
			if i < 0 {
				refused, i = refused+1, -i-1
			}
			if i < said || i > said+2 {
				t.Fatalf("call %d fails: %q", n, lines)
			}
			said = i
		}
		checkAfterKill(t, dir, said)
		if refused > 1 || len(lines) > 0 && len(lines) != scriptBatches || t.Failed() {
			t.Fatalf("call %d fails: %q", n, lines)
		}
	}
	if points < 5*scriptBatches {
		t.Errorf("only %d points", points)
	}
	t.Logf("%d points", points)
}

// TestRestoreKilled: a restore that is killed leaves the old repository or the new one, and can be
// done again.
func TestRestoreKilled(t *testing.T) {
	from := t.TempDir()
	must(t, batches(from, 1, false, func(int) {}))
	old := filepath.Join(from, "old")
	copyFile(t, config(from).Path, old)
	must(t, batches(from, 1, false, func(int) {}))
	points := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		cfg := config(dir)
		copyFile(t, config(from).Path, cfg.Path)
		copyFile(t, old, filepath.Join(dir, "good"))
		asked := 0
		_, killed := startScript(t, "restore", dir).run(t, func(fileCall) verdict { asked++; return killWhen(asked == n) })
		i, err := readNumber(cfg.Path)
		if err != nil || i != 1 && (i != 2 || !killed) {
			t.Fatalf("killed at call %d: %d %v", n, i, err)
		}
		must(t, Restore(cfg, filepath.Join(dir, "good")))
		if i, err := readNumber(cfg.Path); err != nil || i != 1 {
			t.Fatalf("restored again: %d %v", i, err)
		}
		if !killed {
			break
		}
		points++
	}
	if points < 5 {
		t.Errorf("only %d points", points)
	}
}

// TestKilledAtAnyTime kills a process that does batch after batch, again and again on the same
// files.
func TestKilledAtAnyTime(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(3, 4))
	exe, err := os.Executable()
	must(t, err)
	said := 0
	for range 25 {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), role+"=loop", "REPO_TEST_DIR="+dir)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for range random.IntN(6) + 1 {
			if lines.Scan() {
				said, _ = strconv.Atoi(lines.Text())
			}
		}
		time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
		must(t, cmd.Process.Kill())
		for lines.Scan() {
			said, _ = strconv.Atoi(lines.Text())
		}
		_ = cmd.Wait()
		checkAfterKill(t, dir, said)
	}
	if said < 25 {
		t.Errorf("only %d batches", said)
	}
}
