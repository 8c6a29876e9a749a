package attack

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// forksMax is how many processes root of the zone gives itself: the attack is bounded by its own
// limit, for the host's other tenants' sake.
const forksMax = 150

// forks makes processes until there is room for no more, and replaces each that dies. Threads count
// as processes do: what this program needs of them it makes before.
func forks() error {
	runtime.GOMAXPROCS(1)
	var threads sync.WaitGroup
	for range 8 {
		threads.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 20_000_000}, nil)
		})
	}
	threads.Wait()
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: forksMax, Max: forksMax}); err != nil {
		return err
	}
	full := false
	for made := 0; made < 50*forksMax && !ended(); {
		switch _, err := syscall.ForkExec("/usr/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{}); {
		case err == nil:
			made++
		case !errors.Is(err, unix.EAGAIN):
			return err
		case !full:
			fmt.Println(there)
			full = true
		}
		_, _ = unix.Wait4(-1, nil, unix.WNOHANG, nil)
	}
	return nil
}

// flood writes to a file of the zone as fast as it can, until its input ends: paint, in lines of
// all lengths.
func flood(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := []byte(paint)
	for len(b) < 1<<16 {
		b = append(b, b...)
	}
	fmt.Println(there)
	go func() {
		for {
			if _, err := f.Write(b); err != nil {
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	for !ended() {
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}
