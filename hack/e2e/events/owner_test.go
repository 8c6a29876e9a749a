package events

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// fate is what becomes of a contract whose owner is killed.
type fate struct {
	params  string
	regent  bool // the owner's own contract is one
	members bool
	// What it is then: inherit, orphan, or gone; and when the owner's own contract has ended
	// too. Members live on unless they are killed.
	then, later string
	killed      string // then, later; empty: they live on
}

// fates, after contract(4) and process(4): INHERIT needs a regent; NOORPHAN kills whom nobody
// inherits, of whatever group; a contract without members is not orphaned but ends.
var fates = []fate{
	{"none", true, true, "orphan", "orphan", ""},
	{"none", false, true, "orphan", "orphan", ""},
	{"inherit", true, true, "inherit", "orphan", ""},
	{"inherit", false, true, "orphan", "orphan", ""},
	{"noorphan", true, true, "gone", "gone", "then"},
	{"noorphan,pgrponly", false, true, "gone", "gone", "then"},
	{"inherit,noorphan", true, true, "inherit", "gone", "later"},
	{"inherit,noorphan", false, true, "gone", "gone", "then"},
	{"none", true, false, "gone", "gone", ""},
	{"inherit", true, false, "inherit", "gone", ""},
	{"inherit,regent", true, true, "inherit", "orphan", ""},
}

// TestOwnerKilled kills owners with SIGKILL and looks with ctstat what their contracts are.
func TestOwnerKilled(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		for i, f := range fates {
			t.Run(f.String(), func(t *testing.T) { w.ownerKilled(t, i, f) })
		}
	})
}

func (f fate) String() string {
	s := f.params
	if f.regent {
		s += " in a regent"
	}
	if !f.members {
		s += " without members"
	}
	return s
}

// kept is a contract whose owner lives in a contract of ctrun's with a shell that stays there.
type kept struct {
	*actor
	outer   uint64
	shell   int   // the host's number of the shell
	members []int // the host's numbers
}

func (w *world) keep(t *testing.T, i int, f fate) *kept {
	t.Helper()
	name := fmt.Sprintf("kept%d", i)
	option := ""
	if f.regent {
		option = "-o regent"
	}
	program, self := "ctrun", actorPath
	if w.isHost() {
		program, self = filepath.Join(w.Bin, "ctrun"), "/proc/"+strconv.Itoa(os.Getpid())+"/exe"
	}
	script := fmt.Sprintf("exec %s -l child %s sh -c 'echo shell $$; %s=within %s params=%s -- hand %s/%s.notes %s/%s.kills; exec sleep 1000'",
		program, option, roleVariable, self, f.params, w.logsAt, name, w.logsAt, name)
	var cmd *exec.Cmd
	if w.isHost() {
		cmd = exec.Command("sh", "-c", script)
		cmd.Env = w.Env()
	} else {
		cmd = w.Cmd("zlogin", w.zone, script)
	}
	k := &kept{actor: startActor(t, name, cmd)}
	sh := &actor{pid: int(number(t, k.answer("shell")[0]))}
	in := numbers(t, k.answer("in"))
	k.ct, k.maker = uint64(in[0]), in[2]
	k.meet()
	if f.members {
		k.ask("born", "spawn 3 flees")
	}
	hosts := w.hostNumbers()
	w.locate(hosts, k.actor)
	w.locate(hosts, sh)
	k.shell, k.outer = sh.host, w.contractOf(k.maker)
	notes, err := parseNotes([]byte(w.log(name + ".notes")))
	must(t, err)
	for _, n := range notes {
		v := &victim{pid: int(n.pid)}
		w.locateVictims(hosts, []*victim{v})
		k.members = append(k.members, v.host)
	}
	t.Cleanup(func() {
		for _, pid := range k.members { // an orphan on the host is nobody's
			if state(pid) != "" {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	})
	return k
}

// state is a process's as /proc has it, empty for one that is gone.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[0]
}

// ctstat is a contract's state and holder as ctstat prints them in the world.
func (w *world) ctstat(ct uint64) (state, holder string) {
	program := "ctstat"
	if w.isHost() {
		program = filepath.Join(w.Bin, "ctstat")
	}
	out := w.sh(fmt.Sprintf("%s -a -i %d 2>/dev/null; true", program, ct))
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 4 && f[0] == strconv.FormatUint(ct, 10) {
			return f[3], f[4]
		}
	}
	return "gone", ""
}

func (w *world) ownerKilled(t *testing.T, i int, f fate) {
	k := w.keep(t, i, f)
	if s, holder := w.ctstat(k.ct); s != "owned" || holder != strconv.Itoa(k.maker) {
		t.Fatalf("contract %d is %s by %s, its owner is %d", k.ct, s, holder, k.maker)
	}
	if !f.members {
		k.tell("quit")
		testenv.Eventually(t, func() bool { return w.members(k.ct) == "-" || w.members(k.ct) == "" }, "the contract to be empty")
	}
	must(t, unix.Kill(k.makerHost, unix.SIGKILL))
	w.becomes(t, k, f.then, "then", f.killed)
	if s, holder := w.ctstat(k.ct); s == "inherit" && holder != strconv.FormatUint(k.outer, 10) {
		t.Errorf("contract %d is inherited by %s, not %d", k.ct, holder, k.outer)
	}
	must(t, unix.Kill(k.shell, unix.SIGKILL))
	w.becomes(t, k, f.later, "later", f.killed)
}

// becomes wants the contract's state to be this one, and its members to live if they must.
func (w *world) becomes(t *testing.T, k *kept, want, when, killed string) {
	t.Helper()
	dead := killed == "then" || killed == when
	is := ""
	testenv.Eventually(t, func() bool {
		is, _ = w.ctstat(k.ct)
		return is == want || want == "gone" && is == "dead"
	}, fmt.Sprintf("contract %d to be %s (%s)", k.ct, want, when))
	for _, pid := range k.members {
		if dead {
			testenv.Eventually(t, func() bool { s := state(pid); return s == "" || s == "Z" }, fmt.Sprintf("member %d to be killed", pid))
		} else if s := state(pid); s == "" || s == "Z" {
			t.Errorf("%s: member %d is dead (%q)", when, pid, s)
		}
	}
}

// TestCtrunKilled: ctrun is an owner as any other.
func TestCtrunKilled(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		for option, want := range map[string]string{"-l contract": "orphan", "-l child -o regent": "orphan", "-l contract -o noorphan": "gone", "-o noorphan,pgrponly": "gone"} {
			t.Run(option, func(t *testing.T) {
				program := "ctrun"
				if w.isHost() {
					program = filepath.Join(w.Bin, "ctrun")
				}
				script := fmt.Sprintf("echo owner $$; exec %s %s sh -c 'sleep 1000 & echo it $!; wait'", program, option)
				cmd := w.Cmd("zlogin", w.zone, script)
				if w.isHost() {
					cmd = exec.Command("sh", "-c", script)
					cmd.Env = w.Env()
				}
				k := &kept{actor: startActor(t, "ctrun", cmd)}
				k.maker = int(number(t, k.answer("owner")[0]))
				k.pid = int(number(t, k.answer("it")[0]))
				w.locate(w.hostNumbers(), k.actor)
				k.ct, k.members = w.contractOf(k.pid), []int{k.host}
				t.Cleanup(func() {
					if state(k.host) != "" {
						_ = unix.Kill(k.host, unix.SIGKILL)
					}
				})
				must(t, unix.Kill(k.makerHost, unix.SIGKILL))
				killed := ""
				if want == "gone" {
					killed = "then"
				}
				w.becomes(t, k, want, "then", killed)
			})
		}
	})
}
