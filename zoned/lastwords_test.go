package zoned

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// TestLastWords: when the keeper is dead the supervisor goes on behind what the keeper wrote, and
// wakes who follows; what is too long for the ring is refused as by the keeper.
func TestLastWords(t *testing.T) {
	w, err := ring.Create()
	if err != nil {
		t.Fatal(err)
	}
	data, err := ring.NewEvent()
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	if _, err := w.Append([]byte("of the keeper\n")); err != nil {
		t.Fatal(err)
	}
	r, err := ring.OpenReader(w.FD())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	number, err := unix.FcntlInt(uintptr(w.FD()), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	memory := sys.Own(number)
	c, err := newConsoleRing(memory, data)
	memory.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := w.Close(); err != nil { // the keeper is dead
		t.Fatal(err)
	}
	for _, words := range []string{"zsched died\n", "Zone halted\n"} {
		if err := c.write([]byte(words)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.write(make([]byte, ring.AppendMax+1)); !errors.Is(err, ring.ErrTooLong) {
		t.Errorf("a text that is too long: %v", err)
	}
	buf := make([]byte, 256)
	n, lost, err := r.ReadAt(0, buf)
	if err != nil || lost != 0 {
		t.Fatalf("%d bytes are lost, %v", lost, err)
	}
	got := string(buf[:n])
	if want := "of the keeper\nzsched died\nZone halted\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	(*consoleRing)(nil).close()
}
