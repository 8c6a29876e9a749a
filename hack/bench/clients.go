package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// clients measures, in a zone, what a client of contracts waits for.
func (b *bench) clients() error {
	if !b.wants("contract.") && !b.wants("ctfs.") {
		return nil
	}
	if err := b.contractZone(); err != nil {
		return err
	}
	if err := b.measure(b.inZone("c", "clients", strconv.Itoa(50*b.runs))); err != nil {
		return err
	}
	return b.run("zoneadm", "-z", "c", "halt")
}

// contractZone boots a zone that has this program.
func (b *bench) contractZone() error {
	if !exists(b.root + "/var/lib/zones/c") {
		if err := b.zone("c"); err != nil {
			return err
		}
		if err := b.place("c"); err != nil {
			return err
		}
	}
	return b.run("zoneadm", "-z", "c", "boot")
}

func playClients(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	f, err := contract.Find()
	if err != nil {
		return err
	}
	for _, m := range []func(*contract.FS, int) error{roundTrips, starts, acks, exitToReader} {
		if err := m(f, n); err != nil {
			return err
		}
	}
	return nil
}

// each gives the microseconds of every one of n calls.
func each(n int, f func(i int) error) ([]float64, error) {
	us := make([]float64, 0, n)
	for i := range n {
		began := monotonic()
		if err := f(i); err != nil {
			return nil, err
		}
		us = append(us, float64(monotonic()-began)/1e3)
	}
	return us, nil
}

// playEcho gives each byte of its input back: the peer of a round trip.
func playEcho([]string) error {
	var c [1]byte
	for {
		if n, err := unix.Read(0, c[:]); n != 1 || err != nil {
			return nil
		}
		if _, err := unix.Write(1, c[:]); err != nil {
			return err
		}
	}
}

// roundTrips: a status read, a template written and read; the limit is a byte through pipes to
// another process and back.
func roundTrips(f *contract.FS, n int) error {
	there, back, err := echo()
	if err != nil {
		return err
	}
	defer there.Close()
	defer back.Close()
	var c [1]byte
	us, err := each(n, func(int) error {
		if _, err := unix.Write(int(there.Fd()), c[:]); err != nil {
			return err
		}
		_, err := unix.Read(int(back.Fd()), c[:])
		return err
	})
	if err != nil {
		return err
	}
	tell("limit.pipes", "us", "", us)
	ids, err := f.IDs()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s/process/%d/status", f.Path(), ids[0])
	buf := make([]byte, 4096)
	if us, err = each(n, func(int) error { return readOnce(name, buf) }); err != nil {
		return err
	}
	tellTail("ctfs.status", "us", "limit.pipes", us)
	fd, err := unix.Open(f.Path()+"/process/template", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if us, err = each(n, func(i int) error { _, err := unix.Write(fd, fmt.Appendf(nil, "cookie %d\n", i)); return err }); err != nil {
		return err
	}
	tellTail("ctfs.template-write", "us", "limit.pipes", us)
	if us, err = each(n, func(int) error { _, err := unix.Pread(fd, buf, 0); return err }); err != nil {
		return err
	}
	tellTail("ctfs.template-read", "us", "limit.pipes", us)
	return nil
}

func readOnce(name string, buf []byte) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Read(fd, buf)
	return err
}

func echo() (there, back *os.File, err error) {
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer inRead.Close()
	defer outWrite.Close()
	os.Setenv(roleVariable, "echo")
	_, err = os.StartProcess("/proc/self/exe", []string{"echo"}, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{inRead, outWrite, os.Stderr}})
	return inWrite, outRead, err
}

