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
	dir := filepath.Join(z.Run, "contract")
	for range serveTries {
		leave := z.startContracts()
		// On a slow machine it has left again before it is held.
		n, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		var st unix.Statfs_t
		if err == nil && unix.Fstatfs(n, &st) == nil && st.Type == unix.FUSE_SUPER_MAGIC {
			z.t.Cleanup(leave)
			z.t.Cleanup(func() { unix.Close(n) })
			return dir
		}
		if err == nil {
			unix.Close(n)
		}
		leave()
	}
	z.t.Fatal("the server of the host's contracts leaves again and again before it is used")
	return ""
}

// serveTries bounds how often the server is started again because it has left already.
const serveTries = 20

// startContracts starts the server and returns when it serves. leave waits for its end.
func (z *Zones) startContracts() (leave func()) {
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
	leave = func() {
		if !poll(Deadline(eventuallyDeadline), func() bool { return z.PID(globalZone, "zsched") != cmd.Process.Pid }) {
			z.t.Errorf("the server of the host's contracts does not leave: %s", z.contracts())
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
	}
	var said strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if lines.Text() == "\x01ready" {
			return leave
		}
		said.WriteString(lines.Text() + "\n")
	}
	leave()
	z.t.Fatalf("the server of the host's contracts did not start:\n%s", said.String())
	return nil
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
	return z.kill(globalZone, "contractd")
}
