package events

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// roleVariable makes this program a workload rather than a test.
const roleVariable = "ZONES_EVENTS_ROLE"

func play(role string, args []string) int {
	var err error
	switch role {
	case "hand":
		err = playHand(args)
	case "within":
		err = playWithin(args)
	case "listen":
		err = playListen(args)
	case "library":
		err = playLibrary(args)
	case "mother":
		err = playMother(args)
	case "owner":
		err = playOwner(args)
	case "templates":
		err = playTemplates(args)
	case "look":
		err = playLook(args)
	case "hog":
		hog()
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		return 1
	}
	return 0
}

// termsOf understands words like fatal=core,signal of a new contract's terms.
func termsOf(words []string) (contract.Terms, error) {
	terms := contract.DefaultTerms()
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "informative":
			terms.Informative, err = contract.ParseEvents(value)
		case "critical":
			terms.Critical, err = contract.ParseEvents(value)
		case "fatal":
			terms.Fatal, err = contract.ParseEvents(value)
		case "params":
			terms.Params, err = contract.ParseParams(value)
		default:
			err = errors.New("no term " + key)
		}
		if err != nil {
			return terms, fmt.Errorf("%s: %w", w, err)
		}
	}
	return terms, nil
}

// cutArgs splits arguments at "--".
func cutArgs(args []string) (before, after []string) {
	for i, a := range args {
		if a == "--" {
			return args[:i], args[i+1:]
		}
	}
	return args, nil
}

// playWithin: TERM=VALUE ... -- ROLE ARG ...: plays a role in a new contract, and says its
// number first: "in CTID PID MAKER". The role has our standard input; we own the contract, and go
// on owning it behind the role's end ("gone STATUS") until our input ends.
func playWithin(args []string) error {
	words, role := cutArgs(args)
	terms, err := termsOf(words)
	if err != nil {
		return err
	}
	f, err := contract.Find()
	if err != nil {
		return err
	}
	t, err := f.Template()
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Set(terms); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	os.Setenv(roleVariable, role[0])
	ct, p, err := t.Start("/proc/self/exe", append([]string{"actor"}, role[1:]...), &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{r, os.Stdout, os.Stderr},
	})
	r.Close()
	if err != nil {
		return err
	}
	fmt.Printf("in %d %d %d\n", ct.ID, p.Pid, os.Getpid())
	go func() {
		if state, err := p.Wait(); err == nil {
			fmt.Printf("gone %d\n", state.Sys().(interface{ ExitStatus() int }).ExitStatus())
		}
	}()
	// A role that has ended takes nothing more; its contract is still ours.
	if _, err = io.Copy(w, os.Stdin); err != nil && !errors.Is(err, unix.EPIPE) {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// ioctlReliable has a reader's events kept until it has read them.
const ioctlReliable = 'c'<<8 | 0x42

// playListen: FILE OUT [reliable] [nonblock]: copies what a file of events gives into another
// one, with nothing between them but read(2), until its input ends.
func playListen(args []string) error {
	out, err := appendTo(args[1])
	if err != nil {
		return err
	}
	flags := unix.O_RDONLY | unix.O_CLOEXEC
	options := strings.Join(args[2:], " ")
	if strings.Contains(options, "nonblock") {
		flags |= unix.O_NONBLOCK
	}
	fd, err := unix.Open(args[0], flags, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", args[0], err)
	}
	if strings.Contains(options, "reliable") {
		if err := unix.IoctlSetInt(fd, ioctlReliable, 0); err != nil {
			return fmt.Errorf("reliable: %w", err)
		}
	}
	fmt.Println("listening")
	go exitAtEnd()
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
				return fmt.Errorf("poll %s: %w", args[0], err)
			}
			continue
		case err != nil:
			return fmt.Errorf("read %s: %w", args[0], err)
		case n == 0:
			fmt.Println("end")
			return nil
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// exitAtEnd ends the process when its input does.
func exitAtEnd() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// playLibrary: QUEUE OUT: follows all contracts (bundle) or one's own (pbundle) with the
// library and writes what it gives in its JSON form. Own critical events are acknowledged.
func playLibrary(args []string) error {
	out, err := appendTo(args[1])
	if err != nil {
		return err
	}
	f, err := contract.Find()
	if err != nil {
		return err
	}
	r, err := f.Bundle()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Reliable(); err != nil {
		return err
	}
	fmt.Println("listening")
	go exitAtEnd()
	w := bufio.NewWriter(out)
	for {
		e, err := r.Next(context.Background())
		if err != nil {
			return err
		}
		if _, err := w.Write(append(e.AppendJSON(nil, args[0]), '\n')); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

// hog takes memory, once it is told to, until it is killed.
func hog() {
	_, _ = os.Stdin.Read(make([]byte, 1))
	const piece = 1 << 20
	var all [][]byte
	for {
		b := make([]byte, piece)
		for i := 0; i < piece; i += 4096 {
			b[i] = byte(i>>12) | 1
		}
		all = append(all, b)
	}
}
