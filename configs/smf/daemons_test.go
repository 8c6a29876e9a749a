package smf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ownerOf is who a file is of, and its mode.
func ownerOf(t *testing.T, path string) (uid, gid uint32, mode os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid, info.Mode()
}

// The directories of daemons are made once, for users that are there, and nothing is followed.
func TestDirectoriesOfDaemons(t *testing.T) {
	const method = "/lib/svc/method/fs-daemons"
	inRooms(t, func(t *testing.T, r *room) {
		for _, d := range []string{"/var/lib", "/var/log"} {
			must(t, os.MkdirAll(r.path(d), 0o755))
		}
		r.write("/etc/passwd", "root:x:0:0::/:/bin/sh\nredis:x:103:107::/:/bin/sh\n")
		r.write("/etc/group", "root:x:0:\nredis:x:107:\n")
		r.want("without PostgreSQL and nginx", r.run(method), ok)
		if uid, gid, mode := ownerOf(t, r.path("/var/lib/redis")); uid != 103 || gid != 107 || mode != os.ModeDir|0o750 {
			t.Errorf("/var/lib/redis is %d's and %d's, %v", uid, gid, mode)
		}
		for _, path := range []string{"/var/lib/postgresql", "/var/lib/nginx", "/var/www"} {
			if _, err := os.Lstat(r.path(path)); err == nil {
				t.Errorf("%s, of somebody who is not there", path)
			}
		}
		r.program("/usr/sbin/nginx", "")
		r.want("with nginx", r.run(method), ok, "-RAN")
		if uid, _, mode := ownerOf(t, r.path("/var/www/html")); uid != 0 || mode != os.ModeDir|0o755 {
			t.Errorf("/var/www/html is %d's, %v", uid, mode)
		}
		// What is there stays: another's, and a link wherever it leads.
		must(t, os.Chown(r.path("/var/lib/redis"), 1, 1))
		must(t, os.Chmod(r.path("/var/lib/redis"), 0o700))
		must(t, os.RemoveAll(r.path("/var/log/redis")))
		must(t, os.Mkdir(r.path("/victim"), 0o700))
		must(t, os.Symlink("/victim", r.path("/var/log/redis")))
		must(t, os.RemoveAll(r.path("/var/lib/nginx")))
		must(t, os.Symlink("/nowhere", r.path("/var/lib/nginx")))
		r.want("again", r.run(method), ok)
		for path, want := range map[string]os.FileMode{"/var/lib/redis": os.ModeDir | 0o700, "/victim": os.ModeDir | 0o700} {
			if _, _, mode := ownerOf(t, r.path(path)); mode != want {
				t.Errorf("%s has mode %v", path, mode)
			}
		}
		if uid, _, _ := ownerOf(t, r.path("/victim")); uid != 0 {
			t.Errorf("what a link leads to is %d's", uid)
		}
		if _, err := os.Lstat(r.path("/nowhere")); err == nil {
			t.Error("a link was followed")
		}
		// What cannot be made is named, once each, and the others are made.
		must(t, os.RemoveAll(r.path("/var/log")))
		r.write("/var/log", "a file")
		must(t, os.RemoveAll(r.path("/var/lib/redis")))
		r.want("no /var/log", r.run(method), fatal, "/var/log/nginx was not made\n", "/var/log/redis was not made\n", "-/var/lib")
		if uid, _, _ := ownerOf(t, r.path("/var/lib/redis")); uid != 103 {
			t.Errorf("/var/lib/redis is %d's", uid)
		}
	})
}

// Each line of the list is understood, and a parent that is listed stands before what is below it.
func TestListOfDirectories(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(text(t, "share/daemons")) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		mode, err := strconv.ParseUint(f[1], 8, 32)
		if len(f) != 4 && len(f) != 5 || !filepath.IsAbs(f[0]) || filepath.Clean(f[0]) != f[0] || err != nil || mode&0o022 != 0 {
			t.Errorf("%q", line)
		}
		// Somebody else's parent would be a place for his links.
		if parent := filepath.Dir(f[0]); !seen[parent] && parent != "/var/lib" && parent != "/var/log" && parent != "/var" {
			t.Errorf("who makes %s?", parent)
		}
		seen[f[0]] = f[2] == "root"
	}
	if len(seen) < 5 {
		t.Errorf("%d directories", len(seen))
	}
}

