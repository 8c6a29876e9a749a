package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// hostInstance is the host's own instance, which others may use beside the test.
const hostInstance = "/etc/zones"

// TestHost: all attacks at once. The host's files are hashed before them and after, with a
// directory of the host's that one zone may write to and does: the hash that must find nothing
// else must find that.
func TestHost(t *testing.T) {
	planted := filepath.Join(t.TempDir(), "planted")
	must(t, os.Mkdir(planted, 0o755))
	must(t, os.WriteFile(filepath.Join(planted, "file"), []byte("the host's\n"), 0o644))
	paths := append([]string{planted}, testenv.HostPaths...)
	before := testenv.HashTree(t, paths...)
	settings := kernelSettings(t)
	t.Run("attacks", func(t *testing.T) {
		for name, attack := range map[string]func(t *testing.T){
			"entered":     entered,
			"overwritten": overwritten,
			"called":      called,
			"sought":      sought,
			"shown":       shown,
			"misled":      misled,
			"garbled":     garbled,
			"mounted":     mounted,
			"deceived":    deceived,
			"filled":      filled,
			"crowded":     crowded,
			"flooded":     flooded,
			"exchanged":   exchanged,
			"restless":    restless,
			"grafted":     grafted,
			"moved":       moved,
			"watched":     watched,
			"damage":      func(t *testing.T) { damage(t, planted) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				attack(t)
			})
		}
	})
	caught := 0
	for _, line := range before.Diff(testenv.HashTree(t, paths...)) {
		path, _, _ := strings.Cut(line, ":")
		switch {
		case path == planted || strings.HasPrefix(path, planted+"/"):
			caught++
		case path == hostInstance || strings.HasPrefix(path, hostInstance+"/"):
		default:
			t.Errorf("the host was damaged: %s", line)
		}
	}
	// The file, and one that was added, which changes the directory. Where other attacks were
	// chosen, there is none.
	if want := 3; caught != want && !(caught == 0 && selected()) {
		t.Errorf("of the planted damage %d paths were caught, want %d", caught, want)
	}
	for setting, was := range settings {
		if is := kernelSettings(t)[setting]; is != was {
			t.Errorf("%s of the host was %q and is %q", setting, was, is)
		}
	}
}

// selected says whether not all attacks are run.
func selected() bool {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.run=") && strings.Contains(arg, "/") {
			return true
		}
	}
	return false
}

// kernelSettings are what an attacker would most like to write.
func kernelSettings(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, name := range []string{"kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "kernel/core_uses_pid", "kernel/hotplug",
		"kernel/sysrq", "kernel/randomize_va_space", "kernel/yama/ptrace_scope", "kernel/unprivileged_bpf_disabled", "kernel/pid_max",
		"fs/suid_dumpable", "fs/file-max", "fs/protected_symlinks", "vm/overcommit_memory", "vm/swappiness", "net/ipv4/ip_forward"} {
		if text, err := os.ReadFile("/proc/sys/" + name); err == nil {
			values[name] = string(text)
		}
	}
	if len(values) < 8 {
		t.Fatalf("only %d settings can be read", len(values))
	}
	return values
}

// damage is what a zone may do to a directory that is shared with it for writing.
func damage(t *testing.T, planted string) {
	z := testenv.Instance(t)
	z.Sparse("d", "add fs", "set dir=/srv/planted", "set special="+planted, "set type=lofs", "end")
	boot(t, z, "d")
	z.In("d", "echo changed >/srv/planted/file && touch /srv/planted/new")
	halted(t, z, "d")
}
