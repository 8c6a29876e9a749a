package attack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestRacerSees: what the racer must find in who enters, it finds where it was put: a process that
// has the host's word in its environment, a directory of the host open, and a program that can be
// written once it has ended.
func TestRacerSees(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sentinel := sentinelOf(t, z)
	shm, err := os.MkdirTemp("/dev/shm", "zones-attack-") // another file system than the root's
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	victim := filepath.Join(shm, "victim")
	testenv.CopyProgram(t, "/usr/bin/sleep", victim)
	program := filepath.Join(z.Root, "attacker")
	testenv.CopyProgram(t, testenv.Self(t), program)
	// A pid namespace of its own: the racer must not meet others' processes.
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "/bin/sh", "-c",
		// One that was there before keeps the program from being written until the rest is found.
		`exec 3<&0; "$2/victim" 1000 & v=$!
		while [ "$(readlink /proc/$v/exe)" != "$2/victim" ]; do sleep 0.01; done
		`+roleVariable+`=racer "$0" "$1" `+secret+` <&3 & r=$!
		while [ ! -e "$2/go" ]; do sleep 0.05; done
		while [ ! -e "$2/found" ]; do ATTACK_SECRET=`+secret+` "$2/victim" 0.1 5</; done
		kill -KILL $v; wait $r`, program, sentinel, shm)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	r := &running{t: t, in: in, wait: cmd.Wait, over: make(chan struct{})}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill() // the first of its pid namespace
		<-r.over
		_ = cmd.Wait()
	})
	go r.read(out)
	says := func(want string) {
		t.Helper()
		testenv.EventuallyWithin(t, time.Minute, func() bool {
			return strings.Contains(strings.Join(r.said(), "\n"), want) || r.ended()
		}, "the racer to say: "+want)
		if said := strings.Join(r.said(), "\n"); !strings.Contains(said, want) {
			t.Errorf("not found: %s\n%s", want, said)
		}
	}
	says(there)
	must(t, os.WriteFile(filepath.Join(shm, "go"), nil, 0o644))
	for _, want := range []string{
		reached + " the environment of the host in " + victim, reached + " a file of the host by " + victim + "'s cwd",
		reached + " a file of the host by descriptor 5 of " + victim,
	} {
		says(want)
	}
	must(t, os.WriteFile(filepath.Join(shm, "found"), nil, 0o644))
	says(reached + " the file of a program to write to: " + victim)
	r.stop()
}
