package smf

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// contract writes the status of one, as the file system of contracts has it.
func (r *room) contract(ctid int, members ...int) {
	r.t.Helper()
	list := ""
	for _, m := range members {
		list += " " + strconv.Itoa(m)
	}
	r.status(ctid, list)
}

func (r *room) status(ctid int, members string) {
	r.t.Helper()
	if members == "" {
		members = " -"
	}
	name := fmt.Sprintf("/system/contract/process/%d/", ctid)
	r.write(name+"status.new", fmt.Sprintf("id %d\nzone web\nstate owned\nmembers%s\ncontracts 7 9\nsvc_fmri svc:/a\\040members:b\n", ctid, members))
	must(r.t, os.Rename(r.path(name+"status.new"), r.path(name+"status")))
}

// member is a process of the test's.
type member struct {
	cmd  *exec.Cmd
	done chan struct{}
	how  string
}

func sleeper(t testing.TB) *member { return started(t, "sleep", "1000") }

func started(t testing.TB, args ...string) *member {
	t.Helper()
	m := &member{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	must(t, m.cmd.Start())
	go func() {
		m.cmd.Wait()
		m.how = strings.TrimPrefix(m.cmd.ProcessState.String(), "signal: ")
		close(m.done)
	}()
	t.Cleanup(func() { m.cmd.Process.Kill(); <-m.done })
	return m
}

func (m *member) pid() int { return m.cmd.Process.Pid }

func (m *member) gone() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

func (m *member) wait() string {
	select {
	case <-m.done:
		return m.how
	case <-time.After(deadline):
		return "lives"
	}
}

func TestExitCodes(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		got := r.include("echo $SMF_EXIT_OK $SMF_EXIT_NODAEMON $SMF_EXIT_ERR_FATAL $SMF_EXIT_ERR_CONFIG $SMF_EXIT_MON_DEGRADE $SMF_EXIT_MON_OFFLINE $SMF_EXIT_ERR_NOSMF $SMF_EXIT_ERR_PERM")
		r.want("codes", got, ok, "0 94 95 96 97 98 99 100\n")
	})
}

func TestEnvironment(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		r.want("the name that was given", r.include("smf_zonename; smf_is_nonglobalzone && ! smf_is_globalzone && echo zone"), ok, "web\nzone\n")
		r.want("cleared", r.include("smf_clear_env; smf_clear_env; set | grep ^SMF_ | grep -v ^SMF_EXIT || echo none"), ok, "none")
		r.program("/lib/svc/bin/zonename", "")
		r.write("/lib/svc/bin/zonename", "#!/bin/sh\necho global\n")
		r.want("the name that is found", r.include("unset SMF_ZONENAME; smf_zonename; smf_is_globalzone && smf_configure_ip && echo yes; SMF_ZONENAME=b; smf_zonename"), ok, "global\nyes\nb\n")
		must(t, os.Remove(r.path("/lib/svc/bin/zonename")))
		host, err := os.Hostname()
		must(t, err)
		r.want("nobody says it", r.include("unset SMF_ZONENAME; smf_zonename"), ok, host+"\n")
		r.want("a zone has not", r.include("smf_dont_configure_vt && ! smf_is_system_labeled && smf_netstrategy && echo $_INIT_NET_STRATEGY"), ok, "none\n")
	})
}

func TestPresent(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		const ask = "smf_present || exit 3"
		r.want("no door", r.include(ask), 3)
		r.write("/etc/svc/volatile/repository_door", "")
		r.want("a file", r.include(ask), 3)
		must(t, os.Remove(r.path("/etc/svc/volatile/repository_door")))
		listen(t, r.path("/etc/svc/volatile/repository_door"))
		r.want("a door", r.include(ask), ok)
	})
}

