package smf

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// speaker is a program of the zone that says to init's socket what it finds in a file, line by line, as
// `printf 'READY=1\n' >>/var/tmp/NAME.words` has it. With "flood" it does nothing else any more. It listens
// when it has written its start down.
const speaker = `import os, socket, sys, time
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ.get("NOTIFY_SOCKET", "/run/svc/notify"))
f = open("/var/tmp/%s.words" % name, "a+")
f.seek(0, 2)
open("/var/tmp/%s" % name, "a").write("start\n")
while True:
    line = f.readline().strip()
    if line == "flood":
        n = 0
        while True:
            n += 1
            s.send(b"STATUS=%d" % n)
    elif line:
        s.send(line.encode())
    else:
        time.sleep(0.02)
`

// notifier is a service that says by itself when it is ready: its process is a speaker.
func notifier(name, duration, start string, timeout int) service {
	return service{
		name: "site/" + name, timeout: timeout, stop: ":kill", start: start,
		more: "<property_group name='startd' type='framework'><propval name='duration' type='astring' value='" + duration +
			"'/><propval name='notify' type='astring' value='ready'/></property_group>",
	}
}

func speaks(name string) string { return "/usr/bin/python3 /var/tmp/speaker.py " + name }

func forks(name string) string { return "/bin/sh -c &quot;" + speaks(name) + " &amp;&quot;" }

// speak has a speaker say something.
func (z *zone) speak(name, line string) {
	z.t.Helper()
	z.in("echo '" + line + "' >>/var/tmp/" + name + ".words")
}

// waits waits until a start waits for its service's word.
func (z *zone) waits(name string) {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool {
		return z.try("grep -c start /var/tmp/"+name).out == "1\n" && z.states(name) == "offline online"
	}, name+" to wait until it is ready")
}

func (z *zone) states(name string) string {
	z.t.Helper()
	return strings.Join(strings.Fields(z.try("svcprop -p restarter/state -p restarter/next_state site/"+name+":default").out), " ")
}

// notifying is a zone with a speaker; without python there is nobody who could speak.
func notifying(t *testing.T) *zone {
	t.Helper()
	z := sparse(t)
	z.put("/var/tmp/speaker.py", speaker)
	z.state("multi-user-server:default", "online")
	return z
}

// killStartd kills svc.startd, and waits for the next one.
func (z *zone) killStartd() {
	z.t.Helper()
	pid := z.startd()
	z.in("kill -9 " + pid)
	testenv.Eventually(z.t, func() bool { return z.try("pgrep -o svc.startd | grep -vx "+pid).exit == 0 }, "the next svc.startd")
}

// TestNotifyLate: a service is online when it says so. A short-lived systemd-notify says it for it, and
// what is said by a stranger makes nobody ready.
func TestNotifyLate(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := notifying(t)
	z.add(notifier("stays", "contract", speaks("stays"), 120), notifier("forks", "contract", forks("forks"), 120), notifier("child", "child", speaks("child"), 120))
	after := daemon("site/after")
	after.needs, after.restartOn = []string{"svc:/site/stays", "svc:/site/forks", "svc:/site/child"}, "none"
	z.add(after)
	names := []string{"stays", "forks", "child"}
	for _, name := range names {
		z.waits(name)
	}
	before := z.try("cat /var/svc/log/svc.startd.log").out
	z.in("NOTIFY_SOCKET=/run/svc/notify python3 -c 'import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b\"READY=1\", \"/run/svc/notify\")'")
	const ignored = "is of no service that says when it is ready"
	testenv.Eventually(t, func() bool {
		return strings.Contains(strings.TrimPrefix(z.try("cat /var/svc/log/svc.startd.log").out, before), ignored)
	}, "the stranger to be told of")
	for _, name := range names {
		if s := z.states(name); s != "offline online" {
			t.Errorf("%s is %s", name, s)
		}
	}
	if s := z.try("test -e /var/tmp/site-after"); s.exit == 0 {
		t.Error("who waits for them was started")
	}
	for _, name := range names {
		z.speak(name, "STATUS=it is "+name)
		z.speak(name, "READY=1")
		z.state("site/"+name+":default", "online")
		testenv.Eventually(t, func() bool { return strings.Contains(z.try("svcs -l "+name).out, "\nstatus_text  it is "+name+"\n") }, "the status of "+name)
	}
	z.state("site/after:default", "online")
	if testenv.Eventually(t, func() bool { return z.contracts("site/stays") == 1 }, "its contract"); z.try("grep -c Stopping $(svcs -L stays)").out != "0\n" {
		t.Error(z.in("cat $(svcs -L stays)"))
	}
	// What became a daemon and ends is started again, and has to say it again.
	z.in("kill -9 " + z.member("stays"))
	testenv.Eventually(t, func() bool { return z.starts("stays") == 2 && z.states("stays") == "offline online" }, "the restart")
	z.speak("stays", "READY=1")
	z.state("site/stays:default", "online")
}