// starts: a command started in a new contract by the library, against the same command
// started without; they take turns.
func starts(f *contract.FS, n int) error {
	t, err := f.Template()
	if err != nil {
		return err
	}
	defer t.Close()
	var bare, ours []float64
	for range n / 2 {
		began := monotonic()
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		bare = append(bare, float64(monotonic()-began)/1e3)
		if _, err := p.Wait(); err != nil {
			return err
		}
		began = monotonic()
		ct, p, err := t.Start("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		ours = append(ours, float64(monotonic()-began)/1e3)
		if _, err := p.Wait(); err != nil {
			return err
		}
		if err := ct.Abandon(); err != nil {
			return err
		}
	}
	tell("limit.start", "us", "", bare)
	tellTail("contract.start", "us", "limit.start", ours)
	return nil
}

// acks: of each event the acknowledgement alone.
func acks(f *contract.FS, n int) error {
	t, err := f.Template()
	if err != nil {
		return err
	}
	defer t.Close()
	r, err := f.PBundle()
	if err != nil {
		return err
	}
	defer r.Close()
	var us []float64
	for range n / 2 {
		ct, p, err := t.Start("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		if _, err := p.Wait(); err != nil {
			return err
		}
		e, err := r.Next(context.Background())
		if err != nil {
			return err
		}
		began := monotonic()
		if err := ct.Ack(e.ID); err != nil {
			return err
		}
		us = append(us, float64(monotonic()-began)/1e3)
		if err := ct.Abandon(); err != nil {
			return err
		}
	}
	tellTail("ctfs.ack", "us", "limit.pipes", us)
	return nil
}

// exitToReader: from the last thing that a process does to the return of a blocked read of its
// contract's events; the limit is a poll of its pidfd. The process that dies writes the time
// into a page that it shares with its parent, role timed, who tells it through a pipe.
func exitToReader(f *contract.FS, n int) error {
	us, err := deaths(f, n)
	if err != nil {
		return err
	}
	tell("limit.pidfd", "us", "", us.pidfd)
	tellTail("contract.exit-to-reader", "us", "limit.pidfd", us.reader)
	return nil
}

type deathTimes struct{ pidfd, reader []float64 }

func deaths(f *contract.FS, n int) (*deathTimes, error) {
	t, err := f.Template()
	if err != nil {
		return nil, err
	}
	defer t.Close()
	terms := contract.DefaultTerms()
	terms.Informative = contract.Exit
	if err := t.Set(terms); err != nil {
		return nil, err
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	os.Setenv(roleVariable, "timed")
	ct, p, err := t.Start("/proc/self/exe", []string{"timed"}, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{inRead, outWrite, os.Stderr}})
	inRead.Close()
	outWrite.Close()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(fmt.Sprintf("%s/process/%d/events", f.Path(), ct.ID), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	us := &deathTimes{}
	out := bufio.NewReader(outRead)
	buf := make([]byte, 4096)
	for range n {
		returned := make(chan int64, 1)
		go func() {
			_, err := unix.Read(fd, buf)
			for err == unix.EINTR {
				_, err = unix.Read(fd, buf)
			}
			returned <- monotonic()
		}()
		time.Sleep(time.Millisecond) // the reader is to wait by then
		if _, err := inWrite.Write([]byte{'\n'}); err != nil {
			return nil, err
		}
		line, err := out.ReadString('\n')
		if err != nil {
			return nil, err
		}
		died, polled, ok := strings.Cut(strings.TrimSpace(line), " ")
		d, err1 := strconv.ParseInt(died, 10, 64)
		q, err2 := strconv.ParseInt(polled, 10, 64)
		if err := errors.Join(err1, err2); err != nil || !ok {
			return nil, fmt.Errorf("times %q: %w", line, err)
		}
		us.reader = append(us.reader, float64(<-returned-d)/1e3)
		us.pidfd = append(us.pidfd, float64(q-d)/1e3)
	}
	inWrite.Close()
	if _, err := p.Wait(); err != nil {
		return nil, err
	}
	return us, ct.Abandon()
}

// playTimed bears a process at each line, and tells when it died and when a poll of its pidfd
// returned.
func playTimed([]string) error {
	if err := sharePage(); err != nil {
		return err
	}
	return locked(func() error {
		in := bufio.NewReader(os.Stdin)
		for {
			if _, err := in.ReadString('\n'); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			pid, errno := bearBare()
			if errno != 0 {
				return errno
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return err
			}
			for {
				if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != unix.EINTR {
					break
				}
			}
			polled := monotonic()
			unix.Close(fd)
			if err := reap(pid); err != nil {
				return err
			}
			fmt.Println(shared[0], polled)
		}
	})
}
