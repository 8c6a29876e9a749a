package smtpnotify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/zonefile"
)

// lookEvery is how often the outbox is looked at though nothing was heard of it. Shorter in a test.
var lookEvery = time.Minute

const (
	// templateBytesMax is a letter that somebody would read.
	templateBytesMax = 64 << 10
	// outputBytesMax is how much of what sendmail says is kept.
	outputBytesMax = 4 << 10
	// saidMax bounds what is remembered so as not to be said twice.
	saidMax = 256
)

// mailMax is how long sendmail may take for a letter: it puts it into its own queue. Tests have less.
var mailMax = 30 * time.Second

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Env is what the program works with.
type Env struct {
	Out, Err io.Writer
	// Open finds the repository.
	Open func() (door.Store, error)
	// Dir is the outbox.
	Dir string
}

// notifier is the process.
type notifier struct {
	env    *Env
	store  door.Store
	mailer string
	host   string
	said   map[string]bool
	unsent uint64
}

// Main is smtp-notify, until the context ends; args, without its name, are the path of sendmail. The
// result is the exit code.
func Main(ctx context.Context, env *Env, args []string) int {
	if len(args) != 1 || !strings.HasPrefix(args[0], "/") {
		fmt.Fprintln(env.Err, "usage: smtp-notify SENDMAIL   (svcadm enable smtp-notify starts it)")
		return exitUsage
	}
	err := run(ctx, env, args[0])
	if err != nil {
		fmt.Fprintf(env.Err, "smtp-notify: %v\n", err)
		return exitError
	}
	return exitOK
}

func run(ctx context.Context, env *Env, mailer string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	s, err := env.Open()
	if err != nil {
		return err
	}
	defer s.Close()
	// svc.startd makes it as well: whoever is the first.
	if err := os.Mkdir(env.Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	w, err := watch(ctx, env.Dir)
	if err != nil {
		return err
	}
	defer w.close()
	n := &notifier{env: env, store: s, mailer: mailer, host: printable.Text(host), said: map[string]bool{}}
	for {
		if err := n.takeAll(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		if err := w.wait(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// takeAll tells of all that waits.
func (n *notifier) takeAll(ctx context.Context) error {
	for ctx.Err() == nil {
		c, number, ok, err := outbox.Take(n.env.Dir)
		switch {
		case err != nil && !ok:
			return err
		case err != nil:
			n.say(err.Error())
		case !ok:
			return nil
		default:
			n.tell(&c, number)
		}
	}
	return nil
}

// tell tells of one change.
func (n *notifier) tell(c *outbox.Change, number string) {
	what := c.FMRI + ": " + c.From + " -> " + c.To
	if c.Reason != "" && c.All {
		what += " (" + c.Reason + ")"
	}
	letters, notes, err := whom(n.store, c)
	for _, text := range notes {
		n.once(text)
	}
	if err != nil {
		n.lost(what, err)
		return
	}
	if len(letters) == 0 && c.All {
		n.say(what + ": nobody is to be told by mail")
	}
	for i := range letters {
		l := &letters[i]
		if err := n.send(l, c, number); err != nil {
			n.lost(what, err)
			continue
		}
		n.say(what + ": told " + strings.Join(l.to, ", "))
	}
}

func (n *notifier) lost(what string, err error) {
	n.unsent++
	n.say(fmt.Sprintf("%s: nobody was told: %v (%d so far)", what, err, n.unsent))
}

func (n *notifier) say(text string) {
	fmt.Fprintln(n.env.Out, printable.Cut(text, outputBytesMax))
}

// once says what is not to be said with each change again.
func (n *notifier) once(text string) {
	if !n.said[text] && len(n.said) < saidMax {
		n.said[text] = true
		n.say(text)
	}
}

// send has sendmail send a letter.
func (n *notifier) send(l *letter, c *outbox.Change, number string) error {
	if l.template != "" {
		body, err := zonefile.Read(l.template, templateBytesMax)
		if err != nil { // who waits to be told is told all the same
			n.once(fmt.Sprintf("%s: msg_template %v: the usual text is sent", c.FMRI, err))
			l.template = ""
		}
		l.body = string(body)
	}
	// The end of the context is no reason to end in the midst of a letter.
	ctx, cancel := context.WithTimeout(context.Background(), mailMax)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.mailer, "-t", "-i")
	cmd.Stdin = strings.NewReader(l.text(c, number, n.host))
	cmd.WaitDelay = time.Second
	out := &head{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it has ended well, and left somebody its output
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s took longer than %v", n.mailer, mailMax)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out.b.String()), "\n")
	if line == "" {
		return fmt.Errorf("%s: %w", n.mailer, err)
	}
	return fmt.Errorf("%s: %w: %s", n.mailer, err, line)
}

// head keeps the beginning of what is written.
type head struct{ b bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.b.Write(p[:min(len(p), outputBytesMax-h.b.Len())])
	return len(p), nil
}
