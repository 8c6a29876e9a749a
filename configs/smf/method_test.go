package smf

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	ok     = 0
	fatal  = 95
	config = 96
	noSMF  = 99
	perm   = 100
)

// Every script is understood by the shells of Debian and of busybox, can be executed if it is a
// method, and sources what it must.
func TestSyntax(t *testing.T) {
	for _, dir := range []string{"method", "share"} {
		for _, name := range files(t, dir) {
			file := filepath.Join(dir, name)
			if dir == "share" && filepath.Ext(name) != ".sh" {
				continue
			}
			for _, shell := range [][]string{{"dash", "-n", file}, {"busybox", "sh", "-n", file}} {
				if out, err := exec.Command(shell[0], shell[1:]...).CombinedOutput(); err != nil {
					t.Errorf("%q: %v %s", shell, err, out)
				}
			}
			info, err := os.Stat(file)
			must(t, err)
			if (info.Mode()&0o111 != 0) != (dir == "method") {
				t.Errorf("%s has mode %v", file, info.Mode())
			}
			if dir == "method" && (!strings.HasPrefix(text(t, file), "#!/bin/sh\n") || !strings.Contains(text(t, file), "\n. /lib/svc/share/zone_include.sh\n")) {
				t.Errorf("%s is no method of ours", file)
			}
		}
	}
}

// What is not installed is said in one line, and is not tried again.
func TestMissingProgram(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		listen(t, r.path("/etc/svc/volatile/repository_door"))
		r.write("/etc/defaultdomain", "example.org\n")
		for _, test := range []struct {
			args []string
			says string
		}{
			{[]string{"system-log"}, "no system log is installed"},
			{[]string{"svc-cron"}, "no clock daemon is installed"},
			{[]string{"sshd", "start"}, "no SSH server is installed"},
			{[]string{"http-nginx", "start", "/etc/nginx/nginx.conf"}, "nginx is not installed"},
			{[]string{"postgresql", "start", "auto", "auto"}, "PostgreSQL is not installed"},
			{[]string{"postgresql", "stop", "/usr/bin", "/var/pg"}, "/usr/bin/pg_ctl is missing"},
			{[]string{"redis", "start", "/etc/redis/redis.conf"}, "Redis is not installed"},
			{[]string{"console-login"}, "/lib/svc/bin/console-login is missing"},
			{[]string{"manifest-import"}, "there is no program manifest-import"},
			{[]string{"identity-domain"}, "there is no program domainname"},
		} {
			got := r.run(append([]string{"/lib/svc/method/" + test.args[0]}, test.args[1:]...)...)
			r.want(test.args[0], got, config, test.says)
			if strings.Count(got.out, "\n") != 1 {
				t.Errorf("%q says\n%s", test.args, got.out)
			}
		}
		// A directory, and a file that nobody may execute, are no programs.
		must(t, os.Mkdir(r.path("/usr/sbin/rsyslogd"), 0o755))
		r.write("/usr/sbin/cron", "")
		r.want("a directory", r.run("/lib/svc/method/system-log"), config)
		r.want("no program", r.run("/lib/svc/method/svc-cron"), config)
	})
}

// listen makes the repository's door, which nobody answers.
func listen(t *testing.T, path string) {
	t.Helper()
	// By its directory: the path may be longer than a socket's name can be.
	dir, err := os.Open(filepath.Dir(path))
	must(t, err)
	defer dir.Close()
	l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	must(t, err)
	t.Cleanup(func() { l.Close() })
}

