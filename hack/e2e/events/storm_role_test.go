package events

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// What clients do while their supervisor is killed again and again. None of them may ever see
// an error that it would not see otherwise.

// stopped says when the role's input has ended.
func stopped() *atomic.Bool {
	var end atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end.Store(true)
	}()
	return &end
}

// motherKeeps is how many contracts a mother has at a time.
const motherKeeps = 8

// playMother: LOG PAUSE: starts a command in a new contract again and again, and writes down
// each: number, pid, its own pid, wait status. The oldest is abandoned when there are some.
func playMother(args []string) error {
	log, err := appendTo(args[0])
	if err != nil {
		return err
	}
	pause, err := time.ParseDuration(args[1])
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
	terms := contract.DefaultTerms()
	terms.Informative, terms.Critical = contract.Fork|contract.Exit|contract.Core|contract.Signal, contract.Empty
	if err := t.Set(terms); err != nil {
		return err
	}
	end := stopped()
	var kept []*contract.Contract
	longest, n, again, gated := time.Duration(0), 0, 0, 0
	fmt.Println("bearing")
	for ; !end.Load(); n++ {
		began := time.Now()
		tries, path := 0, ""
		ct, p, err := t.StartFunc(func(b *contract.Birth) (*os.Process, error) {
			tries++
			files := b.Files(nil)
			var argv []string
			path, argv = b.Command("/bin/sh", []string{"sh", "-c", "exit " + strconv.Itoa(n%200)})
			return os.StartProcess(path, argv, &os.ProcAttr{Files: files, Sys: b.Sys(nil)})
		})
		if err != nil {
			return fmt.Errorf("start %d: %w", n, err)
		}
		if again += tries - 1; path != "/bin/sh" {
			gated++
		}
		longest = max(longest, time.Since(began))
		state, err := p.Wait()
		if err != nil {
			return err
		}
		status := state.Sys().(syscall.WaitStatus)
		if _, err := fmt.Fprintf(log, "%d %d %d %d\n", ct.ID, p.Pid, os.Getpid(), int(status)); err != nil {
			return err
		}
		if kept = append(kept, ct); len(kept) > motherKeeps {
			if err := kept[0].Abandon(); err != nil {
				return fmt.Errorf("abandon %d: %w", kept[0].ID, err)
			}
			kept = kept[1:]
		}
		time.Sleep(pause)
	}
	fmt.Printf("bore %d %d %d %d\n", n, longest.Microseconds(), again, gated)
	return nil
}

// playOwner is role within whose maker also reads its pbundle, acknowledges what is critical,
// and writes it down: LOG TERM=VALUE ... -- ROLE ARG ...
func playOwner(args []string) error {
	log, err := appendTo(args[0])
	if err != nil {
		return err
	}
	f, err := contract.Find()
	if err != nil {
		return err
	}
	r, err := f.PBundle()
	if err != nil {
		return err
	}
	go func() {
		w := bufio.NewWriter(log)
		for {
			e, err := r.Next(context.Background())
			if err == nil && e.Critical {
				if err = f.Contract(e.CT).Ack(e.ID); err != nil {
					err = fmt.Errorf("acknowledge %d: %w", e.ID, err)
				}
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "owner:", err)
				fmt.Println("failed", err)
				os.Exit(1)
			}
			_, _ = w.Write(append(e.AppendJSON(nil, ""), '\n'))
			if w.Flush() != nil {
				os.Exit(1)
			}
		}
	}()
	return playWithin(args[1:])
}

// playTemplates: N: holds open templates, each with terms of its own, and says at the end
// whether they are what they were: "kept N".
func playTemplates(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	f, err := contract.Find()
	if err != nil {
		return err
	}
	var list []*contract.Template
	terms := func(i int) contract.Terms {
		t := contract.DefaultTerms()
		t.Cookie, t.Aux, t.FMRI = uint64(i)<<40|0xbeef, fmt.Sprintf("aux %d\n", i), "svc:/storm:"+strconv.Itoa(i)
		return t
	}
	for i := range n {
		t, err := f.Template()
		if err != nil {
			return err
		}
		if err := t.Set(terms(i)); err != nil {
			return err
		}
		list = append(list, t)
	}
	fmt.Println("holding")
	end := stopped()
	for rounds := 0; ; rounds++ {
		for i, t := range list {
			is, err := t.Terms()
			if err != nil || is != terms(i) {
				return fmt.Errorf("template %d in round %d: %+v %w", i, rounds, is, err)
			}
		}
		if end.Load() {
			fmt.Printf("kept %d %d\n", n, rounds)
			return nil
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// playLook: reads all there is to read that is no event, again and again: "looked N LONGEST".
func playLook([]string) error {
	f, err := contract.Find()
	if err != nil {
		return err
	}
	end := stopped()
	fmt.Println("looking")
	longest, n := time.Duration(0), 0
	for ; !end.Load(); n++ {
		began := time.Now()
		if _, err := f.Statuses(); err != nil {
			return fmt.Errorf("statuses: %w", err)
		}
		if _, err := f.Latest(); !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("latest of who made none: %w", err)
		}
		err := fs.WalkDir(os.DirFS(f.Path()), ".", func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.Type()&fs.ModeSymlink != 0 {
				var to string
				to, err = os.Readlink(f.Path() + "/" + name)
				if err == nil && !strings.HasPrefix(to, "../process/") {
					err = errors.New("leads to " + to)
				}
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("walk: %w", err)
		}
		longest = max(longest, time.Since(began))
		time.Sleep(2 * time.Millisecond)
	}
	fmt.Printf("looked %d %d\n", n, longest.Microseconds())
	return nil
}