func TestNginx(t *testing.T) {
	const method = "/lib/svc/method/http-nginx"
	const conf = "/etc/nginx/nginx.conf"
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/usr/sbin/nginx", "")
		r.want("without a configuration", r.run(method, "start", conf), ok, "RAN /usr/sbin/nginx -t -q -c /lib/svc/share/nginx.conf", "RAN /usr/sbin/nginx -c /lib/svc/share/nginx.conf\n")
		r.write(conf, "")
		r.want("the usual one", r.run(method, "start", conf), ok, "RAN /usr/sbin/nginx -c /etc/nginx/nginx.conf\n")
		r.want("another that is not there", r.run(method, "start", "/etc/site.conf"), config, "/etc/site.conf cannot be read", "-RAN")
		unreadable(t, r, conf, func(what string) {
			r.want(what, r.run(method, "start", conf), config, conf+" cannot be read", "-RAN")
		})
		r.write(conf, "")

		master, worker := sleeper(t), sleeper(t)
		r.contract(12, worker.pid(), master.pid())
		r.child(master.pid(), 1)
		r.child(worker.pid(), master.pid())
		r.program("/usr/sbin/nginx", "exit 1")
		r.want("a wrong one", r.run(method, "start", conf), config, "is wrong: see above", "-RAN /usr/sbin/nginx -c")
		r.want("refreshed, it stays", r.run(method, "refresh", conf, "12"), ok, "is wrong: see above", "nginx goes on with what it has")
		if worker.gone() || master.gone() {
			t.Fatal("somebody was signalled")
		}
		r.program("/usr/sbin/nginx", "")
		r.want("refreshed", r.run(method, "refresh", conf, "13", "12"), ok, "RAN /usr/sbin/nginx -t", "-goes on")
		if got := master.wait(); got != "hangup" {
			t.Errorf("the master: %s", got)
		}
		if worker.gone() {
			t.Error("a worker was signalled")
		}
		r.want("another's contract", r.run(method, "refresh", conf, "13"), ok, "no process of nginx was found")
		r.want("no contract", r.run(method, "refresh", conf), ok, "no process of nginx was found")
		for _, args := range [][]string{{method}, {method, "stop"}, {method, "start"}, {method, "start", conf, "12"}, {method, "refresh"}} {
			r.want("usage", r.run(args...), config, "usage", "-RAN")
		}
	})
}

// Of a contract's members the one is asked that no other has started.
func TestHeads(t *testing.T) {
	inRooms(t, func(t *testing.T, r *room) {
		heads := func(ctid string) string {
			got := r.run("/bin/sh", "-euc", ". /lib/svc/share/zone_include.sh; heads "+ctid)
			if got.status != ok {
				t.Errorf("heads: %+v", got)
			}
			return strings.Join(strings.Fields(got.out), " ")
		}
		// The kernel's word has a name in it that looks like more.
		r.write("/proc/100/status", "Name:\tPPid: 7\nUmask:\t0022\nPPid:\t1\nUid:\t0\t0\t0\t0\n")
		r.child(200, 100)
		r.child(300, 200)
		r.child(400, 1)
		for _, test := range []struct {
			members []int
			want    string
		}{
			{[]int{100, 200, 300}, "100"},
			{[]int{300, 200, 100}, "100"},
			{[]int{200, 300, 400}, "200 400"},
			{[]int{300, 4242424}, "300"}, // one is gone
			{[]int{100, 20}, "100"},      // 20 is not a child's beginning of 200
			{nil, ""},
		} {
			r.contract(21, test.members...)
			if got := heads("21"); got != test.want {
				t.Errorf("of %v: %s", test.members, got)
			}
		}
		if got := heads("23"); got != "" {
			t.Errorf("of no contract: %s", got)
		}
	})
}

// child writes what the kernel says of a process's parent.
func (r *room) child(pid, parent int) {
	r.t.Helper()
	r.write(fmt.Sprintf("/proc/%d/status", pid), fmt.Sprintf("Name:\tdaemon\nPid:\t%d\nPPid:\t%d\n", pid, parent))
}

