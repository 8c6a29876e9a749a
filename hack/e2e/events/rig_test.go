package events

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == contract.GateWord {
		os.Exit(contract.Gate(os.Args[2:]))
	}
	contract.GateProgram = "/proc/self/exe"
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	testenv.Main(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a zone with the workload in it, or the host itself, and a directory for logs that
// both sides see.
type world struct {
	*testenv.Zones
	t      *testing.T
	zone   string
	ctfs   string // as the workload sees it
	logsAt string // the same
	logs   string // as the host sees it
}

// Where things are in a zone.
const (
	actorPath = "/var/tmp/actor"
	logsPath  = "/var/tmp/logs"
)

// newWorld boots a sparse zone; commands of zonecfg may follow.
func newWorld(t *testing.T, commands ...string) *world {
	t.Helper()
	z := testenv.Instance(t)
	w := &world{Zones: z, t: t, zone: "e", ctfs: "/system/contract", logsAt: logsPath}
	z.Sparse(w.zone, commands...)
	root := filepath.Join(z.ZonePath(w.zone), "root")
	testenv.CopyProgram(t, testenv.Self(t), root+actorPath)
	w.logs = root + logsPath
	must(t, os.Mkdir(w.logs, 0o777))
	must(t, os.Chmod(w.logs, 0o777))
	w.keepLogs()
	if out, errs, exit := z.Zoneadm("-z", w.zone, "boot"); exit != 0 || out+errs != "" {
		t.Fatalf("boot: exit %d %s%s", exit, out, errs)
	}
	w.wantSources()
	return w
}

// wantSources fails where events do not come from the collector: the others tell less.
func (w *world) wantSources() {
	w.t.Helper()
	a := w.inside("sources", "within", "--", "hand", w.logsAt+"/x.notes", w.logsAt+"/x.kills")
	ct := a.answer("in")[0]
	if text := w.sh("grep sources " + w.ctfs + "/process/" + ct + "/status"); !strings.Contains(text, "bpf") {
		w.t.Fatalf("the collector does not serve: %s", text)
	}
	a.end()
}

// keepLogs has the logs of a failed test stay, as testenv does for the rest of its instance.
func (w *world) keepLogs() {
	w.t.Cleanup(func() {
		if w.t.Failed() && os.Getenv("ZONES_KEEP") == "1" {
			to := "/var/tmp/zones-kept-logs-" + filepath.Base(w.Root)
			out, err := exec.Command("cp", "-a", w.logs, to).CombinedOutput()
			w.t.Logf("kept: %s %v %s", to, err, out)
		}
	})
}

// global is the host's name among zones.
const global = "global"

// newHost is the host as a world: contracts of its own processes.
func newHost(t *testing.T) *world {
	t.Helper()
	z := testenv.Instance(t)
	logs := filepath.Join(z.Root, "logs")
	must(t, os.Mkdir(logs, 0o777))
	w := &world{Zones: z, t: t, zone: global, logsAt: logs, logs: logs}
	w.keepLogs()
	w.ctfs = z.ServeContracts()
	w.wantSources()
	return w
}

// worlds runs a test in a zone and on the host.
func worlds(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("zone", func(t *testing.T) { f(t, newWorld(t)) })
	t.Run("host", func(t *testing.T) { f(t, newHost(t)) })
}

// isHost says whether the world is no zone.
func (w *world) isHost() bool { return w.zone == global }

// log is the content of one of the workload's logs.
func (w *world) log(name string) string {
	b, err := os.ReadFile(filepath.Join(w.logs, name))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return string(b)
}

// sh runs a shell command in the world that has to succeed and gives its words.
func (w *world) sh(command string) string {
	w.t.Helper()
	if w.isHost() {
		cmd := exec.Command("sh", "-c", command)
		cmd.Env = w.Env()
		out, err := cmd.CombinedOutput()
		if err != nil {
			w.t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	return strings.TrimSpace(w.Must("zlogin", w.zone, command))
}

// actor is a process of the workload that one talks with.
type actor struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	errs  words
	ended sync.Once
	// Of role within: its contract, and who made it. Of role hand: its numbers and its name;
	// one outside of the zone has the host's number alone.
	ct        uint64
	maker     int
	makerHost int
	pid       int
	host      int
	comm      string
	outside   bool
}

// words is what a program prints while one looks.
type words struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// inside starts a role in the world: in a zone through a login.
func (w *world) inside(name, role string, args ...string) *actor {
	if w.isHost() {
		return w.onHost(name, role, args...)
	}
	command := append([]string{w.zone, "env", roleVariable + "=" + role, actorPath}, args...)
	return startActor(w.t, name, w.Cmd("zlogin", command...))
}

// onHost starts a role outside of the zone.
func (w *world) onHost(name, role string, args ...string) *actor {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(w.Env(), roleVariable+"="+role)
	return startActor(w.t, name, cmd)
}

// program starts a program of the instance's, such as ctwatch, with its output in a log.
func (w *world) program(name, log, program string, args ...string) *actor {
	out, err := appendTo(filepath.Join(w.logs, log))
	must(w.t, err)
	defer out.Close()
	cmd := w.Cmd(program, args...)
	a := &actor{t: w.t, name: name, cmd: cmd}
	cmd.Stdout, cmd.Stderr = out, &a.errs
	a.in, err = cmd.StdinPipe()
	must(w.t, err)
	must(w.t, cmd.Start())
	w.t.Cleanup(a.kill)
	return a
}

func startActor(t *testing.T, name string, cmd *exec.Cmd) *actor {
	t.Helper()
	a := &actor{t: t, name: name, cmd: cmd, lines: make(chan string, 16)}
	var err error
	a.in, err = cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = &a.errs
	must(t, cmd.Start())
	go func() {
		defer close(a.lines)
		in := bufio.NewReaderSize(out, 1<<20)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			a.lines <- strings.TrimSpace(line)
		}
	}()
	t.Cleanup(a.kill)
	return a
}

// answerDeadline is far above what any command takes: a supervisor may be dead meanwhile.
const answerDeadline = 60 * time.Second

// answer waits for a line that begins with this word and gives the others.
func (a *actor) answer(word string) []string {
	a.t.Helper()
	select {
	case line, ok := <-a.lines:
		f := strings.Fields(line)
		if !ok || len(f) == 0 || f[0] != word {
			a.t.Fatalf("%s says %q, not %q; %s", a.name, line, word, a.errs.String())
		}
		return f[1:]
	case <-time.After(testenv.Deadline(answerDeadline)):
		a.t.Fatalf("%s does not say %q; %s", a.name, word, a.errs.String())
	}
	return nil
}

// tell gives a command without waiting for what comes of it.
func (a *actor) tell(format string, args ...any) {
	a.t.Helper()
	if _, err := fmt.Fprintf(a.in, format+"\n", args...); err != nil {
		a.t.Fatalf("%s: %v; %s", a.name, err, a.errs.String())
	}
}

// ask gives a command and waits for its answer.
func (a *actor) ask(word, format string, args ...any) []string {
	a.t.Helper()
	a.tell(format, args...)
	return a.answer(word)
}

// end closes the actor's input and waits for its end.
func (a *actor) end() {
	a.ended.Do(func() {
		a.in.Close()
		done := make(chan error, 1)
		go func() { done <- a.cmd.Wait() }()
		for a.lines != nil {
			select {
			case _, ok := <-a.lines:
				if !ok {
					a.lines = nil
				}
			case <-time.After(testenv.Deadline(answerDeadline)):
				_ = a.cmd.Process.Kill()
				a.t.Errorf("%s does not end; %s", a.name, a.errs.String())
				a.lines = nil
			}
		}
		<-done
	})
}

// lives fails the test when the actor has ended, or says what was not asked for.
func (a *actor) lives() {
	a.t.Helper()
	select {
	case line, ok := <-a.lines:
		a.t.Fatalf("%s has ended (%v), or says %q; %s", a.name, !ok, line, a.errs.String())
	default:
	}
}

func (a *actor) kill() {
	a.ended.Do(func() {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	})
}

// hand starts one that bears and kills, in a new contract of these terms (words as role
// within takes them), or in that of its login when there are none.
func (w *world) hand(name string, terms ...string) *actor {
	w.t.Helper()
	logs := []string{w.logsAt + "/" + name + ".notes", w.logsAt + "/" + name + ".kills"}
	var a *actor
	if terms == nil {
		a = w.inside(name, "hand", logs...)
	} else {
		a = w.inside(name, "within", append(append(terms, "--", "hand"), logs...)...)
		in := numbers(w.t, a.answer("in"))
		a.ct, a.maker = uint64(in[0]), in[2]
	}
	a.meet()
	return a
}

// outsider is a hand on the host.
func (w *world) outsider(name string) *actor {
	w.t.Helper()
	a := w.onHost(name, "hand", filepath.Join(w.logs, name+".notes"), filepath.Join(w.logs, name+".kills"))
	a.outside = true
	a.meet()
	return a
}

func (a *actor) meet() {
	a.t.Helper()
	am := a.ask("am", "who")
	a.pid, a.comm = int(number(a.t, am[0])), am[1]
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	must(t, err)
	return n
}

func numbers(t *testing.T, words []string) []int {
	t.Helper()
	var list []int
	for _, w := range words {
		list = append(list, int(number(t, w)))
	}
	return list
}
