package testenv

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// plantVariable tells TestPlanted, run in a process of its own, what to leave behind.
const plantVariable = "TESTENV_PLANT"

// plants are leaks that Main must catch, with a word of what it must say of each.
var plants = []struct {
	name, says string
	plant      func(t *testing.T)
}{
	{"nothing", "", func(*testing.T) {}},
	{"descriptor", "leaked: descriptor", func(t *testing.T) {
		if _, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0); err != nil {
			t.Fatal(err)
		}
	}},
	{"socket", "leaked: descriptor", func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(ownDir(), "s"))
		must(t, err)
		keep = l
	}},
	{"goroutine", "leaked: goroutine", func(*testing.T) { go func() { select {} }() }},
	{"child", "leaked: child", func(t *testing.T) { must(t, exec.Command("sleep", "1000").Start()) }},
	{"zombie", "(Z)", func(t *testing.T) {
		cmd := exec.Command("true")
		must(t, cmd.Start())
		Eventually(t, func() bool {
			p, _, _ := readProcess(cmd.Process.Pid)
			return p.state == "Z"
		}, "a zombie")
	}},
	{"daemon", "leaked: left process", func(t *testing.T) {
		must(t, exec.Command("sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &").Run())
		executed(t, "sleep 1000")
	}},
	{"daemon without our environment", "leaked: left process", func(t *testing.T) {
		must(t, exec.Command("env", "-i", "sh", "-c", `: > `+ownDir()+`/f; setsid tail -f `+ownDir()+`/f </dev/null >/dev/null 2>&1 &`).Run())
		executed(t, "tail -f "+ownDir()+"/f")
	}},
	{"mount", "leaked: mount", func(t *testing.T) {
		NeedRoot(t)
		dir := filepath.Join(ownDir(), "m")
		must(t, os.Mkdir(dir, 0o755))
		must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	}},
	{"bind mount of the host", "leaked: mount", func(t *testing.T) {
		NeedRoot(t)
		dir := filepath.Join(ownDir(), "m")
		must(t, os.Mkdir(dir, 0o755))
		must(t, unix.Mount(os.Getenv("TESTENV_PRECIOUS"), dir, "", unix.MS_BIND, ""))
	}},
	{"cgroup", "leaked: cgroup", func(t *testing.T) {
		NeedRoot(t)
		root, err := Cgroup2Mount()
		must(t, err)
		must(t, os.Mkdir(filepath.Join(root, "planted"+Tag()), 0o755))
	}},
	{"member of a cgroup", "leaked: left process", func(t *testing.T) {
		NeedRoot(t)
		root, err := Cgroup2Mount()
		must(t, err)
		dir := filepath.Join(root, "planted"+Tag(), "inner")
		must(t, os.MkdirAll(dir, 0o755))
		script := fmt.Sprintf("echo $$ > %s/cgroup.procs; setsid sleep 1000 </dev/null >/dev/null 2>&1 &", dir)
		must(t, exec.Command("env", "-i", "PATH="+os.Getenv("PATH"), "sh", "-c", script).Run())
	}},
	{"network device", "leaked: network device", func(t *testing.T) {
		NeedRoot(t)
		name := "z" + strings.TrimPrefix(Tag(), ".")
		if out, err := exec.Command("ip", "link", "add", name, "type", "dummy").CombinedOutput(); err != nil {
			// Not every kernel has the dummy driver; a bridge is as good.
			if _, err := exec.Command("ip", "link", "add", name, "type", "bridge").CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		}
	}},
}

var keep any

// executed waits until a daemon of this process's runs these words: who looks while it is executed
// sees neither its words nor its environment.
func executed(t *testing.T, words string) {
	t.Helper()
	Eventually(t, func() bool {
		return slices.ContainsFunc(processesOf(own.dir, []string{own.dir, own.token}, nil), func(p process) bool { return p.words == words })
	}, "a daemon: "+words)
}

// TestPlanted leaves behind what the parent process asks for.
func TestPlanted(t *testing.T) {
	want := os.Getenv(plantVariable)
	if want == "" {
		return
	}
	for _, p := range plants {
		if p.name == want {
			if p.says != "" {
				settleTime = 300 * time.Millisecond // what is planted does not go by itself
			}
			p.plant(t)
		}
	}
}

// TestMainCatchesLeaks plants every kind of leak and lets Main find and remove it.
func TestMainCatchesLeaks(t *testing.T) {
	NeedRoot(t)
	precious := t.TempDir()
	kept := filepath.Join(precious, "file")
	must(t, os.WriteFile(kept, []byte("host's"), 0o644))
	t.Cleanup(func() {
		if _, err := os.Stat(kept); err != nil {
			t.Errorf("removing the temporary directory removed a file of the host through a mount: %v", err)
		}
	})
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestPlanted$")
			cmd.Env = append(os.Environ(), plantVariable+"="+p.name, "TESTENV_PRECIOUS="+precious)
			cmd.WaitDelay = Deadline(waitDelay)
			begin := time.Now()
			out, err := cmd.CombinedOutput()
			if p.says == "" {
				if err != nil {
					t.Fatalf("Main found a leak where none is: %v\n%s", err, out)
				}
				return
			}
			if err == nil || !strings.Contains(string(out), p.says) {
				t.Errorf("Main said %v after %v, and not %q:\n%s", err, time.Since(begin), p.says, out)
			}
			removeNetdev(string(out))
		})
	}
}

// removeNetdev removes the device that Main named; Main itself leaves devices alone.
func removeNetdev(out string) {
	if _, rest, found := strings.Cut(out, "leaked: network device "); found {
		_ = exec.Command("ip", "link", "del", strings.Fields(rest)[0]).Run()
	}
}
