package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// consoleBytes is what a run of throughput writes.
const consoleBytes = 8 << 20

// consoles measures a zone's console: how fast a program in the zone can write to it, with nobody
// there, a writer, readers that read and one that does not; and a key's way to the console's
// terminal and its echo's way back. The limits are the same on a bare terminal of the host's.
func (b *bench) consoles() error {
	if !b.wants("console.", "limit.pty", "limit.key") {
		return nil
	}
	if err := b.zone("v"); err != nil {
		return err
	}
	if err := b.place("v"); err != nil {
		return err
	}
	if err := b.run("zoneadm", "-z", "v", "boot"); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // its services come up
	if err := b.bare(); err != nil {
		return err
	}
	if err := b.throughput(); err != nil {
		return err
	}
	if err := b.keys(); err != nil {
		return err
	}
	return b.run("zoneadm", "-z", "v", "halt")
}

// bare is a terminal with nobody but its two ends.
func (b *bench) bare() error {
	master, slave, err := pty.Open()
	if err != nil {
		return err
	}
	defer master.Close()
	defer slave.Close()
	go func() { _, _ = io.Copy(io.Discard, master) }() // ends with the process
	cmd := exec.Command("/proc/self/exe", slave.Name(), "limit.pty", none, strconv.Itoa(b.runs))
	cmd.Env = append(os.Environ(), roleVariable+"=fill")
	cmd.Stderr = os.Stderr
	return b.measure(cmd)
}

