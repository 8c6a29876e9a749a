package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// roleVariable makes this program a workload in a zone rather than a test.
const roleVariable = "ZONES_E2E_ROLE"

// actor is where the program lies in a zone.
const actor = "/var/tmp/actor"

// install puts this program into the zone.
func install(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	testenv.CopyProgram(t, testenv.Self(t), inside(z, zone, actor))
}

// as is the shell command that plays a role.
func as(role string, args ...string) string {
	cmd := roleVariable + "=" + role + " " + actor
	for _, a := range args {
		cmd += " " + a
	}
	return cmd
}

// detached is a command that goes on when its login has ended.
func detached(cmd string) string { return "setsid sh -c '" + cmd + "' </dev/null >/dev/null 2>&1 &" }

func play(role string, args []string) int {
	var err error
	switch role {
	case "saturate":
		err = saturate(args[0], args[1])
	case "trace":
		err = trace()
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		return 1
	}
	return 0
}

// lineBytes is the length of one line of the pattern as it is written: eleven digits.
const lineBytes = 12

func patternLine(n int) string { return fmt.Sprintf("%011d\n", n) }

// saturate writes numbered lines to the console as fast as it takes them until the file stop
// is there, then its last line, and records how many lines and the longest single write.
func saturate(stop, record string) error {
	tty, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	const lines = 1024
	longest, n := time.Duration(0), 0
	buf := make([]byte, 0, lines*lineBytes)
	for {
		buf = buf[:0]
		for range lines {
			buf = append(buf, patternLine(n)...)
			n++
		}
		began := time.Now()
		if _, err := tty.Write(buf); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		longest = max(longest, time.Since(began))
		if _, err := os.Stat(stop); err == nil {
			break
		}
	}
	// Who reads the pattern's end may look at the record at once.
	if err := os.WriteFile(record, []byte(strconv.Itoa(n)+" "+longest.String()), 0o644); err != nil {
		return err
	}
	_, err = tty.WriteString("end of pattern\n")
	return err
}

// trace holds a child at its first instruction under ptrace, for ever.
func trace() error {
	runtime.LockOSThread()
	// The child is stopped by its execve; its parent is the tracer and does nothing more.
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	for { // with a select the runtime would tell a deadlock
		time.Sleep(time.Hour)
	}
}
