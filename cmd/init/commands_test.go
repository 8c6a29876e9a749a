package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// ending are all commands that could do harm, in a form that does.
var ending = [][]string{
	{"init", "0"}, {"init", "6"}, {"telinit", "5"}, {"telinit", "q"}, {"halt"}, {"halt", "-f"}, {"halt", "-q"}, {"poweroff", "-fn"}, {"reboot", "-f"}, {"reboot"},
	{"shutdown", "now"}, {"shutdown", "-y", "-g0", "-i0"}, {"shutdown", "-c"}, {"shutdown", "-k", "now"},
}

// On the host every one of them refuses. They run as root of a user namespace whose root is
// nobody outside, so that even a program without the check could do nothing: neither signal
// pid 1 nor reboot(2), which asks for the capability in the host's own namespace.
func TestHostIsRefused(t *testing.T) {
	testenv.NeedRoot(t)
	bin := publicBin(t)
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 65534, Size: 1}}
	for _, argv := range ending {
		cmd := exec.Command(filepath.Join(bin, argv[0]), argv[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
			Credential: &syscall.Credential{NoSetGroups: true},
		}
		out, _ := cmd.CombinedOutput()
		want := argv[0] + ": this is not a zone, and the global zone is not halted by this program\n"
		if status := cmd.ProcessState.ExitCode(); status != 1 || string(out) != want {
			t.Errorf("%q on the host: %d, %q", argv, status, out)
		}
	}
}

// publicBin is a copy that every user may execute.
func publicBin(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "zones-init-test-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	if out, err := exec.Command("cp", "-a", Bin(t), dir+"/bin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir + "/bin"
}

func TestUsersAreRefused(t *testing.T) {
	z := Booted(t, Options{})
	for _, argv := range ending {
		out, err, status := z.enter(append([]string{"-l", "alice", "exec", "--"}, argv...)...)
		if status != 1 || out != "" || err != argv[0]+": permission denied: must be root\n" {
			t.Errorf("%q: %d, %q, %q", argv, status, out, err)
		}
	}
	bin := publicBin(t)
	for _, argv := range ending {
		cmd := exec.Command(filepath.Join(bin, argv[0]), argv[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != 1 || string(out) != argv[0]+": permission denied: must be root\n" {
			t.Errorf("%q on the host: %d, %q", argv, status, out)
		}
	}
}

// In a container whose pid 1 is not ours nothing is sent to it.
func TestOtherInitIsLeftAlone(t *testing.T) {
	z := Make(t, Options{Pid1: []string{"/bin/sh", "-c", "trap 'echo terminated' TERM; trap 'echo signalled' 37 39 HUP; echo up; while :; do sleep 1; done"}})
	z.Expect(`up`)
	for _, argv := range ending {
		out, err := z.Enter(append([]string{"/lib/svc/bin/" + argv[0]}, argv[1:]...)...).CombinedOutput()
		if err == nil || string(out) != argv[0]+": process 1 is not the init of a zone\n" {
			t.Errorf("%q: %v, %q", argv, err, out)
		}
	}
	if out := z.Output(); strings.Contains(out, "terminated") || strings.Contains(out, "signalled") {
		t.Errorf("%s", out)
	}
	if name := z.Run("/lib/svc/bin/zonename"); name != z.Run("hostname") {
		t.Errorf("zonename: %q", name)
	}
}

func TestZonenameOnTheHost(t *testing.T) {
	out, err := exec.Command(filepath.Join(Bin(t), "zonename")).CombinedOutput()
	want := "global\n"
	if host, _ := os.Readlink("/proc/self/ns/pid"); host != "pid:[4026531836]" {
		name, err := os.Hostname()
		must(t, err)
		want = name + "\n"
	}
	if err != nil || string(out) != want {
		t.Errorf("%q, %v", out, err)
	}
	cmd := exec.Command(filepath.Join(Bin(t), "zonename"), "-?")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || string(out) != "usage: zonename\n" {
		t.Errorf("%d, %q", cmd.ProcessState.ExitCode(), out)
	}
}

// The name outlives what root does to the host name, and a false file is not believed.
func TestZonename(t *testing.T) {
	z := Booted(t, Options{})
	z.Run("hostname", "elsewhere")
	if got := z.Run("/lib/svc/bin/zonename"); got != "testzone\n" {
		t.Errorf("%q", got)
	}
	z.Run("/bin/sh", "-c", "printf '\\033[2J\\n' > /etc/svc/volatile/zonename")
	if got := z.Run("/lib/svc/bin/zonename"); got != "elsewhere\n" {
		t.Errorf("%q", got)
	}
}

func TestUnknownName(t *testing.T) {
	link := filepath.Join(t.TempDir(), "svcs")
	must(t, os.Symlink(filepath.Join(Bin(t), "init"), link))
	cmd := exec.Command(link)
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || !strings.HasPrefix(string(out), "svcs: this program is init, halt,") {
		t.Errorf("%d, %q", cmd.ProcessState.ExitCode(), out)
	}
}

func TestShutdownWaitsAndIsCancelled(t *testing.T) {
	z := Booted(t, Options{})
	first := z.Enter("/lib/svc/bin/shutdown", "-r", "+5", "for repairs")
	var words strings.Builder
	first.Stderr = &words
	must(t, first.Start())
	z.Expect(`This zone is going down \(reboot\) in 5 minutes\.\s+for repairs`)
	if out, err := z.Enter("/lib/svc/bin/shutdown", "+1").CombinedOutput(); err == nil || string(out) != "shutdown: a shutdown is under way already\n" {
		t.Errorf("a second one: %v, %q", err, out)
	}
	if out, err := z.Enter("/lib/svc/bin/shutdown", "-c").CombinedOutput(); err != nil {
		t.Errorf("-c: %v, %q", err, out)
	}
	z.Expect(`The shutdown of this zone is cancelled`)
	if err := first.Wait(); err == nil || words.String() != "shutdown: shutdown cancelled\n" {
		t.Errorf("the cancelled one: %v, %q", err, words.String())
	}
	if out, err := z.Enter("/lib/svc/bin/shutdown", "-c").CombinedOutput(); err == nil || string(out) != "shutdown: no shutdown is under way\n" {
		t.Errorf("-c again: %v, %q", err, out)
	}
	z.Type("\n" + ours + "shutdown -i 6 -g 2 bye\n")
	z.Expect(`Do you want to continue\? \(y or n\):`)
	z.Type("n\n")
	z.Expect(`shutdown: shutdown aborted`)
	begin := time.Now()
	z.Type(ours + "shutdown -i 6 -g 2 bye\n")
	z.Expect(`Do you want to continue\? \(y or n\):`)
	z.Type("y\n")
	z.Expect(`in 2 seconds\.`)
	z.Expect(`now\.`)
	ended(t, z, syscall.SIGHUP)
	if d := time.Since(begin); d < 2*time.Second {
		t.Errorf("it took %v", d)
	}
}