func TestSystemLog(t *testing.T) {
	const method = "/lib/svc/method/system-log"
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/bin/busybox", "[ \"$1\" != --list ] || printf '%s\\n' sysctl syslogd-x crond syslogd")
		r.want("busybox", r.run(method), ok, "RAN /bin/busybox syslogd\n")
		r.program("/sbin/syslogd", "")
		r.want("syslogd", r.run(method), ok, "RAN /sbin/syslogd \n", "-busybox")
		r.program("/usr/sbin/syslog-ng", "")
		r.want("syslog-ng without a configuration", r.run(method), ok, "RAN /sbin/syslogd")
		r.write("/etc/syslog-ng/syslog-ng.conf", "")
		r.want("syslog-ng", r.run(method), ok, "RAN /usr/sbin/syslog-ng -f /etc/syslog-ng/syslog-ng.conf --process-mode=background")
		r.program("/usr/sbin/syslog-ng", "[ \"$1\" != --syntax-only ] || { echo bad line; exit 2; }")
		r.want("syslog-ng is told nonsense", r.run(method), config, "bad line", "-process-mode")

		r.program("/usr/sbin/rsyslogd", "")
		r.write("/run/rsyslogd.pid", "1\n")
		r.want("rsyslogd", r.run(method), ok, "RAN /usr/sbin/rsyslogd -f /lib/svc/share/rsyslog.conf\n")
		if _, err := os.Lstat(r.path("/run/rsyslogd.pid")); err == nil {
			t.Error("the last one's pid file is there")
		}
		r.write("/etc/rsyslog.conf", "")
		r.want("rsyslogd's own", r.run(method), ok, "RAN /usr/sbin/rsyslogd -f /etc/rsyslog.conf\n")
		r.program("/usr/sbin/rsyslogd", "[ \"$1\" != -N1 ] || { echo bad line >&2; exit 1; }")
		r.want("rsyslogd is told nonsense", r.run(method), config, "bad line", "/etc/rsyslog.conf is wrong", "-RAN /usr/sbin/rsyslogd -f")
	})
}

// unreadable puts something into a file's place that is none, in each way that there is; a
// method must neither wait for it nor take it for absent.
func unreadable(t *testing.T, r *room, file string, test func(what string)) {
	t.Helper()
	full := r.path(file)
	for what, put := range map[string]func() error{
		"a directory":       func() error { return os.Mkdir(full, 0o755) },
		"a pipe":            func() error { return syscall.Mkfifo(full, 0o644) },
		"a link to nothing": func() error { return os.Symlink("/nowhere", full) },
		"a link to itself":  func() error { return os.Symlink(filepath.Base(full), full) },
	} {
		must(t, os.RemoveAll(full))
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, put())
		test(what)
	}
	must(t, os.RemoveAll(full))
}

func TestUnreadableConfig(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		for _, name := range []string{"rsyslogd", "sshd", "ssh-keygen"} {
			r.program("/usr/sbin/"+name, "")
		}
		for file, args := range map[string][]string{
			"/etc/rsyslog.conf":    {"/lib/svc/method/system-log"},
			"/etc/ssh/sshd_config": {"/lib/svc/method/sshd", "start"},
			"/etc/defaultdomain":   {"/lib/svc/method/identity-domain"},
		} {
			unreadable(t, r, file, func(what string) {
				got := r.run(args...)
				r.want(file+" is "+what, got, config, file+" cannot be read", "-RAN")
			})
		}
		// Who may not read a file is told the same. Root in a zone may be such a one.
		r.write("/etc/rsyslog.conf", "")
		must(t, os.Chmod(r.path("/etc/rsyslog.conf"), 0o600))
		r.want("another's", r.as(65534, "/lib/svc/method/system-log"), config, "/etc/rsyslog.conf cannot be read")
	})
}

