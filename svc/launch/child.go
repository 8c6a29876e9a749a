package launch

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/utmp"
)

// lineLayout is how a line of an instance's log begins.
const lineLayout = "Jan _2 15:04:05"

// textBytesMax is how much of a text one line of the log has.
const textBytesMax = 1024

// Main is the child that puts a context into effect and becomes the method: args follow Word. It
// returns when that is not possible, with the exit code that says so.
func Main(args []string) int {
	// Capabilities and personality belong to a thread; the one that executes is the process then.
	runtime.LockOSThread()
	o, err := receive(args)
	if err != nil {
		say("svc.startd could not read what it was to start: " + err.Error() + ".")
		return method.ExitResources
	}
	if o.UtmpxPrefix != "" { // without its record it runs all the same
		if err := utmp.Zone.Begin(o.UtmpxPrefix); err != nil {
			say("svc.startd could not record who is started: " + err.Error() + ".")
		}
	}
	if f := o.put(); f != nil {
		return f.tell()
	}
	err = syscall.Exec(o.Shell, shellArguments(o.Shell, o.Command), o.Env)
	say("svc.startd could not execute " + o.Shell + ": " + err.Error() + ".")
	return method.ExitShell
}

// receive reads the order.
func receive(args []string) (*Order, error) {
	if len(args) != 1 {
		return nil, ErrOrder
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < orderFD {
		return nil, ErrOrder
	}
	var st unix.Stat_t
	if err := unix.Fstat(n, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > orderBytesMax {
		return nil, ErrOrder
	}
	text := make([]byte, st.Size)
	file := os.NewFile(uintptr(n), "order")
	defer file.Close()
	if _, err := file.ReadAt(text, 0); err != nil {
		return nil, err
	}
	return parse(text)
}

// fault is a step of the context that failed.
type fault struct {
	step string // the original's name of it
	err  unix.Errno
}

// tell writes to the log what failed, and gives the exit code.
func (f *fault) tell() int {
	say("svc.startd could not set context for method: ")
	text := f.err.Error()
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	write(f.step + ": " + text + "\n")
	return exitOf(f.err)
}

// exitOf is the exit code of a step that failed with this number.
func exitOf(n unix.Errno) int {
	switch n {
	case unix.EINVAL, unix.EPERM, unix.ENOENT, unix.ENAMETOOLONG, unix.ERANGE, unix.ESRCH:
		return method.ExitConfig
	}
	return method.ExitResources
}

// say writes a line to the instance's log.
func say(text string) {
	write("[ " + time.Now().Format(lineLayout) + " " + printable.Cut(text, textBytesMax) + " ]\n")
}

func write(line string) { _ = sys.WriteAll(2, []byte(line)) }
