package testenv

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// globalZone is the host's name among zones.
const globalZone = "global"

// ServeContracts starts the server of the host's own contracts in this instance, and keeps it
// while the test runs: otherwise it leaves when nothing is served for a while. It gives where
// its file system is mounted.
func (z *Zones) ServeContracts() string {
	z.t.Helper()
	cmd := z.Cmd("zsched", "-z", globalZone)
	cmd.Env = append(cmd.Env, "ZONES_CONTRACTD_IDLE=100ms")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	r, w, err := os.Pipe()
	must(z.t, err)
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	must(z.t, err)
	z.t.Cleanup(func() {
		if !poll(Deadline(eventuallyDeadline), func() bool { return z.PID(globalZone, "zsched") != cmd.Process.Pid }) {
			z.t.Errorf("the server of the host's contracts does not leave: %s", z.contracts())
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
	})
	var said strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if lines.Text() == "\x01ready" {
			dir := filepath.Join(z.Run, "contract")
			n, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			must(z.t, err)
			z.t.Cleanup(func() { unix.Close(n) })
			return dir
		}
		said.WriteString(lines.Text() + "\n")
	}
	z.t.Fatalf("the server of the host's contracts did not start:\n%s", said.String())
	return ""
}

// contracts says which are left, for a person.
func (z *Zones) contracts() string {
	out, errs, _, _ := z.Try("", "ctstat", "-av")
	return out + errs
}

// KillContractd kills the server of the host's contracts with SIGKILL, waits for its end and
// gives its pid.
func (z *Zones) KillContractd() int {
	z.t.Helper()
	pid := z.PID(globalZone, "contractd")
	p, _, ok := readProcess(pid)
	if pid == 0 || !ok {
		z.t.Fatalf("there is no contractd to kill (pid file says %d)", pid)
	}
	p.kill()
	return pid
}