// TestNotifyShortLived: who says it has ended long before svc.startd reads it, which is dead meanwhile.
func TestNotifyShortLived(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := notifying(t)
	const say = "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b&apos;READY=1&apos;, &apos;/run/svc/notify&apos;)"
	z.put("/var/tmp/say.py", strings.ReplaceAll(say, "&apos;", "'"))
	z.add(notifier("short", "contract", "/bin/sh -c &quot;while ! test -e /var/tmp/go; do sleep 0.05; done; /usr/bin/python3 /var/tmp/say.py; touch /var/tmp/said; exec sleep 10000&quot;", 120))
	testenv.Eventually(t, func() bool { return z.states("short") == "offline online" }, "the start")
	z.in("pid=$(pgrep -o svc.startd); kill -STOP $pid; touch /var/tmp/go; while ! test -e /var/tmp/said; do sleep 0.05; done; kill -9 $pid")
	z.state("site/short:default", "online")
	if n := strings.Count(z.in("cat $(svcs -L short)"), "Executing start method"); n != 1 {
		t.Errorf("%d starts", n)
	}
	if z.try("command -v systemd-notify").exit == 0 {
		z.add(notifier("notify", "contract", "/bin/sh -c &quot;systemd-notify --ready --status=serving; exec sleep 10000&quot;", 120))
		z.state("site/notify:default", "online")
	}
}

// TestNotifyNever: a service that does not say it is killed for it, and is in maintenance after three.
func TestNotifyNever(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := notifying(t)
	// One that may take for ever is stopped when it is disabled.
	z.add(notifier("endless", "contract", speaks("endless"), 0))
	z.waits("endless")
	z.in("svcadm disable site/endless")
	z.state("site/endless:default", "disabled")
	testenv.Eventually(t, func() bool { return z.try("pgrep -f speaker.py").exit == 1 }, "its process to be gone")
	never := notifier("never", "contract", forks("never"), 2)
	bad := notifier("bad", "contract", speaks("bad"), 60)
	bad.more = strings.ReplaceAll(bad.more, "'ready'", "'yes'")
	z.add(never, bad)
	z.state("site/never:default", "maintenance")
	if n := z.begun("never"); n > 3 { // two seconds may be over before python has begun
		t.Errorf("%d starts", n)
	}
	log := z.in("cat $(svcs -L never)")
	if strings.Count(log, "Executing start method") != 3 || strings.Count(log, "The service has not said in time that it is ready.") != 3 || strings.Count(log, "Killing contract") != 3 {
		t.Error(log)
	}
	testenv.Eventually(t, func() bool { return z.try("pgrep -f speaker.py").exit == 1 }, "its processes to be gone")
	z.state("site/bad:default", "maintenance")
	if log := z.in("cat $(svcs -L bad)"); !strings.Contains(log, `startd/notify is "yes": it is ready, or none.`) {
		t.Error(log)
	}
	testenv.Eventually(t, func() bool { return z.contracts("site/") == 0 }, "no contract to be left")
}

