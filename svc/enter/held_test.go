package enter

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// heldHelper makes this test's program a login that waits, in place of the test.
const heldHelper = "ENTER_TEST_HELD"

func TestHeldHelper(t *testing.T) {
	if os.Getenv(heldHelper) == "" {
		return // it is the child of TestHeld
	}
	awaitWord(os.Getenv(heldVariable))
	if _, there := os.LookupEnv(heldVariable); there {
		os.Exit(9)
	}
	os.Stdout.WriteString("begun\n")
	os.Exit(7)
}

// wait starts a login that is held; what is done with the pipe decides.
func wait(t *testing.T, number string, with func(w *os.File)) (out string, ws syscall.WaitStatus) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestHeldHelper$")
	cmd.Env = append(os.Environ(), heldHelper+"=1", heldVariable+"="+number)
	cmd.ExtraFiles = []*os.File{r}
	var text strings.Builder
	cmd.Stdout = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	with(w)
	_ = cmd.Wait()
	return text.String(), cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// TestHeld: nothing happens before the byte; without one nothing ever does, and how it dies is told
// from every other end.
func TestHeld(t *testing.T) {
	begun := false
	out, ws := wait(t, "3", func(w *os.File) {
		time.Sleep(100 * time.Millisecond)
		begun = true
		_, _ = w.Write([]byte{1})
	})
	if !begun || out != "begun\n" || ws.ExitStatus() != 7 {
		t.Errorf("let go: %q, %v", out, ws)
	}
	out, ws = wait(t, "3", func(w *os.File) { w.Close() })
	if out != "" || ws.ExitStatus() != neverRan {
		t.Errorf("the supervisor died: %q, %#x", out, ws)
	}
	for _, number := range []string{"", "x", "-1", "0", "2", "99"} { // no pipe of ours: nobody will say anything
		if out, ws := wait(t, number, func(*os.File) {}); out != "begun\n" || ws.ExitStatus() != 7 {
			t.Errorf("held at %q: %q, %v", number, out, ws)
		}
	}
}
