package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/console/wire"
)

const epoch = 0x0123456789abcdef

// at is the byte at a position. Lines of it end at no place that a file or a write does.
func at(pos uint64) byte {
	if pos%97 == 96 {
		return '\n'
	}
	return byte('!' + pos*7%89)
}

func pattern(pos uint64, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = at(pos + uint64(i))
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openLog(t testing.TB, dir string, l Limits) *Writer {
	t.Helper()
	w, err := OpenWriter(dir, "web", epoch, l)
	must(t, err)
	return w
}

// show is all of a log.
func show(t testing.TB, dir string) string {
	t.Helper()
	r, err := OpenReader(dir, "web")
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

// checkAll compares a log that begins at pos with the pattern; missing bytes are those that
// it says. It gives the position after it.
func checkAll(t testing.TB, all string, pos uint64) uint64 {
	t.Helper()
	for all != "" {
		piece, after, cut := strings.Cut(all, "\r\n[NOTICE: ")
		if want := pattern(pos, len(piece)); string(want) != piece {
			for i := range want {
				if want[i] != piece[i] {
					t.Fatalf("wrong byte at %d: %.40q, want %.40q", pos+uint64(i), piece[i:], want[i:])
				}
			}
		}
		pos += uint64(len(piece))
		if !cut {
			break
		}
		n, rest, ok := strings.Cut(after, " of console output lost]\r\n")
		n, _, _ = strings.Cut(n, " byte")
		lost, err := strconv.ParseUint(n, 10, 64)
		if !ok || err != nil {
			t.Fatalf("at %d: %.60q", pos, after)
		}
		pos, all = pos+lost, rest
	}
	return pos
}

func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	l := Limits{Bytes: BytesMin, Count: 3}
	pos := uint64(1000)
	for i := range 50 {
		w := openLog(t, dir, l)
		if at, known := w.Pos(); known && at != pos || known != (i > 0) {
			t.Fatalf("opened at %d (%v), want %d", at, known, pos)
		}
		n := 1 + i*i%5000
		k, err := w.Write(pos, pattern(pos, n))
		if k != n || err != nil {
			t.Fatalf("%d, %v", k, err)
		}
		pos += uint64(n)
		if _, err := w.Write(pos+1, []byte("x")); !errors.Is(err, ErrPosition) {
			t.Errorf("a byte is left out: %v", err)
		}
		w.Close()
	}
	if end := checkAll(t, show(t, dir), 1000); end != pos {
		t.Errorf("%d bytes to %d, want %d", end-1000, end, pos)
	}
}

// Pieces are full to the byte, the oldest goes, none is beyond the count.
func TestRotation(t *testing.T) {
	for _, count := range []int{0, 1, 3} {
		dir := t.TempDir()
		w := openLog(t, dir, Limits{Bytes: BytesMin, Count: count})
		const total = 10*BytesMin + 123
		for pos := uint64(0); pos < total; {
			n := min(9999, total-pos)
			_, err := w.Write(pos, pattern(pos, int(n)))
			must(t, err)
			pos += n
		}
		w.Close()
		all := show(t, dir)
		if end := checkAll(t, all, total-uint64(len(all))); end != total {
			t.Errorf("%d: ends at %d", count, end)
		}
		names, _ := filepath.Glob(dir + "/*")
		if len(names) != count+1 {
			t.Errorf("%d: %q", count, names)
		}
		for i := 1; i <= count; i++ {
			if st, err := os.Stat(older(Name(dir, "web"), i)); err != nil || st.Size() != BytesMin || st.Mode() != 0o600 {
				t.Errorf("%d: piece %d: %v, %v", count, i, st, err)
			}
		}
	}
}

// Fewer are kept: the others go with the next one that is put aside.
func TestCountIsLowered(t *testing.T) {
	dir := t.TempDir()
	w := openLog(t, dir, Limits{Bytes: BytesMin, Count: 5})
	defer w.Close()
	pos := uint64(0)
	more := func(n int) {
		_, err := w.Write(pos, pattern(pos, n))
		must(t, err)
		pos += uint64(n)
	}
	more(8 * BytesMin)
	w.SetLimits(Limits{Bytes: BytesMin, Count: 2})
	more(2 * BytesMin)
	all := show(t, dir)
	if end := checkAll(t, all, pos-uint64(len(all))); end != pos {
		t.Errorf("ends at %d, want %d", end, pos)
	}
	if names, _ := filepath.Glob(dir + "/*"); len(names) != 3 {
		t.Errorf("%q", names)
	}
}

// What is missing is said, once, and the count is right after it.
func TestLose(t *testing.T) {
	dir := t.TempDir()
	l := Limits{Bytes: BytesMin, Count: 3}
	w := openLog(t, dir, l)
	_, err := w.Write(0, pattern(0, 100))
	must(t, err)
	must(t, w.Lose(600, 500))
	_, err = w.Write(600, pattern(600, 50))
	must(t, err)
	w.Close()
	w = openLog(t, dir, l)
	if pos, _ := w.Pos(); pos != 650 {
		t.Fatalf("at %d", pos)
	}
	must(t, w.Lose(700, 50))
	must(t, w.Lose(1700, 1000))
	w.Close()
	w = openLog(t, dir, l)
	if pos, _ := w.Pos(); pos != 1700 {
		t.Fatalf("at %d", pos)
	}
	_, err = w.Write(1700, pattern(1700, 2*BytesMin))
	must(t, err)
	w.Close()
	if end := checkAll(t, show(t, dir), 0); end != 1700+2*BytesMin {
		t.Errorf("ends at %d", end)
	}
}

// A predecessor was killed at any byte of the text that says what is missing, before or after
// it was announced.
func TestKilledWithinAText(t *testing.T) {
	l := Limits{Bytes: BytesMin, Count: 3}
	text := wire.LostText(4711)
	for written := -1; written <= len(text)+3; written++ {
		dir := t.TempDir()
		w := openLog(t, dir, l)
		_, err := w.Write(0, pattern(0, 100))
		must(t, err)
		size := w.cur.size
		if written >= 0 {
			must(t, w.Lose(4811, 4711))
			_, err = w.Write(4811, pattern(4811, 3))
			must(t, err)
			must(t, os.Truncate(w.name, size+int64(written)))
		}
		w.Close()
		w = openLog(t, dir, l)
		pos, _ := w.Pos()
		want := uint64(4811 + max(0, written-len(text)))
		if written < 0 {
			want = 100
		}
		if pos != want {
			t.Fatalf("%d bytes of the text written: at %d, want %d", written, pos, want)
		}
		_, err = w.Write(pos, pattern(pos, 200))
		must(t, err)
		w.Close()
		all := show(t, dir)
		if end := checkAll(t, all, 0); end != want+200 || strings.Count(all, "lost") != min(1, written+1) {
			t.Errorf("%d bytes of the text written: ends at %d, %q", written, end, all)
		}
	}
}

// A predecessor was killed between any two renames: nothing is lost but the oldest piece, once.
func TestKilledWhilePuttingAside(t *testing.T) {
	const count = 3
	l := Limits{Bytes: BytesMin, Count: count}
	for hole := count; hole >= 0; hole-- { // the name that is missing when it is killed
		for _, full := range []bool{false, true} {
			dir := t.TempDir()
			w := openLog(t, dir, l)
			pieces := count + 1
			if !full {
				pieces = count
			}
			total := uint64(pieces*BytesMin) - 1000
			_, err := w.Write(0, pattern(0, int(total)))
			must(t, err)
			name := w.name
			first := uint64(0)
			if full {
				first = uint64(BytesMin - len(header("web", wire.Point{Epoch: epoch}, time.Now())))
				w.Close()
				must(t, os.Remove(older(name, count)))
				for i := count; i > hole; i-- {
					must(t, os.Rename(older(name, i-1), older(name, i)))
				}
			}
			w.Close()
			if before := checkAll(t, show(t, dir), first); before != total {
				t.Fatalf("hole at %d: shown to %d of %d", hole, before, total)
			}
			w = openLog(t, dir, l)
			pos, known := w.Pos()
			if !known || pos != total {
				t.Fatalf("hole at %d: goes on at %d, %v; want %d", hole, pos, known, total)
			}
			_, err = w.Write(pos, pattern(pos, 5000))
			must(t, err)
			w.Close()
			if end := checkAll(t, show(t, dir), first); end != total+5000 {
				t.Errorf("hole at %d: ends at %d, want %d", hole, end, total+5000)
			}
		}
	}
}

// What is not ours, or of another console, is put aside.
func TestForeignFiles(t *testing.T) {
	for name, make := range map[string]func(string) error{
		"text":      func(n string) error { return os.WriteFile(n, []byte("hello\n"), 0o600) },
		"empty":     func(n string) error { return os.WriteFile(n, nil, 0o600) },
		"truncated": func(n string) error { return os.WriteFile(n, []byte("[console log 1 of zone web from 01"), 0o600) },
		"zeroes":    func(n string) error { return os.WriteFile(n, bytes.Repeat([]byte{0}, 5000), 0o600) },
		"a link":    func(n string) error { return os.Symlink("/etc/passwd", n) },
		"a fifo":    func(n string) error { return syscall.Mkfifo(n, 0o600) },
		"another epoch": func(n string) error {
			return os.WriteFile(n, []byte(header("web", wire.Point{Epoch: 5, Pos: 7}, time.Now())+"old"), 0o600)
		},
	} {
		dir := t.TempDir()
		must(t, make(Name(dir, "web")))
		w := openLog(t, dir, Limits{Bytes: BytesMin, Count: 2})
		if _, known := w.Pos(); known {
			t.Errorf("%s: position known", name)
		}
		_, err := w.Write(50, pattern(50, 100))
		must(t, err)
		w.Close()
		if st, err := os.Lstat(Name(dir, "web")); err != nil || !st.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", name, st, err)
		}
		if _, err := os.Lstat(older(Name(dir, "web"), 1)); err != nil {
			t.Errorf("%s: not put aside: %v", name, err)
		}
		if name == "another epoch" {
			if all := show(t, dir); all != "old"+wire.RestartedText()+string(pattern(50, 100)) {
				t.Errorf("%q", all)
			}
		}
	}
}

