package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

func contractID(n int) contract.ID { return contract.ID(n) }

// hoardClient opens a file as often as it can, and holds on: FILE TIMES.
func hoardClient(args []string) error {
	times, _ := strconv.Atoi(args[2])
	limit := unix.Rlimit{Cur: uint64(times + 100), Max: uint64(times + 100)}
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	held := 0
	var why error
	for range times {
		fd, err := unix.Open(args[0]+"/"+args[1], unix.O_RDONLY, 0)
		if err != nil {
			why = err
			break
		}
		if len(args) > 3 {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, 0)
		}
		held++
	}
	fmt.Printf("hoard %d %v\n", held, why)
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// ownerClient makes contracts as birthClient does, and reads of its own in its pbundle; what is
// critical it acknowledges: STOP SEED.
func ownerClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	t, err := fs.Template()
	if err != nil {
		return err
	}
	terms := contract.DefaultTerms()
	terms.Informative, terms.Critical = contract.Fork, contract.Empty
	if os.Geteuid() == 0 {
		terms.Critical |= contract.Exit
	} else {
		terms.Informative |= contract.Exit
	}
	if err := t.Set(terms); err != nil {
		return err
	}
	events, err := fs.PBundle()
	if err != nil {
		return err
	}
	seed, _ := strconv.Atoi(args[2])
	for round := seed; ; round++ {
		if _, err := os.Stat(args[1]); err == nil {
			return nil
		}
		ct, err := oneBirth(t, round)
		if err != nil {
			return err
		}
		if err := follow(ct, events); err != nil {
			return fmt.Errorf("contract %d: %w", ct.ID, err)
		}
		if err := ct.Abandon(); err != nil {
			return fmt.Errorf("abandon contract %d: %w", ct.ID, err)
		}
	}
}

// follow reads up to a contract's end and acknowledges what is critical.
func follow(ct *contract.Contract, events *contract.Reader) error {
	for {
		e, err := events.Next(context.Background())
		if err != nil {
			return err
		}
		fmt.Printf("own %s", contract.AppendEvent(nil, &e, false))
		if e.Critical {
			if err := ct.Ack(e.ID); err != nil {
				return fmt.Errorf("acknowledge %d: %w", e.ID, err)
			}
			if err := ct.Ack(e.ID); !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("acknowledge %d again: %w", e.ID, err)
			}
		}
		if e.Kind == contract.Empty {
			break
		}
	}
	st, err := ct.Status()
	if err != nil {
		return err
	}
	if st.Unacked != 0 || st.State != contract.Owned || len(st.Members) != 0 || st.Holder != int64(os.Getpid()) {
		return fmt.Errorf("at its end it is %+v", st)
	}
	return nil
}

// lookClient looks at everything that there is, again and again: STOP.
func lookClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	for {
		if _, err := os.Stat(args[1]); err == nil {
			return nil
		}
		all, err := fs.Statuses()
		if err != nil {
			return err
		}
		var last contract.ID
		for _, st := range all {
			if st.ID <= last {
				return fmt.Errorf("contract %d comes after %d", st.ID, last)
			}
			last = st.ID
		}
		if _, err := fs.Latest(); !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("latest of who made none: %w", err)
		}
		t, err := fs.Template()
		if err != nil {
			return err
		}
		terms := contract.DefaultTerms()
		terms.Cookie = uint64(len(all))
		if err := t.Set(terms); err != nil {
			return err
		}
		if got, err := t.Terms(); err != nil || got != terms {
			return fmt.Errorf("the terms are %+v: %w", got, err)
		}
		if err := t.Close(); err != nil {
			return err
		}
	}
}

// floodClient makes requests without end: WHAT.
func floodClient(args []string) error {
	dir := args[0] + "/process/"
	bundle, err := unix.Open(dir+"bundle", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	template, err := unix.Open(dir+"template", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	fmt.Println("ready", unix.Getpid(), unix.Getpid())
	huge := []byte(strings.Repeat("x", 1<<20))
	buf := make([]byte, 1)
	for {
		switch args[1] {
		case "stat":
			var st unix.Stat_t
			_ = unix.Stat(dir+"1/status", &st)
		case "open":
			if fd, err := unix.Open(dir+"1/status", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
				unix.Close(fd)
			}
		case "read":
			_, _ = unix.Read(bundle, buf)
		case "activate":
			_, _ = unix.Write(template, []byte("activate"))
			_, _ = unix.Write(template, []byte("clear"))
		case "huge":
			_, _ = unix.Write(template, huge)
		case "list":
			_, _ = os.ReadDir(dir)
		case "poll":
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(bundle), Events: unix.POLLIN}}, 1)
		case "births":
			fs, err := contract.OpenAt(args[0])
			if err != nil {
				return err
			}
			t, err := fs.Template()
			if err != nil {
				return err
			}
			if _, p, err := t.Start("/bin/true", []string{"true"}, nil); err == nil {
				_, _ = p.Wait()
			}
			t.Close()
		}
	}
}
