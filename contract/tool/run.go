package tool

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

// Exit codes of ctrun that are not its command's.
const (
	runAbnormal = 123 // the command was killed
	runInternal = 124
	runUsageBad = 125
	runNotExec  = 126 // found, and cannot be executed
	runNotFound = 127
)

// ownProgram is this program, also where its file has been replaced.
const ownProgram = "/proc/self/exe"

// lastWords is how long -v waits for the events of a command that has ended while its
// contract lives on.
const lastWords = 100 * time.Millisecond

// runner is one ctrun at work.
type runner struct {
	env  *Env
	o    *runOrder
	fs   *contract.FS
	tmpl *contract.Template
	// events is the queue of all that this process owns. It is open before there is a
	// contract, so that it has everything from its first process on.
	events *contract.Reader
	path   string
	files  []*os.File

	ct      *contract.Contract
	proc    *os.Process // the command, nil when it has ended
	run     int         // how often the command was started
	code    int         // its exit code as ctrun's own
	fatal   bool        // a fatal event was in this run
	empty   bool        // the contract is
	blind   bool        // there will be no more events
	told    chan told
	ended   chan *os.ProcessState
	signals chan os.Signal
	group   sync.WaitGroup
}

// told is what the reader of events gave.
type told struct {
	event contract.Event
	err   error
}

func (env *Env) ctrun(args []string) int {
	switch {
	case len(args) > 0 && args[0] == contract.GateWord:
		return contract.Gate(args[1:])
	case len(args) == 1 && args[0] == contract.ServeWord && env.Serve != nil:
		if err := env.Serve(); err != nil {
			env.say("ctrun", explain(err))
			return runInternal
		}
		return 0
	}
	if unix.Access(ownProgram, unix.X_OK) == nil {
		contract.GateProgram = ownProgram
	}
	o, problem := parseRun(args)
	if problem != "" {
		env.complain("ctrun", problem, runUsage)
		return runUsageBad
	}
	r := &runner{env: env, o: &o, told: make(chan told, readAhead), ended: make(chan *os.ProcessState, 1), signals: make(chan os.Signal, 8)}
	return r.main()
}

func (r *runner) main() int {
	if len(r.o.command) > 0 {
		var err error
		if r.path, err = lookPath(r.o.command[0]); err != nil {
			return r.cannotRun(&os.PathError{Op: "exec", Path: r.o.command[0], Err: err})
		}
	}
	r.files = inherited()
	if err := r.open(); err != nil {
		r.say(explain(err))
		return runInternal
	}
	r.catch()
	defer r.group.Wait()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if r.o.life != lifeNone {
		r.group.Go(func() { r.read(ctx) })
	}
	if err := r.begin(); err != nil {
		return r.failed(err)
	}
	return r.live()
}

// open takes everything that a contract needs.
func (r *runner) open() (err error) {
	if r.fs, err = r.env.open(); err != nil {
		return err
	}
	if r.events, err = r.fs.PBundle(); err != nil {
		return err
	}
	if r.o.needsCriticalOnly() {
		if err := r.events.Critical(); err != nil {
			return err
		}
	}
	if r.tmpl, err = r.fs.Template(); err != nil {
		return err
	}
	return r.tmpl.Set(r.o.terms())
}

// begin starts the command, or adopts the contract that was named.
func (r *runner) begin() error {
	if r.o.adopt == 0 {
		return r.start(0)
	}
	r.ct = r.fs.Contract(r.o.adopt)
	if err := r.ct.Adopt(); err != nil {
		return err
	}
	r.tell("adopted")
	st, err := r.ct.Status()
	if err != nil {
		return err
	}
	r.empty = len(st.Members) == 0
	return nil
}

// start starts the command in a new contract, which takes over what the one before has
// inherited, unless that is 0.
func (r *runner) start(from contract.ID) error {
	terms := r.o.terms()
	if from != 0 {
		terms.Transfer = from
		if err := r.tmpl.Set(terms); err != nil {
			return err
		}
	}
	attr := &os.ProcAttr{Files: r.files, Env: os.Environ()}
	ct, p, err := r.tmpl.Start(r.path, r.o.command, attr)
	if errors.Is(err, unix.ENOEXEC) {
		// As execvp(3): what the kernel does not know is a script.
		argv := append([]string{"sh", r.path}, r.o.command[1:]...)
		ct, p, err = r.tmpl.Start("/bin/sh", argv, attr)
	}
	if from != 0 {
		terms.Transfer = 0
		_ = r.tmpl.Set(terms)
	}
	if err != nil {
		return err
	}
	r.ct, r.proc, r.fatal, r.empty = ct, p, false, false
	r.run++
	r.tell("process " + strconv.Itoa(p.Pid) + " started: " + printable.Text(r.o.command[0]))
	if r.o.life != lifeNone {
		r.group.Go(func() {
			st, _ := p.Wait()
			r.ended <- st
		})
	}
	return nil
}

