package daemons

import (
	"fmt"
	"time"
)

// ssh runs a command by way of a login with the key that prepare has made.
func ssh(port, command string) string {
	return "ssh -p " + port + " -i /root/.ssh/id_ed25519 -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 '" + command + "'"
}

// session is a login that stays.
func session(command string) string {
	return "setsid " + ssh("22", command) + " </dev/null >/dev/null 2>&1 &"
}

func sshd() *daemon {
	return &daemon{
		fmri: "svc:/network/ssh:default", manifest: "network/ssh.xml", configured: "network/ssh",
		comm: "sshd", user: "root",
		prepare: "mkdir -p -m 700 /root/.ssh /etc/ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys\n" +
			"cp /lib/svc/share/sshd_config /etc/ssh/sshd_config; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key",
		answers: "[ \"$(" + ssh("22", "echo in; exit 0") + ")\" = in ]",
		change:  "printf 'Port 22\\nPort 2222\\n' >>/etc/ssh/sshd_config", changed: "[ \"$(" + ssh("2222", "id -u") + ")\" = 0 ]",
		wrong: "echo Nonsense >>/etc/ssh/sshd_config", wrongSays: "^sshd goes on with what it has$", right: "sed -i '$d' /etc/ssh/sshd_config",
		worker: session("exec sleep 1001"), workerHas: "sleep",
		crashes: []crash{
			{what: "the listener is killed", do: "kill -9 $M", log: byExit, exit: true},
			{what: "a session is killed", do: "kill -9 $W; pkill -9 -x -f 'sleep 1001'", worker: true, stays: true},
			{what: "the listener dumps core", do: withCore("$M"), log: byExit, exit: true},
			{what: "it ends", do: "kill -TERM $M", log: byExit, exit: true},
			{what: "all are killed", do: "kill -9 $ALL", worker: true, log: byExit, exit: true},
		},
		peculiar: sessionsAlone,
	}
}

// sessionsAlone: a refresh leaves a session alone. While there is one, a listener that was killed
// is not missed: the contract is not empty, and its events are ignored. With the last session
// comes the restart.
func sessionsAlone(d *daemon, z *zone) {
	before := d.running(z)
	z.in(session("exec sleep 1001"))
	s := d.withWorker(z)
	listener := s.master()
	z.in("svcadm refresh " + d.fmri)
	d.same(z, before, "refreshed with a session")
	z.in(fmt.Sprintf("kill -9 %d", listener.pid))
	z.wait(20*time.Second, "the listener's end", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.agree() && !s.has(listener)
	})
	if s.state != "online" || s.starts != before.starts || s.ctid != before.ctid {
		z.t.Errorf("%+v", s)
	}
	z.in(fmt.Sprintf("kill -9 %d; pkill -9 -x -f 'sleep 1001'", s.master().pid))
	z.wait(20*time.Second, "the restart", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.starts == before.starts+1
	})
	d.running(z)
}
