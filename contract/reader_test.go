package contract_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/command"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

// TestClient is a program of its own, for the same reason as the example.
func TestClient(t *testing.T) {
	if os.Getenv(asProgram) != "" {
		for name, f := range map[string]func(*testing.T, *contract.FS){"reader": reader, "closed": closed, "owner": owner, "command": startsCommand} {
			t.Run(name, func(t *testing.T) {
				f2, err := contract.Open()
				must(t, err)
				defer f2.Close()
				f(t, f2)
			})
		}
		return
	}
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	z := testenv.Instance(t)
	z.ServeContracts()
	cmd := exec.Command(os.Args[0], "-test.run=^TestClient$", "-test.v")
	cmd.Env = append(os.Environ(), layout.EnvRoot+"="+z.Root, asProgram+"=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// soon bounds a wait that must not be one.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(time.Minute))
	t.Cleanup(cancel)
	return ctx
}

// run runs a shell in a contract with these terms, until the system knows of its end too.
func run(t *testing.T, fs *contract.FS, terms contract.Terms, script string) *contract.Contract {
	t.Helper()
	template, err := fs.Template()
	must(t, err)
	defer template.Close()
	must(t, template.Set(terms))
	ct, cmd, err := command.Start(template, func() *exec.Cmd { return exec.Command("sh", "-c", script) })
	must(t, err)
	_ = cmd.Wait()
	r, err := ct.Events()
	must(t, err)
	defer r.Close()
	must(t, r.Reset())
	for {
		e, err := r.Next(soon(t))
		must(t, err)
		if e.Kind == contract.Empty {
			return ct
		}
	}
}

func exits() contract.Terms {
	terms := contract.DefaultTerms()
	terms.Critical |= contract.Exit
	return terms
}

// reader: what a queue keeps, and the ways through it.
func reader(t *testing.T, fs *contract.FS) {
	ctx := soon(t)
	ct := run(t, fs, exits(), "(exit 1) & wait; (exit 2) & wait; exit 3")
	r, err := ct.Events()
	must(t, err)
	defer r.Close()
	// A reader begins at the end: nothing.
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if e, err := r.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", e, err)
	}
	must(t, r.Reset())
	var ids []contract.EventID
	for _, want := range []uint32{1, 2, 3} {
		e, err := r.Next(ctx)
		if err != nil || e.Kind != contract.Exit || e.Status != want<<8 || !e.Critical || e.Acked || e.CT != ct.ID {
			t.Errorf("%+v, %v", e, err)
		}
		ids = append(ids, e.ID)
	}
	must(t, ct.Ack(ids[0]))
	if err := ct.Ack(ids[0]); !errors.Is(err, unix.ESRCH) {
		t.Errorf("acknowledged twice: %v", err)
	}
	must(t, r.Reset())
	must(t, r.Critical())
	if e, err := r.Next(ctx); err != nil || e.ID != ids[1] {
		t.Errorf("critical and not acknowledged: %+v, %v", e, err)
	}
	must(t, r.Skip())
	if e, err := r.Next(ctx); err != nil || e.Kind != contract.Empty {
		t.Errorf("behind what was skipped: %+v, %v", e, err)
	}
	st, err := ct.Status()
	if err != nil || st.Unacked != 3 || st.State != contract.Owned || st.Holder != int64(os.Getpid()) {
		t.Errorf("%+v, %v", st, err)
	}
	must(t, ct.Abandon())
	if e, err := r.Next(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("of a dead contract: %+v, %v", e, err)
	}
	if err := ct.Abandon(); err == nil {
		t.Error("abandoned twice")
	}
}

// closed: a reader that is closed by another goroutine, or whose context ends, returns.
func closed(t *testing.T, fs *contract.FS) {
	for _, how := range []string{"close", "cancel"} {
		r, err := fs.Bundle()
		must(t, err)
		ctx, cancel := context.WithCancel(soon(t))
		var group sync.WaitGroup
		group.Go(func() {
			_, err := r.Next(ctx)
			if want := map[string]error{"close": os.ErrClosed, "cancel": context.Canceled}[how]; !errors.Is(err, want) {
				t.Errorf("%s: %v", how, err)
			}
		})
		if how == "close" {
			r.Close()
		} else {
			cancel()
		}
		group.Wait()
		cancel()
		r.Close()
		if err := r.Reset(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("reset when closed: %v", err)
		}
	}
	// And one whose context has ended goes on with another.
	r, err := fs.PBundle()
	must(t, err)
	defer r.Close()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Next(over); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ct := run(t, fs, contract.DefaultTerms(), "exit 0")
	if e, err := r.Next(soon(t)); err != nil || e.Kind != contract.Empty || e.CT != ct.ID {
		t.Errorf("%+v, %v", e, err)
	}
	must(t, ct.Abandon())
}

// owner: what needs what, as errnos.
func owner(t *testing.T, fs *contract.FS) {
	none := fs.Contract(2147483000)
	if _, err := none.Status(); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the status of none: %v", err)
	}
	if _, err := none.Events(); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the events of none: %v", err)
	}
	ct := run(t, fs, exits(), "exit 0")
	if err := ct.Adopt(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("adopt what is one's own: %v", err)
	}
	template, err := fs.Template()
	must(t, err)
	defer template.Close()
	terms := contract.DefaultTerms()
	terms.Transfer = 2147483000
	if err := template.Set(terms); !errors.Is(err, unix.ESRCH) {
		t.Errorf("transfer from none: %v", err)
	}
	terms.Transfer = ct.ID
	must(t, template.Set(terms))
	next, cmd, err := command.Start(template, func() *exec.Cmd { return exec.Command("true") })
	must(t, err)
	must(t, cmd.Wait())
	if st, err := ct.Status(); err == nil && st.State != contract.Dead {
		t.Errorf("what was transferred from: %+v", st)
	}
	if latest, err := fs.Latest(); err != nil || latest.ID != next.ID {
		t.Errorf("latest: %+v, %v", latest, err)
	}
	if ids, err := fs.IDs(); err != nil || len(ids) == 0 || ids[len(ids)-1] != next.ID {
		t.Errorf("%v, %v", ids, err)
	}
	must(t, next.Abandon())
}

// startsCommand: pipes work, and an error is the command's.
func startsCommand(t *testing.T, fs *contract.FS) {
	template, err := fs.Template()
	must(t, err)
	defer template.Close()
	var out io.ReadCloser
	ct, cmd, err := command.Start(template, func() *exec.Cmd {
		cmd := exec.Command("sh", "-c", "echo in; cat <&3")
		out, _ = cmd.StdoutPipe()
		r, w, err := os.Pipe()
		must(t, err)
		_, _ = w.WriteString("three")
		w.Close()
		cmd.ExtraFiles = []*os.File{r}
		t.Cleanup(func() { r.Close() })
		return cmd
	})
	must(t, err)
	if text, err := io.ReadAll(out); err != nil || string(text) != "in\nthree" {
		t.Errorf("%q, %v", text, err)
	}
	must(t, cmd.Wait())
	must(t, ct.Abandon())
	for name, want := range map[string]error{"/no/such/program": unix.ENOENT, "/etc/passwd": unix.EACCES, "no-such-program": exec.ErrNotFound} {
		calls := 0
		_, _, err := command.Start(template, func() *exec.Cmd { calls++; return exec.Command(name) })
		if !errors.Is(err, want) || calls != 1 {
			t.Errorf("%s: %v, %d times", name, err, calls)
		}
	}
}
