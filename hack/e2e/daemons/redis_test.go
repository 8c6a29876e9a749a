package daemons

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
		worker: "redis-cli CONFIG SET rdb-key-save-delay 100000000; redis-cli BGSAVE",
		kept:   "[ \"$(redis-cli GET k)\" = v ]",
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
