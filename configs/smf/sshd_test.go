package smf

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const sshd = "/lib/svc/method/sshd"

// keygen makes keys as ssh-keygen -A does: those that are missing.
const keygen = `mkdir -p /etc/ssh; for k in rsa ed25519; do [ -s /etc/ssh/ssh_host_${k}_key ] || { echo key >/etc/ssh/ssh_host_${k}_key; echo public >/etc/ssh/ssh_host_${k}_key.pub; }; done`

func TestSSHStart(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/usr/sbin/sshd", "[ -d /run/sshd ] || exit 1; for k in /etc/ssh/ssh_host_*_key; do [ -s $k ] || { echo no host key; exit 1; }; done")
		r.want("no way to a key", r.run(sshd, "start"), config, "no program ssh-keygen", "-RAN")
		r.program("/usr/bin/ssh-keygen", keygen)
		r.write("/run/sshd.pid", "1\n")
		r.want("the first start", r.run(sshd, "start"), ok, "RAN /usr/bin/ssh-keygen -A",
			"RAN /usr/sbin/sshd -t -f /lib/svc/share/sshd_config", "RAN /usr/sbin/sshd -f /lib/svc/share/sshd_config -o PidFile=/run/sshd.pid\n")
		if _, err := os.Lstat(r.path("/run/sshd.pid")); err == nil {
			t.Error("the last one's pid file is there")
		}
		r.write("/etc/ssh/sshd_config", "")
		r.want("the second", r.run(sshd, "start"), ok, "-ssh-keygen", "RAN /usr/sbin/sshd -f /etc/ssh/sshd_config")

		// One kind of key is enough, when that is what the administrator has left.
		must(t, os.Remove(r.path("/etc/ssh/ssh_host_rsa_key")))
		r.want("one key", r.run(sshd, "start"), ok, "-ssh-keygen")
		// The half of a power cut is none.
		r.write("/etc/ssh/ssh_host_ed25519_key", "")
		r.want("half a key", r.run(sshd, "start"), ok, "RAN /usr/bin/ssh-keygen -A")
		if keys, _ := filepath.Glob(r.path("/etc/ssh/ssh_host_*_key")); len(keys) != 2 || text(t, keys[0]) != "key\n" {
			t.Errorf("%q", keys)
		}
		r.program("/usr/sbin/sshd", "[ \"$1\" != -t ] || { echo 'line 1: Bad configuration option'; exit 255; }")
		r.want("a wrong configuration", r.run(sshd, "start"), config, "Bad configuration option", "sshd would not start", "-PidFile")
		must(t, os.RemoveAll(r.path("/run/sshd")))
		r.write("/run/sshd", "")
		r.want("no /run/sshd", r.run(sshd, "start"), fatal, "-RAN")
		for _, args := range [][]string{{sshd}, {sshd, "stop"}, {sshd, ""}} {
			r.want("usage", r.run(args...), config, "usage")
		}
	})
}

// Refresh signals the one process that listens, and none that merely has its number.
func TestSSHRefresh(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/usr/sbin/sshd", "")
		r.write("/etc/ssh/sshd_config", "")
		listener, session := sleeper(t), sleeper(t)
		r.contract(12, listener.pid(), session.pid())
		r.contract(13, 4242424)

		r.want("no pid file", r.run(sshd, "refresh", "12"), ok, "was not found")
		r.alone = true
		for _, other := range []string{"", "0\n", "1\n", "-1\n", "*\n", "not a number\n"} {
			r.write("/run/sshd.pid", other)
			r.want("pid "+strings.TrimSpace(other), r.run(sshd, "refresh", "12"), ok, "was not found")
		}
		r.alone = false
		r.write("/run/sshd.pid", strconv.Itoa(listener.pid())+"\n")
		r.want("another's contract", r.run(sshd, "refresh", "13"), ok, "was not found")
		r.want("no contract", r.run(sshd, "refresh"), ok, "was not found")
		if listener.gone() || session.gone() {
			t.Fatal("somebody was signalled")
		}
		r.want("two contracts", r.run(sshd, "refresh", "13", "12"), ok)
		if got := listener.wait(); got != "hangup" {
			t.Errorf("the listener: %s", got)
		}
		if session.gone() {
			t.Error("the session was signalled")
		}
		// What a running sshd would end of is not given to it.
		r.program("/usr/sbin/sshd", "exit 255")
		r.write("/run/sshd.pid", strconv.Itoa(session.pid())+"\n")
		r.want("a wrong configuration", r.run(sshd, "refresh", "12"), ok, "sshd would not start", "sshd goes on with what it has")
		must(t, os.Remove(r.path("/etc/ssh/sshd_config")))
		must(t, os.Mkdir(r.path("/etc/ssh/sshd_config"), 0o755))
		r.want("none that can be read", r.run(sshd, "refresh", "12"), ok, "cannot be read", "sshd goes on")
		must(t, os.Remove(r.path("/usr/sbin/sshd")))
		r.want("no sshd any more", r.run(sshd, "refresh", "12"), ok, "no SSH server is installed", "sshd goes on")
		if session.gone() {
			t.Error("a process was signalled for nothing")
		}
	})
}