func TestCron(t *testing.T) {
	const method = "/lib/svc/method/svc-cron"
	tables := func(t *testing.T, r *room, name string, mode os.FileMode) {
		t.Helper()
		info, err := os.Stat(r.path("/var/spool/cron/" + name))
		must(t, err)
		if info.Mode() != mode {
			t.Errorf("the tables have mode %v", info.Mode())
		}
		must(t, os.RemoveAll(r.path("/var/spool/cron")))
	}
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/usr/bin/busybox", "[ \"$1\" != --list ] || echo crond")
		r.want("busybox", r.run(method), ok, "RAN /usr/bin/busybox crond\n")
		tables(t, r, "crontabs", os.ModeDir|0o700)
		must(t, os.Symlink("../bin/busybox", r.path("/usr/sbin/crond")))
		r.want("busybox by a link", r.run(method), ok, "RAN /usr/sbin/crond \n")
		tables(t, r, "crontabs", os.ModeDir|0o700)
		must(t, os.Remove(r.path("/usr/sbin/crond")))
		r.program("/usr/sbin/crond", "")
		r.want("cronie", r.run(method), ok, "RAN /usr/sbin/crond \n")
		tables(t, r, "", os.ModeDir|0o755)
		r.write("/etc/group", "root:x:0:\ncrontab:x:104:\n")
		r.program("/usr/sbin/cron", "")
		r.write("/run/crond.pid", "1\n")
		r.want("Debian's", r.run(method), ok, "RAN /usr/sbin/cron \n")
		if _, err := os.Lstat(r.path("/run/crond.pid")); err == nil {
			t.Error("the last one's pid file is there")
		}
		tables(t, r, "crontabs", os.ModeDir|os.ModeSticky|0o730)
		if info, err := os.Stat(r.path("/etc/cron.d")); err != nil || info.Mode() != os.ModeDir|0o755 {
			t.Errorf("/etc/cron.d: %v %v", info, err)
		}
		// A table that is there stays as it is.
		r.write("/etc/crontab", "0 0 * * * root true\n")
		r.want("with a table", r.run(method), ok, "RAN /usr/sbin/cron \n")
		if got := text(t, r.path("/etc/crontab")); got != "0 0 * * * root true\n" {
			t.Errorf("the table is %q", got)
		}
		must(t, os.RemoveAll(r.path("/var/spool/cron")))
		// What cannot be made is no reason to try again.
		must(t, os.MkdirAll(r.path("/var/spool"), 0o755))
		r.write("/var/spool/cron", "a file")
		r.want("no directory", r.run(method), fatal, "-RAN")
	})
}

func TestConsoleLogin(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		r.write("/lib/svc/bin/console-login", "#!/bin/sh\necho \"I am $0 $$\"\n")
		must(t, os.Chmod(r.path("/lib/svc/bin/console-login"), 0o755))
		// It is the method's process, which svc.startd waits for; and it needs no tool.
		os.RemoveAll(r.path("/usr"))
		got := r.run("/bin/sh", "-c", "echo $$; exec /lib/svc/method/console-login")
		pid, _, _ := strings.Cut(got.out, "\n")
		r.want("the login", got, ok, "I am /lib/svc/bin/console-login "+pid+"\n")
	})
}

func TestIdentityDomain(t *testing.T) {
	const method = "/lib/svc/method/identity-domain"
	inRooms(t, func(t *testing.T, r *room) {
		r.want("no file", r.run(method), ok, "-a")
		r.program("/usr/bin/domainname", "")
		r.write("/proc/sys/kernel/domainname", "(none)\n")
		for content, says := range map[string]string{
			"": "-RAN", "\n": "-RAN", "example.org\nmore\n": "RAN /usr/bin/domainname example.org ", "no-newline": "RAN /usr/bin/domainname no-newline ",
		} {
			r.write("/etc/defaultdomain", content)
			r.want(content, r.run(method), ok, says)
		}
		for _, content := range []string{"-F /etc/shadow\n", "a b\n", "$(id)\n", "*\n"} {
			r.write("/etc/defaultdomain", content)
			r.want(content, r.run(method), config, "is no domain", "-RAN")
		}
		r.write("/etc/defaultdomain", "example.org\n")
		r.program("/usr/bin/domainname", "exit 1")
		r.want("it may not", r.run(method), perm, "needs the privilege sys_admin")
		r.write("/proc/sys/kernel/domainname", "example.org\n")
		r.want("it is so already", r.run(method), ok, "-RAN")
	})
}

// TestManifestImport: faults in files are for an administrator, whatever else fails is tried again.
func TestManifestImport(t *testing.T) {
	const method, program = "/lib/svc/method/manifest-import", "/lib/svc/bin/manifest-import"
	inRooms(t, func(t *testing.T, r *room) {
		r.program(program, "")
		r.want("no door", r.run(method), noSMF, "there is no repository", "-RAN")
		listen(t, r.path("/etc/svc/volatile/repository_door"))
		r.write(program, "#!/bin/sh\necho \"RAN with $# words\"\n")
		must(t, os.Chmod(r.path(program), 0o755))
		r.want("all well", r.run(method), ok, "RAN with 0 words\n", "-imported")
		for code, want := range map[int]int{1: 1, 2: 2, 95: config, 137: 137} {
			r.write(program, "#!/bin/sh\necho RAN\nexit "+strconv.Itoa(code)+"\n")
			says := "-not everything was imported"
			if code == 95 {
				says = "not everything was imported"
			}
			r.want("status "+strconv.Itoa(code), r.run(method), want, "RAN\n", says)
		}
	})
}