// playFill writes to a terminal and tells how many MB a second it took: in runs of so many bytes, or in
// each second of so many.
func playFill(args []string) error {
	runs, err := strconv.Atoi(strings.TrimSuffix(args[3], "s"))
	if err != nil {
		return err
	}
	over := func(n int, ns int64) bool { return n >= consoleBytes }
	if strings.HasSuffix(args[3], "s") {
		over = func(_ int, ns int64) bool { return ns >= int64(time.Second) }
	}
	fd, err := unix.Open(args[0], unix.O_WRONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	line := bytes.Repeat([]byte("0123456789abcde"), 5)
	piece := bytes.Repeat(append(line[:71], '\n'), 57) // 4 KiB of lines
	var rates []float64
	for range runs {
		began := monotonic()
		n := 0
		for !over(n, monotonic()-began) {
			k, err := unix.Write(fd, piece)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			n += max(k, 0)
		}
		rates = append(rates, float64(n)/1e6/(float64(monotonic()-began)/1e9))
	}
	tell(args[1], "MB/s", args[2], rates)
	return nil
}

// throughput measures with different clients.
func (b *bench) throughput() error {
	for _, c := range []struct {
		name    string
		clients []string // options of zlogin
		stalled bool     // and a reader that does not read
	}{
		{"console.nobody", nil, false},
		{"console.writer", []string{"-C"}, false},
		{"console.reader", []string{"-r"}, false},
		{"console.readers10", []string{"-r", "-r", "-r", "-r", "-r", "-r", "-r", "-r", "-r", "-r"}, false},
		{"console.stalled", []string{"-C"}, true},
	} {
		if err := b.with(c.clients, c.stalled, func() error {
			return b.measure(b.inZone("v", "fill", "/dev/console", c.name, "limit.pty", strconv.Itoa(b.runs)))
		}); err != nil {
			return err
		}
	}
	return b.minutes()
}

// minutes has the zone write at full speed for a minute, without and with a reader that does not read.
func (b *bench) minutes() error {
	if !b.wants("console.minute") {
		return nil
	}
	for _, c := range []struct {
		name, limit string
		stalled     bool
	}{{"console.minute", none, false}, {"console.minute-stalled", "console.minute", true}} {
		if err := b.with([]string{"-C"}, c.stalled, func() error {
			return b.measure(b.inZone("v", "fill", "/dev/console", c.name, c.limit, "60s"))
		}); err != nil {
			return err
		}
	}
	return nil
}

// with calls f while clients are attached.
func (b *bench) with(clients []string, stalled bool, f func() error) error {
	for _, option := range clients {
		cmd := exec.Command(b.bin+"/zlogin", option, "-Q", "v")
		cmd.Env = append(os.Environ(), "ZONES_ROOT="+b.root)
		if err := cmd.Start(); err != nil { // from /dev/null to /dev/null
			return err
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	if stalled {
		fd, err := b.attach(wire.Reader)
		if err != nil {
			return err
		}
		defer fd.Close()
	}
	time.Sleep(300 * time.Millisecond) // they attach
	return f()
}

// attach connects to the zone's console.
func (b *bench) attach(role wire.Role) (*sys.FD, error) {
	c := &api.Client{Layout: layout.At(b.root), Zone: "v"}
	fd, err := c.DialConsole(context.Background())
	if err != nil {
		return nil, err
	}
	id := wire.Ident{Pid: os.Getpid(), Locale: "C", From: wire.Live, Version: wire.Version, Role: role}
	if err := unix.SetNonblock(fd.Int(), false); err != nil {
		return nil, err
	}
	return fd, sys.WriteAll(fd.Int(), []byte(id.Line()))
}

// keys measures a key's way to a terminal and its echo's way back.
func (b *bench) keys() error {
	master, slave, err := pty.Open()
	if err != nil {
		return err
	}
	us, err := b.key(int(master.Fd()), func(c string) []byte { return []byte(c) })
	slave.Close()
	master.Close()
	if err != nil {
		return fmt.Errorf("limit.key: %w", err)
	}
	b.printTail("limit.key", "", us)
	fd, err := b.attach(wire.Writer)
	if err != nil {
		return err
	}
	defer fd.Close()
	typed := func(c string) []byte {
		h := wire.Head(wire.Data, len(c))
		return append(h[:], c...)
	}
	// While it runs the terminal itself shows what is typed.
	if err := sys.WriteAll(fd.Int(), typed("\rcat >/dev/null\r")); err != nil {
		return err
	}
	time.Sleep(time.Second)
	us, err = b.key(fd.Int(), typed)
	_ = sys.WriteAll(fd.Int(), typed("\x03"))
	if err != nil {
		return fmt.Errorf("console.key: %w", err)
	}
	b.printTail("console.key", "limit.key", us)
	return nil
}

func (b *bench) printTail(name, limit string, us []float64) {
	b.print(name, "us", limit, us) // sorts them
	p99 := us[len(us)*99/100]
	if limit != "" {
		limit += ".p99"
	}
	b.print(name+".p99", "us", limit, []float64{p99})
}

// key types a key a time and waits until it is shown. Now and then the line is thrown away.
func (b *bench) key(fd int, typed func(string) []byte) ([]float64, error) {
	var us []float64
	buf := make([]byte, 4096)
	for i := range 50 * b.runs {
		if i%50 == 0 {
			if err := sys.WriteAll(fd, typed("\x15\r")); err != nil {
				return nil, err
			}
			for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
				if readable(fd, 100) {
					_, _ = unix.Read(fd, buf)
				}
			}
		}
		began := monotonic()
		if err := sys.WriteAll(fd, typed("Z")); err != nil {
			return nil, err
		}
		for {
			if !readable(fd, 5000) {
				return nil, errors.New("no echo in 5 s")
			}
			n, err := unix.Read(fd, buf)
			if n <= 0 {
				return nil, fmt.Errorf("read: %w", err)
			}
			if bytes.IndexByte(buf[:n], 'Z') >= 0 {
				break
			}
		}
		us = append(us, float64(monotonic()-began)/1e3)
	}
	return us, nil
}

func readable(fd, ms int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(time.Duration(ms) * time.Millisecond); ; {
		n, err := unix.Poll(p, int(max(time.Until(end), 0)/time.Millisecond))
		if err != unix.EINTR || time.Now().After(end) { // the runtime's own signals end a wait too
			return n > 0
		}
	}
}