// live waits for the end of the command or of its contract, and starts it again.
func (r *runner) live() int {
	if r.o.life == lifeNone {
		if err := r.ct.Abandon(); err != nil {
			r.say(explain(err))
			return runInternal
		}
		return 0
	}
	for {
		r.wait()
		if !r.again() {
			break
		}
		old := r.ct
		from := contract.ID(0)
		if r.o.transfer {
			from = old.ID
		} else if err := old.Abandon(); err != nil {
			r.say(explain(err))
		}
		r.tell(r.restarting())
		if err := r.start(from); err != nil {
			return r.failed(err)
		}
	}
	if r.blind && r.o.life == lifeContract {
		return runInternal
	}
	// It would be when this process has ended, a moment later.
	_ = r.ct.Abandon()
	return r.code
}

// again says whether the command is to be started again: after a fatal event only, not when
// it has just ended.
func (r *runner) again() bool {
	return r.o.restart && r.fatal && !r.blind && (r.o.runs == 0 || r.run < r.o.runs)
}

func (r *runner) restarting() string {
	text := "ended by a fatal event; the command is started again"
	if r.o.runs > 0 {
		text += " (" + strconv.Itoa(r.run+1) + " of " + strconv.Itoa(r.o.runs) + ")"
	}
	if r.o.transfer {
		text += ", and what the contract inherited goes over"
	}
	return text
}

// over says whether this run is.
func (r *runner) over() bool {
	if r.o.life == lifeChild {
		return r.proc == nil
	}
	return r.proc == nil && (r.empty || r.blind)
}

// wait waits until this run is over.
func (r *runner) wait() {
	var last <-chan time.Time
	for {
		if r.over() && last == nil {
			if r.o.verbose == 0 || r.o.life != lifeChild || r.blind {
				return
			}
			t := time.NewTimer(lastWords)
			defer t.Stop()
			last = t.C
		}
		select {
		case t := <-r.told:
			r.happened(t)
		case st := <-r.ended:
			r.proc, r.code = nil, exitCode(st)
		case sig := <-r.signals:
			r.signal(sig)
		case <-last:
			return
		}
	}
}

// read hands events on until there are no more.
func (r *runner) read(ctx context.Context) {
	for {
		e, err := r.events.Next(ctx)
		select {
		case r.told <- told{e, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// happened takes an event: it is shown, acknowledged, and remembered for what it means.
func (r *runner) happened(t told) {
	if t.err != nil {
		r.blind = true
		if !errors.Is(t.err, io.EOF) {
			r.say(explain(t.err))
		}
		return
	}
	e := &t.event
	if e.CT != r.ct.ID {
		return // of the contract before this one
	}
	if r.o.verbose > 0 {
		b := append(append([]byte("ctrun: contract "+formatID(e.CT)+": "), summary(e)...), '\n')
		if r.o.verbose > 1 {
			b = appendEventDetails(b, e)
		}
		_, _ = r.env.Err.Write(b)
	}
	if e.Critical && !e.Acked {
		// One that is acknowledged meanwhile, or whose contract is dead, needs it no more.
		_ = r.ct.Ack(e.ID)
	}
	r.fatal = r.fatal || e.Kind&r.o.fatal != 0
	r.empty = r.empty || e.Kind == contract.Empty
}

// exitCode is a command's end as ctrun's own.
func exitCode(st *os.ProcessState) int {
	if st == nil {
		return runInternal
	}
	if w, ok := st.Sys().(syscall.WaitStatus); ok && w.Exited() {
		return w.ExitStatus()
	}
	return runAbnormal
}

// failed says why the command could not be started.
func (r *runner) failed(err error) int {
	var exec *os.PathError
	if errors.As(err, &exec) && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOMEM) {
		return r.cannotRun(exec)
	}
	r.say(explain(err))
	return runInternal
}

func (r *runner) cannotRun(err *os.PathError) int {
	name := printable.Text(r.o.command[0])
	if errors.Is(err.Err, unix.ENOENT) || errors.Is(err.Err, unix.ENOTDIR) {
		r.say(name + ": not found")
		return runNotFound
	}
	r.say(name + ": cannot execute: " + err.Err.Error())
	return runNotExec
}

func (r *runner) say(what string) { r.env.say("ctrun", what) }

// tell is say for -v, of the contract at hand.
func (r *runner) tell(what string) {
	if r.o.verbose > 0 {
		r.say("contract " + formatID(r.ct.ID) + ": " + what)
	}
}