// TestNotifyKilled: svc.startd is killed while services wait, and what they say while it is dead is
// heard by the next one; nobody is started twice.
func TestNotifyKilled(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := notifying(t)
	names := []string{"stays", "forks", "child"}
	z.add(notifier("stays", "contract", speaks("stays"), 300), notifier("forks", "contract", forks("forks"), 300), notifier("child", "child", speaks("child"), 300))
	for _, name := range names {
		z.waits(name)
	}
	for range testenv.Rounds(5, 2) {
		z.killStartd()
		for _, name := range names {
			if s := z.states(name); s != "offline online" {
				t.Fatalf("%s is %s after svc.startd was killed", name, s)
			}
		}
	}
	// Stopped, it reads nothing; killed then, it has read nothing.
	said := ""
	for _, name := range names {
		said += "echo READY=1 >>/var/tmp/" + name + ".words; "
	}
	z.in("pid=$(pgrep -o svc.startd); kill -STOP $pid; " + said + "sleep 0.5; kill -9 $pid")
	for _, name := range names {
		z.state("site/"+name+":default", "online")
		if n := z.starts(name); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
	z.killStartd()
	for _, name := range names {
		z.state("site/"+name+":default", "online")
		if n := z.starts(name); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
}

// TestNotifyFlood: services and strangers that write all the time keep nobody else from being heard,
// and svc.startd from nothing.
func TestNotifyFlood(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := notifying(t)
	z.add(notifier("loud", "contract", speaks("loud"), 300))
	z.waits("loud")
	z.speak("loud", "READY=1")
	z.state("site/loud:default", "online")
	z.speak("loud", "flood")
	z.in("nohup python3 /var/tmp/speaker.py stranger >/dev/null 2>&1 </dev/null &")
	testenv.Eventually(t, func() bool { return z.try("test -s /var/tmp/stranger").exit == 0 }, "the stranger to start")
	z.speak("stranger", "flood")
	cpu := func() int {
		f := strings.Fields(z.in("sed 's/.*) //' /proc/" + z.startd() + "/stat"))
		user, err := strconv.Atoi(f[11])
		must(t, err)
		system, err := strconv.Atoi(f[12])
		must(t, err)
		return user + system
	}
	was, begun := cpu(), time.Now()
	for i := range testenv.Rounds(5, 2) {
		name := fmt.Sprintf("q%d", i)
		z.add(notifier(name, "contract", speaks(name), 300))
		z.waits(name)
		z.speak(name, "READY=1")
		z.state("site/"+name+":default", "online")
		z.in("svcadm restart site/q0") // who has nothing to say is looked after as well
		testenv.Eventually(t, func() bool { return z.states("q0") == "offline online" }, "the restart")
		z.speak("q0", "READY=1")
		z.state("site/q0:default", "online")
	}
	t.Logf("svc.startd took %d ticks in %.1f s", cpu()-was, time.Since(begun).Seconds())
	if n := len(strings.Fields(z.in("ls /proc/" + z.startd() + "/fd"))); n > 100 {
		t.Errorf("svc.startd has %d descriptors", n)
	}
	lines := z.in("grep -c 'no service that says' /var/svc/log/svc.startd.log")
	if n, err := strconv.Atoi(strings.TrimSpace(lines)); err != nil || n < 1 || n > 12 {
		t.Errorf("the stranger is told of %q times", lines)
	}
}

// spoof says READY=1 as another process, and is nobody himself.
const spoof = `import os, socket, struct, sys
os.setgid(65534)
os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("/run/svc/notify")
try:
    s.sendmsg([b"READY=1"], [(socket.SOL_SOCKET, 2, struct.pack("3i", int(sys.argv[1]), 65534, 65534))])
    print("sent")
except PermissionError:
    print("refused")
s.send(b"READY=1")
`

// TestNotifyUsers: a service of any user may say that it is ready, of itself alone.
func TestNotifyUsers(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := notifying(t)
	z.put("/var/tmp/spoof.py", spoof)
	z.in("touch /var/tmp/user /var/tmp/other /var/tmp/user.words /var/tmp/other.words; chown nobody /var/tmp/user* /var/tmp/other*")
	for _, name := range []string{"user", "other"} {
		s := notifier(name, "contract", speaks(name), 300)
		const context = "<method_context working_directory='/'><method_credential user='nobody' group='65534'/></method_context><exec_method"
		z.put("/var/tmp/manifest.xml", strings.Replace(s.manifest(), "<exec_method", context, 1))
		z.in("svccfg import /var/tmp/manifest.xml")
	}
	z.waits("user")
	z.waits("other")
	pid := z.member("user")
	if s := z.in("python3 /var/tmp/spoof.py " + pid); s != "refused\n" {
		t.Errorf("to speak for another process: %q", s)
	}
	z.speak("other", "READY=1")
	z.state("site/other:default", "online")
	if s := z.states("user"); s != "offline online" {
		t.Errorf("it is %s, and has not said so", s)
	}
	z.speak("user", "READY=1")
	z.state("site/user:default", "online")
	if s := z.in("stat -c %U /proc/" + pid); s != "nobody\n" {
		t.Errorf("it is of %q", s)
	}
}
