package attack

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	text, err := os.ReadFile("/usr/bin/sleep")
	must(t, err)
	must(t, os.WriteFile(victim, text, 0o755))
	program := filepath.Join(z.Root, "attacker")
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(program, self, 0o755))
	// A pid namespace of its own: the racer must not meet others' processes.
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount", "--mount-proc", "/bin/sh", "-c",
		`exec 3<&0; `+roleVariable+`=racer "$0" "$1" `+secret+` <&3 & r=$!
		while [ ! -e "$2/go" ]; do sleep 0.05; done
		for i in 1 2 3 4 5; do ATTACK_SECRET=`+secret+` "$2/victim" 0.1 5</; done
		sleep 0.2; : >"$2/done"; wait $r`, program, sentinel, shm)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	head := make([]byte, len(there)+1)
	if _, err := io.ReadFull(out, head); err != nil || string(head) != there+"\n" {
		t.Fatalf("the racer says %q, %v", head, err)
	}
	must(t, os.WriteFile(filepath.Join(shm, "go"), nil, 0o644))
	testenv.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(shm, "done")); return err == nil }, "the victims to have run")
	must(t, in.Close())
	said, err := io.ReadAll(out)
	must(t, err)
	must(t, cmd.Wait())
	for _, want := range []string{
		reached + " the environment of the host in " + victim, reached + " a file of the host by " + victim + "'s cwd",
		reached + " a file of the host by descriptor 5 of " + victim, reached + " the file of a program to write to: " + victim,
	} {
		if !strings.Contains(string(said), want) {
			t.Errorf("not found: %s\n%s", want, said)
		}
	}
}
