package smf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// sendmail is a program of the zone that keeps letters, one file each.
const sendmail = `#!/bin/sh
f=$(mktemp /var/tmp/mails/XXXXXXXX)
cat >"$f" && mv "$f" "$f.whole"
`

// mailing is a zone that has the notifier, and a service to be told of.
func mailing(t *testing.T) *zone {
	t.Helper()
	z := sparse(t)
	z.put("/var/tmp/sendmail", sendmail)
	z.in("chmod 755 /var/tmp/sendmail; mkdir /var/tmp/mails")
	z.state("multi-user-server:default", "online")
	z.in("svccfg -s system/fm/smtp-notify setprop config/sendmail = astring: /var/tmp/sendmail; svcadm refresh smtp-notify")
	z.add(daemon("site/d"))
	z.state("site/d:default", "online")
	return z
}

// letters are the headers of those that were sent, as "FROM>TO", of a service.
func (z *zone) letters(fmri string) (list []string) {
	z.t.Helper()
	out := z.try("cd /var/tmp/mails && for f in *.whole; do grep ^X-FMEV $f | tr '\\n' ' '; echo; done").out
	for line := range strings.Lines(out) {
		if strings.Contains(line, "X-FMEV-FMRI: "+fmri+" ") {
			_, states, _ := strings.Cut(line, "X-FMEV-FROM-STATE: ")
			list = append(list, strings.Join(strings.Fields(strings.Replace(states, "X-FMEV-TO-STATE: ", "> ", 1)), ""))
		}
	}
	return list
}

// TestMail: who is named by setnotify gets a letter of each change that he is named for, and snmp is said
// not to be there. svc.startd tells when nobody would.
//
//shows:3.3/info-events
func TestMail(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := mailing(t)
	z.put("/var/tmp/cfg", "select site/d:default\nsetnotify to-maintenance,from-maintenance \"mailto:root@localhost?subject=down: %<FMRI>\"\nsetnotify to-disabled snmp:active\n")
	z.in("svccfg -f /var/tmp/cfg")
	testenv.Eventually(t, func() bool {
		return z.try("grep -c 'nobody is told while .* is disabled: svcadm enable smtp-notify' /var/svc/log/svc.startd.log").out == "1\n"
	}, "that nobody is told")
	z.in("svcadm enable -s smtp-notify")
	z.in("svcadm mark maintenance site/d")
	testenv.Eventually(t, func() bool { return len(z.letters("svc:/site/d:default")) == 1 }, "the letter")
	if got := z.letters("svc:/site/d:default")[0]; got != "online>maintenance" {
		t.Error(got)
	}
	letter := z.in("cat /var/tmp/mails/*.whole")
	for _, want := range []string{"\nTo: root@localhost\n", "\nSubject: down: svc:/site/d:default\n", "\nReason:  administrative_request\n"} {
		if !strings.Contains(letter, want) {
			t.Errorf("no %q in:\n%s", want, letter)
		}
	}
	z.in("svcadm clear site/d")
	z.state("site/d:default", "online")
	z.in("svcadm disable site/d")
	z.state("site/d:default", "disabled")
	testenv.Eventually(t, func() bool {
		return strings.Count(z.in("cat $(svcs -L smtp-notify)"), "notification by snmp is not supported") == 1
	}, "that there is no snmp")
	testenv.Eventually(t, func() bool { return len(z.letters("svc:/site/d:default")) >= 2 }, "the second letter")
	if got := fmt.Sprint(z.letters("svc:/site/d:default")); strings.Count(got, ">") != 2 || !strings.Contains(got, "maintenance>") {
		t.Error(got)
	}
	z.in("svccfg -s restarter:default addpg options framework && svccfg -s restarter:default setprop options/info_events_all = boolean: true && svcadm enable site/d")
	testenv.Eventually(t, func() bool {
		return strings.Contains(z.in("cat $(svcs -L smtp-notify)"), "svc:/site/d:default: disabled -> offline (enable_request): nobody is to be told by mail\n")
	}, "all changes in the log")
	// A sendmail that hangs holds nobody up but the next letter.
	z.put("/var/tmp/sendmail", "#!/bin/sh\nexec sleep 100000\n")
	z.in("svcadm mark maintenance site/d")
	begun := time.Now()
	z.state("site/d:default", "maintenance")
	z.in("svcadm clear site/d")
	z.state("site/d:default", "online")
	t.Logf("to maintenance and back in %.1f s, while sendmail hangs", time.Since(begun).Seconds())
	if z.try("svcadm disable -s smtp-notify").exit != 0 || z.try("pgrep -x smtp-notify").out != "" {
		t.Error(z.try("svcs -p smtp-notify; cat $(svcs -L smtp-notify)"))
	}
}

// TestMailKilled: svc.startd and the notifier are killed while a service comes and goes: nothing is told
// twice, and nothing that did not happen.
func TestMailKilled(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := mailing(t)
	z.put("/var/tmp/cfg", "select site/d:default\nsetnotify online \"mailto:root@localhost\"\n")
	z.in("svccfg -f /var/tmp/cfg; svcadm enable -s smtp-notify")
	for i := range testenv.Rounds(8, 3) {
		z.in("svcadm restart site/d")
		if i%2 == 0 {
			z.killStartd()
		} else {
			z.try("pkill -9 -x smtp-notify")
		}
		testenv.Eventually(t, func() bool { return z.starts("site/d") == i+2 }, "the restart")
		z.state("site/d:default", "online")
	}
	z.state("system/fm/smtp-notify:default", "online")
	z.in("svcadm disable site/d")
	z.state("site/d:default", "disabled")
	testenv.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(z.letters("svc:/site/d:default")), "online>disabled") }, "the last letter")
	got := z.letters("svc:/site/d:default")
	count := map[string]int{}
	for _, l := range got {
		count[l]++
	}
	starts := z.starts("site/d")
	if count["offline>online"] > starts-1 || count["online>offline"] > starts-1 || count["online>disabled"] != 1 || len(count) > 3 {
		t.Errorf("%d starts since, %v", starts-1, count)
	}
	numbers := z.in("cat /var/tmp/mails/*.whole | grep ^X-FMEV-UUID | sort | uniq -d")
	if numbers != "" {
		t.Errorf("told twice: %s", numbers)
	}
	t.Logf("%d restarts: %v", starts-1, count)
}