func TestNetLoopback(t *testing.T) {
	const method, flags = "/lib/svc/method/net-loopback", "/sys/class/net/lo/flags"
	inRooms(t, func(t *testing.T, r *room) {
		r.write("/proc/sys/net/ipv4/ip_forward", "0\n")
		r.write(flags, "0x9\n")
		r.program("/sbin/ip", "echo 0x49 >"+flags)
		r.want("up", r.run(method), ok, "-RAN", "-down")
		r.write(flags, "0x8\n")
		r.want("down", r.run(method), ok, "RAN /sbin/ip link set lo up", "-is down")
		r.write(flags, "0x8\n")
		r.program("/sbin/ip", "exit 2")
		r.want("it cannot be", r.run(method), ok, "the loopback interface is down")
		must(t, os.Remove(r.path("/sbin/ip")))
		r.want("by nothing", r.run(method), ok, "the loopback interface is down")
		r.program("/sbin/ifconfig", "echo 0x9 >"+flags)
		r.want("by ifconfig", r.run(method), ok, "RAN /sbin/ifconfig lo 127.0.0.1 up", "-is down")
		// The host's network is left alone.
		r.write(flags, "0x8\n")
		must(t, os.Chown(r.path("/proc/sys/net/ipv4/ip_forward"), 65534, 65534))
		r.want("shared", r.run(method), ok, "-RAN", "-down")
	})
}

func TestSMTPNotify(t *testing.T) {
	const method, mailer = "/lib/svc/method/smtp-notify", "/usr/sbin/sendmail"
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/lib/svc/bin/smtp-notify", "[ -z \"$SMF_FMRI\" ] || echo \"has SMF_FMRI\"")
		r.want("no sendmail", r.run(method, mailer), config, "there is no /usr/sbin/sendmail in this zone", "svcadm clear smtp-notify", "-RAN")
		r.want("no path", r.run(method), config, "-RAN")
		must(t, os.MkdirAll(r.path(mailer), 0o755))
		r.want("a directory", r.run(method, mailer), config, "-RAN")
		must(t, os.Remove(r.path(mailer)))
		r.write(mailer, "#!/bin/sh\n")
		r.want("what cannot be executed", r.run(method, mailer), config, "-RAN")
		r.program("/opt/my mail", "")
		r.want("another", r.run(method, "/opt/my mail"), ok, "RAN /lib/svc/bin/smtp-notify /opt/my mail\n", "-has SMF_FMRI")
	})
}

func TestUtmp(t *testing.T) {
	const method = "/lib/svc/method/svc-utmpd"
	inRooms(t, func(t *testing.T, r *room) {
		r.write("/etc/group", "root:x:0:\nutmp:x:43:\n")
		r.write("/var/log/btmp", "kept")
		r.write("/etc/shadow", "secret")
		must(t, os.Chmod(r.path("/etc/shadow"), 0o600))
		must(t, os.Symlink("/etc/shadow", r.path("/var/log/wtmp")))
		r.want("the first", r.run(method), ok, "/var/log/wtmp is not a plain file")
		info, err := os.Stat(r.path("/run/utmp"))
		must(t, err)
		if st := info.Sys().(*syscall.Stat_t); info.Mode() != 0o664 || st.Gid != 43 || info.Size() != 0 {
			t.Errorf("/run/utmp: %v, group %d", info.Mode(), st.Gid)
		}
		if info, err = os.Stat(r.path("/etc/shadow")); err != nil || info.Mode() != 0o600 {
			t.Errorf("what a link names: %v, %v", info.Mode(), err)
		}
		if text(t, r.path("/var/log/btmp")) != "kept" {
			t.Error("old records are gone")
		}
		r.want("again", r.run(method), ok)
		// A system that lacks all of it still gets its console.
		must(t, os.RemoveAll(r.path("/run")))
		must(t, os.RemoveAll(r.path("/var")))
		r.want("no directories", r.run(method), ok, "/run/utmp was not made")
	})
}