func TestRedis(t *testing.T) {
	const method = "/lib/svc/method/redis"
	const conf = "/etc/redis/redis.conf"
	inRooms(t, func(t *testing.T, r *room) {
		r.program("/usr/bin/valkey-server", "")
		r.want("Valkey", r.run(method, "start", conf), ok, "RAN /usr/bin/valkey-server /lib/svc/share/redis.conf --daemonize no --supervised no\n")
		r.program("/usr/bin/redis-server", "")
		r.want("Redis", r.run(method, "start", conf), ok, "RAN /usr/bin/redis-server /lib/svc/share/redis.conf --daemonize no --supervised no\n")
		r.want("who listens", r.run("/bin/sh", "-c", "NOTIFY_SOCKET=/run/notify exec "+method+" start "+conf), ok, "RAN /usr/bin/redis-server /lib/svc/share/redis.conf --daemonize no --supervised systemd\n")
		unreadable(t, r, conf, func(what string) {
			r.want(what, r.run(method, "start", conf), config, conf+" cannot be read", "-RAN")
		})
		r.want("no client", r.run(method, "refresh", conf), ok, "redis-cli, which is not installed")
		r.write("/usr/bin/redis-cli", redisCLI)
		must(t, os.Chmod(r.path("/usr/bin/redis-cli"), 0o755))
		unreadable(t, r, conf, func(what string) {
			r.want("refresh: "+what, r.run(method, "refresh", conf), ok, conf+" cannot be read", "-RAN")
		})
		r.write(conf, `# maxmemory 1
port 7000
requirepass "a b"
bind 127.0.0.1 -::1
daemonize yes
same is
maxmemory   100mb
logfile ""
save 900 1
fixed 3
save 60 1000
include /etc/site.conf
`)
		got := r.run(method, "refresh", conf)
		r.want("refreshed", got, ok, "include is read at the start alone", "fixed stays as it was: ERR no", "-daemonize is", "-bind stays")
		for _, want := range []string{
			"-p 7000 PING [3]", "-p 7000 CONFIG SET bind 127.0.0.1 -::1 [6]", "-p 7000 CONFIG SET maxmemory 100mb [6]",
			"-p 7000 CONFIG SET save 900 1 60 1000 [6]",
		} {
			if !strings.Contains(text(t, r.path("/asked")), want+" pass=a b\n") {
				t.Errorf("%q was not asked\n%s", want, text(t, r.path("/asked")))
			}
		}
		for _, no := range []string{"SET same", "SET logfile", "daemonize", "SET include"} {
			if strings.Contains(text(t, r.path("/asked")), no) {
				t.Errorf("%q was asked", no)
			}
		}
		r.write(conf, "port 0\nunixsocket /run/redis/sock\n")
		r.want("a socket", r.run(method, "refresh", conf), ok)
		if asked := text(t, r.path("/asked")); !strings.Contains(asked, "-s /run/redis/sock PING [3] pass=\n") {
			t.Errorf("%s", asked)
		}
		r.write("/usr/bin/redis-cli", "#!/bin/sh\necho NOAUTH Authentication required.\n")
		r.want("who does not answer", r.run(method, "refresh", conf), ok, "redis does not answer as /etc/redis/redis.conf has it (/run/redis/sock): NOAUTH Authentication required.: svcadm restart redis")
		for _, args := range [][]string{{method}, {method, "stop", conf}, {method, "start"}, {method, "refresh", conf, "12"}} {
			r.want("usage", r.run(args...), config, "usage", "-RAN")
		}
	})
}

// redisCLI answers as redis-cli does, and writes down what it was asked, how many words it was,
// and by which password.
const redisCLI = `#!/bin/sh
echo "$* [$#] pass=$REDISCLI_AUTH" >>/asked
shift 2
case "$*" in
PING) echo PONG ;;
"CONFIG GET same") printf 'same\nis\n' ;;
"CONFIG GET logfile") printf 'logfile\n\n' ;;
"CONFIG GET include") ;;
"CONFIG GET "*) printf '%s\nanother\n' "$3" ;;
"CONFIG SET fixed "*) echo "ERR no" ;;
"CONFIG SET "*) echo OK ;;
*) echo "ERR unknown" ;;
esac
`

// postgres installs a version.
func (r *room) postgres(version string) {
	for _, name := range []string{"postgres", "pg_ctl"} {
		r.program("/usr/lib/postgresql/"+version+"/bin/"+name, "")
	}
	// It makes what it was told to, as initdb does, with its first file last.
	r.program("/usr/lib/postgresql/"+version+"/bin/initdb", `for a; do case $a in --pgdata=*) mkdir "${a#*=}" && echo `+version+` >"${a#*=}/PG_VERSION" ;; esac; done`)
}

