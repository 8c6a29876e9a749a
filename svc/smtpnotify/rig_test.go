package smtpnotify

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is a repository, an outbox, and a sendmail that is a script.
type office struct {
	t     *testing.T
	dir   string
	repo  *repo.Repo
	box   *outbox.Box
	said  lockedBuffer
	stop  context.CancelFunc
	ended chan int
}

// lockedBuffer is written by the notifier and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var web = repo.Entity{Service: "site/web", Instance: "default"}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir()}
	r, err := repo.Open(repo.Config{Path: o.path("repository.db"), VolatilePath: o.path("volatile.db")})
	must(t, err)
	o.repo = r
	var b repo.Batch
	b.Ensure(web)
	b.Ensure(everybody)
	o.apply(&b)
	o.box, err = outbox.Open(o.path("outbox"))
	must(t, err)
	// In one write, so that nobody sees half of a letter.
	o.sendmail("m=$(cat; echo .); printf '=== %s\\n%s' \"$*\" \"${m%.}\" >>" + o.path("mails"))
	t.Cleanup(func() {
		o.end()
		must(t, r.Close())
	})
	return o
}

func (o *office) path(name string) string { return filepath.Join(o.dir, name) }

func (o *office) apply(b *repo.Batch) {
	o.t.Helper()
	_, err := o.repo.Apply(b)
	must(o.t, err)
}

// sendmail makes what a shell's script does the program.
func (o *office) sendmail(script string) {
	o.t.Helper()
	must(o.t, os.WriteFile(o.path("sendmail.new"), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	must(o.t, os.Rename(o.path("sendmail.new"), o.path("sendmail")))
}

// set sets the parameters of an event: "smtp,to=a b" are two values, those of active are boolean.
func (o *office) set(on repo.Entity, event string, params ...string) {
	o.t.Helper()
	g := tree.Group{Name: event, Type: typeNotify}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		typ := prop.AString
		if strings.HasSuffix(name, ",active") {
			typ = prop.Boolean
		}
		g.Props = append(g.Props, tree.Property{Name: name, Type: typ, Values: strings.Fields(value)})
	}
	var b repo.Batch
	b.PutGroup(on, &g)
	o.apply(&b)
}

func (o *office) put(from, to string) {
	o.t.Helper()
	must(o.t, o.box.Put(&outbox.Change{FMRI: web.String(), From: from, To: to, At: time.Unix(1700000000, 0), Reason: "method_failed"}))
}

// begin starts the notifier.
func (o *office) begin() {
	o.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	o.stop, o.ended = stop, make(chan int, 1)
	env := &Env{Out: &o.said, Err: &o.said, Dir: o.path("outbox"), Open: func() (door.Store, error) { return notClosed{door.NewLocal(o.repo)}, nil }}
	go func() { o.ended <- Main(ctx, env, []string{o.path("sendmail")}) }()
}

// notClosed is a store whose repository is the test's.
type notClosed struct{ door.Store }

func (notClosed) Close() error { return nil }

func (o *office) end() {
	if o.stop == nil {
		return
	}
	o.stop()
	o.stop = nil
	if code := <-o.ended; code != 0 {
		o.t.Errorf("exit %d: %s", code, o.said.String())
	}
}

// mails are the letters so far.
func (o *office) mails() []string {
	b, _ := os.ReadFile(o.path("mails"))
	return strings.Split(string(b), "=== ")[1:]
}

// waits waits until nothing waits in the outbox, and as many letters were sent.
func (o *office) waits(n int) []string {
	o.t.Helper()
	testenv.Eventually(o.t, func() bool { return len(o.mails()) >= n }, "the letters")
	list := o.mails()
	if len(list) != n {
		o.t.Fatalf("%d letters, not %d:\n%s\n%s", len(list), n, strings.Join(list, "\n"), o.said.String())
	}
	return list
}

// says waits until the log has a line.
func (o *office) says(line string) {
	o.t.Helper()
	testenv.Eventually(o.t, func() bool { return strings.Contains(o.said.String(), line) }, "the log to say "+line)
}
