package daemons

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// get asks for a page, and is content with what is said there.
func get(port, want string) string {
	return "[ \"$(curl -sS -m 5 http://127.0.0.1:" + port + "/)\" = " + want + " ]"
}

func nginx() *daemon {
	const site = "/etc/nginx/conf.d/site.conf"
	page := func(text string) string {
		return "echo 'server { listen 8080; location / { return 200 " + text + "; } }' >" + site
	}
	return &daemon{
		fmri: "svc:/network/http:nginx", manifest: "network/http.xml", configured: "network/http:nginx",
		comm: "nginx", user: "root",
		prepare: "mkdir -p /etc/nginx/conf.d; echo hello >/var/www/html/index.html; " + page("one"),
		answers: get("80", "hello"),
		change:  page("two"), changed: get("8080", "two"),
		wrong: "echo 'nonsense' >/etc/nginx/conf.d/wrong.conf", wrongSays: "^nginx goes on with what it has$", right: "rm /etc/nginx/conf.d/wrong.conf",
		kept:       get("8080", "two"),
		dependents: []string{"none", "error", "restart", "refresh"},
		crashes: []crash{
			{what: "the master is killed", do: "kill -9 $M", log: bySignal},
			{what: "a worker is killed", do: "kill -9 $W", log: bySignal},
			{what: "the master dumps core", do: withCore("$M"), log: byCore},
			{what: "a worker gets SIGSEGV, and may not dump core", do: "prlimit --pid $W --core=0; kill -SEGV $W", log: bySignal},
			{what: "it ends", do: "kill -QUIT $M", log: byExit, exit: true},
			{what: "all are killed", do: "kill -9 $ALL", log: bySignal},
		},
		peculiar: nginxRefreshed,
	}
}

// nginxRefreshed: a refresh is heard of by who asked for it. And a new worker's user is not root.
func nginxRefreshed(d *daemon, z *zone) {
	want := d.dependentStarts(z)
	want["refresh"]++
	z.in("svcadm refresh " + d.fmri)
	z.wait(20*time.Second, fmt.Sprintf("starts of dependents as %v", want), func() (string, bool) {
		got := d.dependentStarts(z)
		return fmt.Sprint(got), maps.Equal(got, want)
	})
	if w := d.running(z).worker(""); w.uid != strings.TrimSpace(z.in("id -u www-data")) {
		z.t.Errorf("a worker is %+v", w)
	}
	z.in("svcadm disable -s site/on-none site/on-error site/on-restart site/on-refresh")
}
