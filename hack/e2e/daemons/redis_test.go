package daemons

import (
	"strings"
	"time"
)

func redis() *daemon {
	return &daemon{
		fmri: "svc:/application/database/redis:default", manifest: "application/database/redis.xml", configured: "application/database/redis",
		comm: "redis-server", user: "redis",
		prepare: "mkdir -p /etc/redis; cp /lib/svc/share/redis.conf /etc/redis/redis.conf",
		answers: "[ \"$(redis-cli PING)\" = PONG ]",
		change:  "redis-cli SET k v; redis-cli SAVE; echo 'maxmemory 64mb' >>/etc/redis/redis.conf; echo 'save 777 7' >>/etc/redis/redis.conf",
		changed: "[ \"$(redis-cli CONFIG GET maxmemory | tail -n 1) $(redis-cli CONFIG GET save | tail -n 1)\" = '67108864 777 7' ]",
		wrong:   "echo 'maxclients many' >>/etc/redis/redis.conf", wrongSays: "^maxclients stays as it was: ERR ", right: "sed -i '$d' /etc/redis/redis.conf",
		// A save that takes its time.
		worker:   "redis-cli CONFIG SET rdb-key-save-delay 100000000; redis-cli BGSAVE",
		kept:     "[ \"$(redis-cli GET k)\" = v ]",
		peculiar: redisWrong,
		crashes: []crash{
			{what: "it is killed", do: "kill -9 $M", log: byExit, exit: true},
			// The contract's fatal events: the group of who was killed ends.
			{what: "the process that saves is killed", do: "kill -9 $W", worker: true, log: byExit, exit: true},
			{what: "it dumps core", do: withCore("$M"), log: byExit, exit: true},
			{what: "it ends", do: "redis-cli SHUTDOWN NOSAVE", log: byExit, exit: true},
			{what: "all are killed", do: "kill -9 $ALL", worker: true, log: byExit, exit: true},
		},
	}
}

// redisWrong: with a configuration that it does not take it never says that it is ready. That has
// an end, and the end of the fault is the administrator's to tell.
func redisWrong(d *daemon, z *zone) {
	before := d.running(z)
	z.in("echo 'nonsense 1' >>/etc/redis/redis.conf; svcadm restart " + d.fmri)
	var s service
	z.wait(30*time.Second, "maintenance", func() (string, bool) {
		s = z.look(d.fmri)
		return z.in("svcs -l " + d.fmri), s.state == "maintenance" && s.next == "-"
	})
	if s.starts != before.starts+3 || len(s.members) != 0 {
		z.t.Errorf("before %+v\nafter %+v", before, s)
	}
	if said := z.in("svcs -x " + d.fmri); !strings.Contains(said, "Start method failed repeatedly") {
		z.t.Errorf("svcs -x: %s", said)
	}
	z.in("sed -i '$d' /etc/redis/redis.conf; svcadm clear " + d.fmri)
	if s := d.running(z); s.starts != before.starts+4 {
		z.t.Errorf("%d starts, and %d before", s.starts, before.starts)
	}
}
