package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// Console is a zone's console as its supervisor has it: the master of a pty.
type Console struct {
	t      testing.TB
	master int
	path   string // the slave's
	stop   chan struct{}
	done   chan struct{}

	mu    sync.Mutex // guards what follows
	text  []byte
	seen  int
	still bool // do not read
	idle  int  // how often there was nothing to read
}

func newConsole(t testing.TB) *Console {
	t.Helper()
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	must(t, err)
	c := &Console{t: t, master: master, path: "/dev/pts/" + strconv.Itoa(n), stop: make(chan struct{}), done: make(chan struct{})}
	go c.read()
	return c
}

// Slave opens the zone's side.
func (c *Console) Slave() *os.File {
	c.t.Helper()
	fd, err := unix.Open(c.path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	must(c.t, err)
	return os.NewFile(uintptr(fd), c.path)
}

// read goes on after EIO, which is what the master says while nobody has the slave open.
func (c *Console) read() {
	defer close(c.done)
	buf := make([]byte, 32<<10)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		c.mu.Lock()
		still := c.still
		c.mu.Unlock()
		n, err := 0, error(unix.EAGAIN)
		if !still {
			n, err = unix.Read(c.master, buf)
		}
		if err == nil && n > 0 {
			c.mu.Lock()
			c.text = append(c.text, buf[:n]...)
			c.mu.Unlock()
			continue
		}
		c.mu.Lock()
		c.idle++
		c.mu.Unlock()
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
	}
}

// StandStill stops reading, as a supervisor would that is gone.
func (c *Console) StandStill(still bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.still = still
}

// settle waits until nothing is left to read.
func (c *Console) settle() {
	c.mu.Lock()
	was := c.idle
	c.mu.Unlock()
	testenv.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.still || c.idle >= was+2
	}, "the console's last words")
}

func (c *Console) close() {
	close(c.stop)
	<-c.done
	unix.Close(c.master)
}

// Type types.
func (c *Console) Type(s string) {
	c.t.Helper()
	for len(s) > 0 {
		n, err := unix.Write(c.master, []byte(s))
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.EIO):
			time.Sleep(time.Millisecond)
		case err != nil:
			c.t.Fatalf("type %q: %v", s, err)
		default:
			s = s[n:]
		}
	}
}

// Expect waits for a match after the last one, and gives it and its groups.
func (c *Console) Expect(pattern string) []string {
	c.t.Helper()
	return c.ExpectWithin(time.Minute, pattern)
}

// ExpectWithin is Expect with a deadline of its own.
func (c *Console) ExpectWithin(within time.Duration, pattern string) []string {
	c.t.Helper()
	re := regexp.MustCompile(pattern)
	var match []string
	end := time.Now().Add(testenv.Deadline(within))
	for match = c.match(re); match == nil; match = c.match(re) {
		if time.Now().After(end) {
			c.t.Fatalf("no %q; the console said:\n%s", pattern, strings.ReplaceAll(c.Output(), "\x1b", "^["))
		}
		time.Sleep(2 * time.Millisecond)
	}
	return match
}

func (c *Console) match(re *regexp.Regexp) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.text[c.seen:]
	at := re.FindSubmatchIndex(rest)
	if at == nil {
		return nil
	}
	var match []string
	for i := 0; i < len(at); i += 2 {
		match = append(match, string(rest[at[i]:at[i+1]]))
	}
	c.seen += at[1]
	return match
}

// Output is everything that was printed.
func (c *Console) Output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

func parent(path string) string { return filepath.Dir(path) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
