package daemons

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// shell is a login that stays: there are hundreds of commands, and a login takes longer than most.
type shell struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// mark ends a command's output, before its exit code.
const mark = '\x01'

// open logs in; the login ends with the test.
func (z *zone) open() {
	z.t.Helper()
	cmd := z.Cmd("zlogin", zoneName, "exec /bin/sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		z.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		z.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		z.t.Fatal(err)
	}
	z.shell = &shell{cmd, in, bufio.NewReader(out)}
	z.t.Cleanup(z.close)
}

func (z *zone) close() {
	if z.shell == nil {
		return
	}
	z.shell.in.Close()
	// It ends by itself, or when its zone does.
	late := time.AfterFunc(testenv.Deadline(20*time.Second), func() { _ = z.shell.cmd.Process.Kill() })
	_, _ = io.Copy(io.Discard, z.shell.out)
	_ = z.shell.cmd.Wait()
	late.Stop()
	z.shell = nil
}

// run runs a command in the zone, and gives its output and errors, and its exit code.
func (z *zone) run(command, errors string) (string, int) {
	z.t.Helper()
	if z.shell == nil {
		z.open()
	}
	s := z.shell
	late := time.AfterFunc(testenv.Deadline(60*time.Second), func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	// What reads its input would read what is to be run next.
	if _, err := fmt.Fprintf(s.in, "(\n%s\n) </dev/null %s; printf '\\001%%d\\n' $?\n", command, errors); err != nil {
		z.t.Fatalf("%s: %v", command, err)
	}
	out, err := s.out.ReadString(mark)
	if err != nil {
		z.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	code, err := s.out.ReadString('\n')
	if err != nil {
		z.t.Fatalf("%s: %v", command, err)
	}
	exit, err := strconv.Atoi(strings.TrimSpace(code))
	if err != nil {
		z.t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSuffix(out, string(mark)), exit
}

// in runs a command that has to succeed, and gives its output.
func (z *zone) in(command string) string {
	z.t.Helper()
	out, exit := z.run(command, "2>/tmp/errors.$$")
	if exit != 0 {
		errors, _ := z.run("cat /tmp/errors.$$", "")
		z.t.Fatalf("%s: exit %d\n%s%s", command, exit, out, errors)
	}
	return out
}

// try says whether a command succeeds, and what it said.
func (z *zone) try(command string) (said string, ok bool) {
	z.t.Helper()
	said, exit := z.run(command, "2>&1")
	return said, exit == 0
}