func TestPostgreSQL(t *testing.T) {
	const method = "/lib/svc/method/postgresql"
	const data = "/var/lib/postgresql/15/main"
	inRooms(t, func(t *testing.T, r *room) {
		r.postgres("9")
		r.postgres("15")
		must(t, os.MkdirAll(r.path("/usr/lib/postgresql/9.6/bin"), 0o755))
		must(t, os.MkdirAll(r.path("/usr/lib/postgresql/16/bin"), 0o755)) // the client alone
		const start = "RAN /usr/lib/postgresql/15/bin/pg_ctl start --silent -w -t 290 -D " + data
		r.want("the first start", r.run(method, "start", "auto", "auto"), ok, "making a cluster in "+data, start+"\n", "-as a method")
		r.want("the second", r.run(method, "start", "auto", "auto"), ok, start, "-making")
		if _, err := os.Lstat(r.path(data + ".part")); err == nil || text(t, r.path(data+"/PG_VERSION")) != "15\n" {
			t.Errorf("half a cluster is left: %v", err)
		}
		r.write("/etc/postgresql/15/main/postgresql.conf", "")
		r.want("the distribution's configuration", r.run(method, "start", "auto", "auto"), ok, start+" -o -c config_file=/etc/postgresql/15/main/postgresql.conf\n")

		// Half a cluster is made anew, but not in the place of what is none.
		must(t, os.RemoveAll(r.path(data)))
		r.write(data+".part/PG_VERSION", "15\n")
		r.want("half a cluster", r.run(method, "start", "auto", "auto"), ok, "making a cluster", start)
		must(t, os.Remove(r.path(data+"/PG_VERSION")))
		r.write(data+"/precious", "")
		r.want("no cluster", r.run(method, "start", "auto", "auto"), config, "is not empty", "-RAN")
		r.write("/usr/lib/postgresql/15/bin/initdb", "#!/bin/sh\nexit 1\n")
		must(t, os.RemoveAll(r.path(data)))
		r.want("initdb fails", r.run(method, "start", "auto", "auto"), config, "initdb could not make a cluster", "-RAN")

		// A postmaster's word that is nobody's any more.
		r.write(data+"/PG_VERSION", "15\n")
		for _, test := range []struct {
			pid, comm string
			stays     bool
		}{{"123", "postgres", true}, {"123", "nginx", false}, {"124", "", true}, {"not a number", "", true}} {
			r.write(data+"/postmaster.pid", test.pid+"\n"+data+"\n")
			must(t, os.RemoveAll(r.path("/proc/123")))
			if test.comm != "" {
				r.write("/proc/123/comm", test.comm+"\n")
			}
			r.want("pid "+test.pid, r.run(method, "start", "auto", "auto"), ok, start)
			if _, err := os.Lstat(r.path(data + "/postmaster.pid")); (err == nil) != test.stays {
				t.Errorf("the word of %s, who is %q: %v", test.pid, test.comm, err)
			}
		}

		r.write("/srv/pg/PG_VERSION", "9\n")
		r.want("another's place", r.run(method, "start", "/usr/lib/postgresql/9/bin", "/srv/pg"), ok, "RAN /usr/lib/postgresql/9/bin/pg_ctl start --silent -w -t 290 -D /srv/pg\n")
		for _, args := range [][]string{{"start", "/usr/lib/postgresql/9/bin", "auto"}, {"start", "auto", "pg"}, {"start", "/none", "/srv/pg"}} {
			r.want(strings.Join(args, " "), r.run(append([]string{method}, args...)...), config, "postgresql/", "-RAN")
		}
		for _, args := range [][]string{{method}, {method, "start"}, {method, "restart", "auto", "auto"}, {method, "start", "auto"}, {method, "stop", "a", "b", "c"}} {
			r.want("usage", r.run(args...), config, "usage", "-RAN")
		}
	})
}

func TestPostgreSQLStop(t *testing.T) {
	const method = "/lib/svc/method/postgresql"
	const data = "/var/lib/postgresql/15/main"
	inRooms(t, func(t *testing.T, r *room) {
		r.postgres("15")
		r.want("refresh", r.run(method, "refresh", "auto", "auto"), ok, "RAN /usr/lib/postgresql/15/bin/pg_ctl reload --silent -D "+data)
		r.want("stop", r.run(method, "stop", "auto", "auto"), ok, "RAN /usr/lib/postgresql/15/bin/pg_ctl stop --silent -m fast -w -t 290 -D "+data)
		r.program("/usr/lib/postgresql/15/bin/pg_ctl", "case $1 in stop) echo >/stopping; exit 1 ;; status) [ ! -e /stopping ] ;; esac")
		r.want("it ends meanwhile", r.run(method, "stop", "auto", "auto"), ok, "pg_ctl stop")
		r.want("it does not run", r.run(method, "stop", "auto", "auto"), ok, "-pg_ctl stop")
		must(t, os.Remove(r.path("/stopping")))
		r.program("/usr/lib/postgresql/15/bin/pg_ctl", "case $1 in status) [ ! -e /stopping ] ;; *) exit 1 ;; esac")
		r.want("a refresh that fails", r.run(method, "refresh", "auto", "auto"), 1)
		r.write("/stopping", "")
		r.want("a refresh of who has died", r.run(method, "refresh", "auto", "auto"), ok)
		r.program("/usr/lib/postgresql/15/bin/pg_ctl", "[ $1 != stop ]")
		r.want("it does not end", r.run(method, "stop", "auto", "auto"), 1, "pg_ctl stop")
	})
}