func TestConfigureIP(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		const ask = "smf_configure_ip && echo exclusive; smf_dont_configure_ip && echo shared; :"
		r.want("nothing is known", r.include(ask), ok, "shared\n", "-exclusive")
		r.write("/proc/sys/net/ipv4/ip_forward", "0\n")
		r.want("its own", r.include(ask), ok, "exclusive\n", "-shared")
		got := r.as(65534, "/bin/sh", "-c", ". /lib/svc/share/smf_include.sh; PATH=/bin; "+ask)
		r.want("its own, asked by a user", got, ok, "exclusive\n", "-shared")
		must(t, os.Chown(r.path("/proc/sys/net/ipv4/ip_forward"), 65534, 65534))
		r.want("the host's", r.include(ask), ok, "shared\n", "-exclusive")
	})
}

// What lies in the console's place and is no device is not written to.
func TestConsole(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		const say = "echo hello | smf_console"
		r.want("none", r.include(say), ok, "hello\n")
		must(t, syscall.Mkfifo(r.path("/dev/console"), 0o600))
		r.want("a pipe", r.include(say), ok, "hello\n")
		must(t, os.Remove(r.path("/dev/console")))
		r.write("/dev/console", "")
		r.want("a file", r.include(say), ok, "hello\n")
		if text(t, r.path("/dev/console")) != "" {
			t.Error("it was written")
		}
	})
}

func TestKillContract(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		r.want("no contracts at all", r.include("smf_kill_contract 12 TERM"), 1, "not mounted")
		r.contract(12)
		r.want("empty", r.include("smf_kill_contract 12 TERM 1 5"), ok)
		r.want("gone", r.include("smf_kill_contract 99 TERM 1 5"), ok, "-smf_kill_contract:")
		for _, args := range []string{"", "''", "x TERM", "-1 TERM", "../12 TERM", "12 'TERM 1'", "12 '9;id'", "12 -l", "12 TERM x", "12 TERM 1 -5", "'1 2' TERM"} {
			r.want(args, r.include("smf_kill_contract "+args), 1, "smf_kill_contract: ", "-uid=")
		}
		a, b := sleeper(t), sleeper(t)
		r.contract(12, a.pid(), b.pid())
		r.want("no such signal", r.include("smf_kill_contract 12 NOSUCH"), 1, "cannot send NOSUCH")
		r.want("without waiting", r.include("smf_kill_contract 12 SIGHUP"), ok)
		if a.wait() != "hangup" || b.wait() != "hangup" {
			t.Errorf("%s, %s", a.wait(), b.wait())
		}
		r.alone = true // by now their numbers may be somebody else's
		r.want("all have left since", r.include("smf_kill_contract 12 9"), ok)
	})
}

// It returns when the contract is empty, and not before; or when its time has passed.
func TestKillContractWaits(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		m := sleeper(t)
		r.contract(12, m.pid())
		left := make(chan struct{})
		go func() {
			defer close(left)
			<-m.done
			time.Sleep(300 * time.Millisecond) // it lingers: a contract is empty after its last member
			r.status(12, "")
		}()
		begun := time.Now()
		r.want("until it is empty", r.include("smf_kill_contract 12 TERM 1"), ok)
		if took := time.Since(begun); took < 300*time.Millisecond {
			t.Errorf("it waited for %v", took)
		}
		<-left
		deaf := started(t, "sh", "-c", "trap '' TERM; echo; exec sleep 1000")
		r.contract(12, deaf.pid())
		r.want("until its time has passed", r.include("smf_kill_contract 12 0 1 1"), 2)
		if deaf.gone() {
			t.Error("it was killed")
		}
	})
}

// A file that lists what must not be signalled has it not signalled: init, the shell itself, and
// what kill takes for groups. kill is a function here, so that a mistake harms nobody.
func TestKillContractSpares(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		r.status(12, " 0 1 -1 007 4242 -4243 4244x 4245;id $$ * 4246")
		got := r.include(`kill() { echo "kill $*"; }; smf_kill_contract 12 TERM`)
		r.want("the others", got, ok, "kill -TERM 4242\nkill -TERM 4246\n")
		if strings.Count(got.out, "kill") != 2 {
			t.Errorf("%s", got.out)
		}
		r.want("itself", r.include(`kill() { echo "kill $*"; }; mkdir -p /system/contract/process/13; echo "members 1 $$" >/system/contract/process/13/status; smf_kill_contract 13 TERM 1`), ok, "-kill")
	})
}
