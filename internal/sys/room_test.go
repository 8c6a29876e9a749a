package sys_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// tableSize is how many descriptors the kernel's table of this process has place for.
func tableSize(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nFDSize:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRoomForDescriptors: the table grows, and nothing is left open.
func TestRoomForDescriptors(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before, n := open(), 2*tableSize(t)
	sys.RoomForDescriptors(n)
	testenv.Eventually(t, func() bool { return tableSize(t) >= n }, "the table to grow")
	testenv.Eventually(t, func() bool { return open() <= before }, "nothing to be left open")

	was := tableSize(t)
	sys.RoomForDescriptors(1 << 30) // more than any limit allows
	testenv.Eventually(t, func() bool { return open() <= before }, "nothing to be left open of what is refused")
	if now := tableSize(t); now != was {
		t.Errorf("the table has %d places, had %d", now, was)
	}
}
