package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// clients are what the test's program does in a zone: the path of the file system comes first.
var clients = map[string]func(args []string) error{
	"start":       startClient,
	"birth":       birthClient,
	"poll":        pollClient,
	"read":        readClient,
	"agent":       agentMain,
	"list":        listClient,
	"interrupted": interruptedClient,
	"passon":      passonClient,
	"owner":       ownerClient,
	"look":        lookClient,
	"hoard":       hoardClient,
	"flood":       floodClient,
	"visit":       visitClient,
	"forks":       forksClient,
	"leave":       leaveClient,
}

// birthClient makes contracts, one after the other, until a file is there: STOP SEED. Of each it
// says which processes it had and how they ended, and abandons it.
func birthClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	t, err := fs.Template()
	if err != nil {
		return err
	}
	terms := contract.DefaultTerms()
	terms.Informative = contract.Fork | contract.Exit
	terms.Critical = contract.Empty
	seed, _ := strconv.Atoi(args[2])
	for round := seed; ; round++ {
		if _, err := os.Stat(args[1]); err == nil {
			return nil
		}
		if terms.Cookie = uint64(round); round%2 == 0 {
			t.Want(terms)
		} else if err := t.Set(terms); err != nil {
			return err
		}
		t.Within(projectOf(round, seed))
		ct, err := oneBirth(t, round)
		if err != nil {
			return err
		}
		if err := ct.Abandon(); err != nil {
			return fmt.Errorf("abandon contract %d: %w", ct.ID, err)
		}
	}
}

// projectOf has every other client make contracts in projects, with bounds and without.
func projectOf(round, seed int) (w contract.Within) {
	if seed%2 == 0 || round%3 == 0 {
		return w
	}
	w.Project = &contract.Project{ID: uint32(100 + round%2), Name: "p" + strconv.Itoa(round)}
	if round%3 == 1 {
		w.Project.Processes = 500
	}
	return w
}

const birthScript = `for i in 1 2 3; do sh -c "exit $(($0 + i))" & p=$!; wait $p; echo $p $?; done`

// oneBirth makes a contract and waits for its first process, which waits for all others.
func oneBirth(t *contract.Template, round int) (*contract.Contract, error) {
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	ct, p, err := t.Start("/bin/sh", []string{"sh", "-c", birthScript, strconv.Itoa(round % 100)}, &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		return nil, err
	}
	words, err := io.ReadAll(out)
	if err != nil {
		return nil, err
	}
	st, err := p.Wait()
	if err != nil {
		return nil, err
	}
	fmt.Printf("made %d %d %d %s\n", ct.ID, p.Pid, st.ExitCode(), strings.Join(strings.Fields(string(words)), " "))
	return ct, nil
}

// Readers that must not miss what becomes of contracts that are abandoned at once say so.
const ioctlReliable = 'c'<<8 | 0x42

// pollClient reads a file of events with poll, in pieces of lines: FILE.
func pollClient(args []string) error { return readAll(args, unix.O_NONBLOCK, 333) }

// readClient reads a file of events, and waits in read: FILE.
func readClient(args []string) error { return readAll(args, 0, 4096) }

func readAll(args []string, flag int, size int) error {
	fd, err := unix.Open(args[0]+"/process/"+args[1], unix.O_RDONLY|unix.O_CLOEXEC|flag, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetInt(fd, ioctlReliable, 0); err != nil {
		return fmt.Errorf("reliable: %w", err)
	}
	fmt.Println("ready")
	buf := make([]byte, size)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EAGAIN && flag != 0:
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if err != nil && err != unix.EINTR {
				return fmt.Errorf("poll: %w", err)
			}
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case n == 0:
			return nil
		default:
			os.Stdout.Write(buf[:n])
		}
	}
}

// startClient starts a command in a contract and waits for it: TERMS CMD ARG... It says what
// it read of the contract's own events.
func startClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	t, err := fs.Template()
	if err != nil {
		return err
	}
	terms, err := parseTerms(args[1])
	if err != nil {
		return err
	}
	if err := t.Set(terms); err != nil {
		return err
	}
	ct, p, err := t.Start(args[2], args[2:], &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	st, err := p.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("contract %d pid %d exit %d\n", ct.ID, p.Pid, st.ExitCode())
	ev, err := ct.Events()
	if err != nil {
		return err
	}
	defer ev.Close()
	if err := ev.Reset(); err != nil {
		return err
	}
	for {
		e, err := ev.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		fmt.Printf("event %s\n", strings.TrimSpace(string(contract.AppendEvent(nil, &e, false))))
		if e.Kind == contract.Empty {
			break
		}
	}
	return ct.Abandon()
}

func parseTerms(lines string) (contract.Terms, error) {
	terms := contract.DefaultTerms()
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := contract.ParseTerm(&terms, line); err != nil {
			return terms, err
		}
	}
	return terms, nil
}

// listClient reads a directory in small pieces; after the first it waits for a line: DIR.
func listClient(args []string) error {
	fd, err := unix.Open(args[0]+"/"+args[1], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	buf := make([]byte, 1024)
	for first := true; ; first = false {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Println("end")
			return nil
		}
		var names []string
		for at := 0; at < n; at += int(binary.NativeEndian.Uint16(buf[at+16:])) {
			names = append(names, unix.ByteSliceToString(buf[at+19:]))
		}
		fmt.Println("first", strings.Join(names, " "))
		if first {
			_, _ = os.Stdin.Read(make([]byte, 1))
		}
	}
}

// interruptedClient reads, is interrupted by SIGUSR1, and reads again: FILE.
func interruptedClient(args []string) error {
	fd, err := unix.Open(args[0]+"/process/"+args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR1)
	fmt.Println("ready", unix.Getpid(), unix.Gettid())
	for {
		_, err := unix.Read(fd, make([]byte, 100))
		fmt.Println(err)
		fmt.Println("again")
	}
}

// passonClient leaves its pbundle to a child that waits in read, and ends.
func passonClient(args []string) error {
	if len(args) > 1 {
		_, err := unix.Read(3, make([]byte, 100))
		fmt.Println(err)
		return nil
	}
	fd, err := unix.Open(args[0]+"/process/pbundle", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := exec.Command("/proc/self/exe", args[0], "child")
	c.Env = append(os.Environ(), roleVariable+"=passon")
	c.Stdout, c.Stderr, c.ExtraFiles = os.Stdout, os.Stderr, []*os.File{os.NewFile(uintptr(fd), "pbundle")}
	if err := c.Start(); err != nil {
		return err
	}
	_, _ = unix.Poll(nil, 50)
	return nil
}