// A file that somebody removed is replaced; what was in it is not missed in the count.
func TestRemoved(t *testing.T) {
	dir := t.TempDir()
	w := openLog(t, dir, Limits{Bytes: BytesMin, Count: 2})
	defer w.Close()
	_, err := w.Write(0, pattern(0, 100))
	must(t, err)
	must(t, os.Remove(w.name))
	_, err = w.Write(100, pattern(100, 100))
	must(t, err)
	if end := checkAll(t, show(t, dir), 100); end != 200 {
		t.Errorf("ends at %d", end)
	}
}

func TestNone(t *testing.T) {
	if _, err := OpenReader(t.TempDir(), "web"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := OpenReader("/nowhere", "web"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// A reader follows a writer that puts pieces aside all the time.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	w := openLog(t, dir, Limits{Bytes: BytesMin, Count: 4})
	defer w.Close()
	_, err := w.Write(0, pattern(0, 10))
	must(t, err)
	r, err := OpenReader(dir, "web")
	must(t, err)
	defer r.Close()
	const total = 40 * BytesMin
	seen := make(chan uint64, 1)
	var both sync.WaitGroup
	both.Go(func() {
		pos, buf := uint64(0), make([]byte, 10_000)
		for pos < total {
			n, err := r.Read(buf)
			if err != nil && err != io.EOF {
				t.Error(err)
				break
			}
			if !bytes.Equal(buf[:n], pattern(pos, n)) {
				t.Errorf("wrong bytes after %d: %.80q", pos, buf[:n])
				break
			}
			pos += uint64(n)
			select {
			case <-seen:
			default:
			}
			seen <- pos
		}
		close(seen)
	})
	last := uint64(0)
	for pos := uint64(10); pos < total; {
		for pos > last+3*BytesMin { // it is never so far behind that a piece goes
			p, ok := <-seen
			if !ok {
				t.Fatal("the reader ended")
			}
			last = p
		}
		n := min(8111, total-pos)
		_, err := w.Write(pos, pattern(pos, int(n)))
		must(t, err)
		pos += n
	}
	for range seen {
	}
	both.Wait()
}

// One whose piece went is told so.
func TestFollowLeftBehind(t *testing.T) {
	dir := t.TempDir()
	w := openLog(t, dir, Limits{Bytes: BytesMin, Count: 1})
	defer w.Close()
	_, err := w.Write(0, pattern(0, 10))
	must(t, err)
	r, err := OpenReader(dir, "web")
	must(t, err)
	defer r.Close()
	_, err = w.Write(10, pattern(10, 5*BytesMin))
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, err)
	before, after, ok := strings.Cut(string(b), goneText)
	if !ok || checkAll(t, before, 0) == 0 || checkAll(t, after, 10+5*BytesMin-uint64(len(after))) != 10+5*BytesMin {
		t.Errorf("%.100q", b)
	}
}

// writerMain writes the pattern until it is killed; now and then bytes are missing.
func writerMain() int {
	seed, _ := strconv.ParseUint(os.Args[2], 10, 64)
	rnd := rand.New(rand.NewPCG(seed, 1))
	w, err := OpenWriter(os.Args[1], "web", epoch, Limits{Bytes: BytesMin, Count: 90})
	for err == nil {
		pos, _ := w.Pos()
		if rnd.IntN(10) == 0 {
			lost := 1 + rnd.Uint64N(100)
			err = w.Lose(pos+lost, lost)
			continue
		}
		_, err = w.Write(pos, pattern(pos, 1+rnd.IntN(20_000)))
	}
	fmt.Fprintln(os.Stderr, "writer:", err)
	return 1
}

// Killed at any instant, again and again: every byte is there once, in order.
func TestKilledAtAnyInstant(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	must(t, err)
	kills := 60
	if testing.Short() {
		kills = 15
	}
	rnd := rand.New(rand.NewPCG(7, 7))
	for i := range kills {
		cmd := exec.Command(exe, dir, strconv.Itoa(i))
		cmd.Env = append(os.Environ(), role+"=writer")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		must(t, cmd.Start())
		time.Sleep(time.Duration(5+rnd.IntN(15)) * time.Millisecond)
		must(t, cmd.Process.Kill())
		if err := cmd.Wait(); errs.Len() > 0 {
			t.Fatalf("%v: %s", err, errs.String())
		}
	}
	w := openLog(t, dir, Limits{Bytes: BytesMin, Count: 90})
	defer w.Close()
	pos, _ := w.Pos()
	must(t, w.Lose(pos+1, 1)) // whatever was begun is written whole
	p, err := openPiece(older(w.name, 90))
	first := uint64(0)
	if err == nil {
		first = p.at.Pos
		p.file.Close()
	}
	all := show(t, dir)
	if end := checkAll(t, all, first); end != pos+1 {
		t.Errorf("ends at %d, want %d", end, pos+1)
	}
	t.Logf("%d kills, %d bytes compared, %d gaps, position %d", kills, len(all), strings.Count(all, "lost"), pos)
}

func FuzzHeaderAndGap(f *testing.F) {
	f.Add([]byte(header("web", wire.Point{Epoch: 1, Pos: 2}, time.Unix(0, 0))))
	f.Add([]byte(gap{file: wire.Point{Epoch: 1}, offset: 5, lost: 6, next: wire.Point{Pos: 7}}.line()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, n, err := parseHeader(b); err == nil && (n > len(b) || n > headerMax || b[n-1] != '\n') {
			t.Fatalf("%q: %d", b, n)
		}
		if g, ok := parseGap(b); ok && g.offset <= 0 {
			t.Fatalf("%q: %+v", b, g)
		}
	})
}
