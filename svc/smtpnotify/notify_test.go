package smtpnotify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// TestLetter: who is named is told, in one letter that says all.
func TestLetter(t *testing.T) {
	o := newOffice(t)
	o.set(web, "to-maintenance", "smtp,active=true", "smtp,to=ops@example.org,b@c.de root", "smtp,reply-to=x@y.z")
	o.begin()
	must(t, o.box.Put(&outbox.Change{
		FMRI: web.String(), From: "online", To: "maintenance", At: time.Unix(1700000000, 0), Reason: "ct_ev_signal",
		Detail: "killed by SIGKILL from pid 7 (evil)", By: "svc:/site/boss:default",
	}))
	got := o.waits(1)[0]
	host, err := os.Hostname()
	must(t, err)
	got = regexp.MustCompile(`Date: .*`).ReplaceAllString(got, "Date: D")
	got = regexp.MustCompile(`UUID: [0-9]{20}`).ReplaceAllString(got, "UUID: U")
	at := time.Unix(1700000000, 0).Format(time.RFC1123Z)
	want := "-t -i\nFrom: root@" + host + `
To: ops@example.org,
 b@c.de,
 root
Reply-To: x@y.z
Subject: ` + host + `: svc:/site/web:default is maintenance
Date: D
Auto-Submitted: auto-generated
X-FMEV-HOSTNAME: ` + host + `
X-FMEV-CLASS: ireport.os.smf.state-transition.maintenance
X-FMEV-UUID: U
X-FMEV-FMRI: svc:/site/web:default
X-FMEV-FROM-STATE: online
X-FMEV-TO-STATE: maintenance
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Host:    ` + host + `
Service: svc:/site/web:default
Was:     online
Is:      maintenance
Since:   ` + at + `
Reason:  ct_ev_signal
         killed by SIGKILL from pid 7 (evil) asked for by svc:/site/boss:default

More is said by: svcs -xv svc:/site/web:default
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	o.says("svc:/site/web:default: online -> maintenance: told ops@example.org, b@c.de, root\n")
}

// TestWhom: the instance's parameters count, else everybody's; both groups of a transition; what is
// inactive, of another way, or has nobody, is not sent, and said once.
func TestWhom(t *testing.T) {
	o := newOffice(t)
	o.set(everybody, "to-offline", "smtp,active=true", "smtp,to=all@x")
	o.set(everybody, "to-online", "smtp,active=true", "smtp,to=all@x")
	o.set(everybody, "from-offline", "smtp,active=true", "smtp,to=from@x")
	o.set(web, "to-online", "smtp,active=true", "smtp,to=web@x", "snmp,active=true", "smtp,colour=red")
	o.set(web, "to-disabled", "smtp,active=false", "smtp,to=web@x", "snmp,active=false")
	o.set(web, "to-degraded", "snmp,active=true", "syslog,active=true")
	o.set(web, "to-maintenance", "smtp,active=true", "smtp,to=x@y", "smtp,cc="+strings.Repeat("a@b,", addressesMax)+"a@b")
	o.set(web, "from-maintenance", "smtp,active=true")
	o.begin()
	for range 2 {
		o.put("online", "offline")
		o.put("offline", "online")
		o.put("online", "disabled")
		o.put("online", "degraded")
		o.put("degraded", "maintenance")
		o.put("maintenance", "uninitialized")
	}
	o.put("offline", "online")
	to := ""
	for _, m := range o.waits(8) {
		_, m, _ = strings.Cut(m, "\nTo: ")
		m, _, _ = strings.Cut(m, "\n")
		to += m + " "
	}
	if to != "all@x web@x from@x all@x web@x from@x web@x from@x " {
		t.Errorf("to %s", to)
	}
	for _, once := range []string{
		"notification by snmp is not supported, and nobody is told that way: only mail is (mailto:)\n", "notification by syslog is not supported",
		"to-online: smtp,colour is not understood\n", "to-maintenance: nobody is told: there are more than 64 addresses; use a list\n",
		"from-maintenance: nobody is told: there is no address in smtp,to\n",
	} {
		if n := strings.Count(o.said.String(), once); n != 1 {
			t.Errorf("%q is said %d times:\n%s", once, n, o.said.String())
		}
	}
}

// TestAlike: what both groups say alike is one letter.
func TestAlike(t *testing.T) {
	o := newOffice(t)
	for _, event := range []string{"from-online", "to-offline", "to-online"} {
		o.set(web, event, "smtp,active=true", "smtp,to=a@b")
	}
	o.begin()
	o.put("online", "offline")
	o.put("offline", "online")
	o.waits(2)
}

// TestTemplate: a template's macros, and a template that cannot be read.
func TestTemplate(t *testing.T) {
	o := newOffice(t)
	must(t, os.WriteFile(o.path("t"), []byte("%<FMRI> 100%% %<FROM-STATE>>%<TO-STATE> %<REASON>|%<CODE>| %<NONE> %<FMRI % %"), 0o644))
	o.set(web, "to-offline", "smtp,active=true", "smtp,to=a@b", "smtp,msg_template="+o.path("t"), "smtp,from=me@x", "smtp,subject=S:%<TO-STATE>", "smtp,bcc=secret@x")
	o.set(web, "to-online", "smtp,active=true", "smtp,to=a@b", "smtp,msg_template="+o.path("none"))
	o.set(web, "to-disabled", "smtp,active=true", "smtp,to=a@b", "smtp,msg_template=/dev/zero")
	o.begin()
	o.put("online", "offline")
	got := o.waits(1)[0]
	for _, want := range []string{
		"\n\nsvc:/site/web:default 100% online>offline method_failed|| %<NONE> %<FMRI % %", "From: me@x\n", "Subject: S:offline\n", "Bcc: secret@x\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	o.put("offline", "online")
	o.put("online", "disabled")
	for _, m := range o.waits(3)[1:] {
		if !strings.Contains(m, "Service: svc:/site/web:default\n") {
			t.Error(m)
		}
	}
	o.says("no such file or directory: the usual text is sent")
	o.says("/dev/zero: not a regular file: the usual text is sent")
}

// TestHostileValues: no value makes a header, an option or a second line.
func TestHostileValues(t *testing.T) {
	o := newOffice(t)
	evil := "x@y\nBcc: all@world"
	g := func(l *letter) string {
		return l.text(&outbox.Change{FMRI: "svc:/a:b\nX-Evil: 1", From: "online", To: "offline\r\nX-Evil: 2", Detail: "d"}, "1", "h")
	}
	var l letter
	for _, name := range []string{"to", "cc", "bcc", "from", "reply-to"} {
		for _, v := range []string{evil, "-oQ/tmp", "|rm", "/etc/passwd", ":include:/x", "", " ", "a\\b", "\"a\"@b", "\x1b[2J", strings.Repeat("a", addressBytesMax+1), "a\u202eb"} {
			if wrong := l.take(name, []string{v}); wrong == "" || strings.ContainsAny(wrong, "\n\x1b") {
				t.Errorf("%s %q: %q", name, v, wrong)
			}
		}
	}
	if wrong := l.take("from", []string{"a", "b"}); wrong == "" {
		t.Error("two senders")
	}
	l.to, l.subject = []string{"a@b"}, "s\nX-Evil: 3 ü"
	text := g(&l)
	head, _, _ := strings.Cut(text, "\n\n")
	if strings.Contains(head, "\nX-Evil") || strings.Contains(head, "\r") || !strings.Contains(head, "Subject: =?utf-8?q?") {
		t.Error(text)
	}
	o.begin()
}

// TestSendmailFails: what sendmail refuses, or never does, is told and counted, and the next letter goes.
func TestSendmailFails(t *testing.T) {
	was := mailMax
	t.Cleanup(func() { mailMax = was })
	o := newOffice(t)
	o.set(web, "to-offline", "smtp,active=true", "smtp,to=a@b")
	o.sendmail("cat >/dev/null; echo 'no such host'; echo more; exit 75")
	o.begin()
	o.put("online", "offline")
	o.says("online -> offline: nobody was told: " + o.path("sendmail") + ": exit status 75: no such host (1 so far)\n")
	o.put("online", "offline")
	o.says("no such host (2 so far)\n")
	o.end()
	mailMax = 200 * time.Millisecond // nothing comes in time now
	o.sendmail("exec sleep 1000")
	o.begin()
	o.put("online", "offline")
	o.says("took longer than 200ms (1 so far)\n")
	o.put("online", "offline")
	o.says("took longer than 200ms (2 so far)\n")
	o.sendmail("yes | head -c 1000000; exit 1")
	o.put("online", "offline")
	o.says("(3 so far)\n")
	must(t, os.Remove(o.path("sendmail")))
	o.put("online", "offline")
	o.says("(4 so far)\n")
	o.end()
	mailMax = was
	o.sendmail("cat >>" + o.path("x") + "; echo '=== ' >>" + o.path("mails"))
	o.begin()
	o.put("online", "offline")
	o.waits(1)
	if n := len(o.said.String()); n > 10_000 {
		t.Errorf("the log has %d bytes", n)
	}
}

// TestOnce: each change is told once at most, also when the notifier is ended in the midst of it, and what
// waits is told by the next one, in order.
func TestOnce(t *testing.T) {
	o := newOffice(t)
	o.set(web, "to-offline", "smtp,active=true", "smtp,to=a@b")
	for range 5 {
		o.put("online", "offline")
	}
	o.sendmail("cat >/dev/null; echo '=== ' >>" + o.path("mails") + "; while ! test -e " + o.path("go") + "; do sleep 0.01; done")
	o.begin()
	o.waits(1)
	o.stop()
	must(t, os.WriteFile(o.path("go"), nil, 0o644))
	o.end()
	o.waits(1)
	o.begin()
	o.waits(5)
	if n := strings.Count(o.said.String(), ": told a@b\n"); n > 5 {
		t.Errorf("%d letters are said", n)
	}
}

// TestAll: with options/info_events_all of svc.startd each change is in the log, whoever is told.
//
//shows:3.3/info-events
func TestAll(t *testing.T) {
	o := newOffice(t)
	o.set(web, "to-offline", "smtp,active=true", "smtp,to=a@b")
	o.begin()
	for n := range 2 {
		c := &outbox.Change{FMRI: web.String(), From: "online", To: "degraded", At: time.Unix(1, 0), Reason: "r", All: n == 1}
		must(t, o.box.Put(c))
		c.To = "offline"
		must(t, o.box.Put(c))
	}
	o.waits(2)
	o.says("online -> offline (r): told a@b\n")
	if log := o.said.String(); strings.Count(log, "nobody is to be told by mail") != 1 || !strings.Contains(log, "online -> degraded (r): nobody is to be told by mail\n") {
		t.Error(log)
	}
}

// TestOutboxGoes: an outbox that is taken away ends it, with a reason; strange files in it do not.
func TestOutboxGoes(t *testing.T) {
	o := newOffice(t)
	o.set(web, "to-offline", "smtp,active=true", "smtp,to=a@b")
	must(t, os.WriteFile(o.path("outbox/00000000000000000001"), []byte("x"), 0o600))
	o.put("online", "offline")
	o.begin()
	o.waits(1)
	o.says("00000000000000000001: it is no change of a state, or one of another version\n")
	must(t, o.box.Put(&outbox.Change{FMRI: "no fmri", From: "online", To: "offline", At: time.Unix(1, 0)}))
	o.says("no fmri: online -> offline: nobody was told: ")
	must(t, os.RemoveAll(o.path("outbox")))
	if code := <-o.ended; code != exitError || !strings.Contains(o.said.String(), "smtp-notify: the outbox is gone\n") {
		t.Errorf("exit %d: %s", code, o.said.String())
	}
	o.stop()
	o.stop = nil
}

// TestUsage: by hand it says how it is started.
func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"sendmail"}, {"/a", "/b"}} {
		var errs bytes.Buffer
		if code := Main(context.Background(), &Env{Err: &errs}, args); code != exitUsage || !strings.Contains(errs.String(), "svcadm enable smtp-notify") {
			t.Errorf("%q: %d, %s", args, code, &errs)
		}
	}
	var errs bytes.Buffer
	open := func() (door.Store, error) { return nil, repo.ErrNotFound }
	if code := Main(context.Background(), &Env{Err: &errs, Dir: "/proc/none/x", Open: open}, []string{"/x"}); code != exitError || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d, %s", code, &errs)
	}
}

// TestMany: a boot's worth of changes is told in order.
func TestMany(t *testing.T) {
	o := newOffice(t)
	o.set(web, "to-offline", "smtp,active=true", "smtp,to=a@b", "smtp,subject=%<REASON>")
	n := testenv.Rounds(100, 20)
	o.begin()
	for i := range n {
		must(t, o.box.Put(&outbox.Change{FMRI: web.String(), From: "online", To: "offline", At: time.Unix(1, 0), Reason: fmt.Sprint(i)}))
	}
	for i, m := range o.waits(n) {
		if !strings.Contains(m, fmt.Sprintf("\nSubject: %d\n", i)) {
			t.Fatalf("letter %d is %s", i, m)
		}
	}
}

// TestLooks: where nothing is heard of the outbox it is looked at, and its end is seen.
func TestLooks(t *testing.T) {
	was := lookEvery
	defer func() { lookEvery = was }()
	lookEvery = time.Millisecond
	dir := filepath.Join(t.TempDir(), "outbox")
	must(t, os.Mkdir(dir, 0o700))
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{ctx: ctx, dir: dir}
	defer w.close()
	must(t, w.wait())
	must(t, os.Remove(dir))
	if err := w.wait(); !errors.Is(err, errGone) {
		t.Errorf("an outbox that is gone: %v", err)
	}
	lookEvery = time.Hour
	cancel()
	must(t, w.wait())
}
