package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/linuxzones/zones/internal/layout"
)

// The words between a starting supervisor and who starts it, as lines on its standard
// output. Every other line is a start-up message for a person.
const (
	// ReadyLine says that start-up is complete: the door answers.
	ReadyLine = "\x01ready"
	// ExitInCharge is the exit code of a supervisor that found another one in charge.
	ExitInCharge = 17

	// runsLine is said before the supervisor's program begins when another program
	// (systemd-run) starts it, so that their failures can be told apart.
	runsLine = "\x01runs"
)

// Limits of a start.
const (
	// startTimeMax bounds a start-up. It takes milliseconds; an emulated machine is two
	// hundred times slower, and recovery of a zone found half way is part of it.
	startTimeMax = 2 * time.Minute
	// reapTimeMax bounds the wait for the exit code of a child that closed its output.
	reapTimeMax = 5 * time.Second
	// startLineMax and startLinesMax bound the start-up messages.
	startLineMax  = 4096
	startLinesMax = 1000
)

// scopeTimeMax bounds systemd's part of a start: a manager that hangs must not keep zones
// from booting. Shorter in tests.
var scopeTimeMax = 20 * time.Second

// supervisorPath is the PATH of supervisors and helpers: not the caller's, whose own
// directories have no say in what runs as root for everybody.
const supervisorPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Spawner starts supervisors.
type Spawner struct {
	Layout layout.Layout
	// Program is zsched; empty: it is looked for by FindProgram.
	Program string
	// Warn is told what went wrong without preventing the start.
	Warn func(line string)
	// scope overrides the decision about systemd, for tests.
	scope *string

	children sync.WaitGroup
}

// Wait waits until every supervisor that was started has ended, which may take for ever: a
// supervisor outlives who started it. It is for tests.
func (s *Spawner) Wait() { s.children.Wait() }

// reap keeps an ended supervisor from being a zombie of a caller that lives on, a console
// client for example. The goroutine ends with the supervisor or with this process.
func (s *Spawner) reap(p *os.Process) {
	s.children.Go(func() { _, _ = p.Wait() })
}

// Start starts the supervisor of a zone and returns when it serves the door. say is given
// its start-up messages. ErrInCharge: another one does or will. *StartError: it ended.
//
// The child has no descriptor of the caller's but a pipe for its messages, a session, a
// working directory and an environment of its own, default signal dispositions, and on a
// host with systemd a scope of its own; limits, mask and keyring it resets itself, since
// it may also be started in other ways.
func (s *Spawner) Start(ctx context.Context, zone string, say func(line string)) error {
	prog := s.Program
	if prog == "" {
		var err error
		if prog, err = FindProgram("zsched"); err != nil {
			return err
		}
	}
	argv := []string{prog, "-z", zone}
	if run := s.systemdRun(); run != "" {
		err := s.try(ctx, scopeArgs(run, s.Layout, zone, argv), nil, true, say)
		var notRun *scopeError
		if !errors.As(err, &notRun) {
			return err
		}
		if s.Warn != nil {
			s.Warn(fmt.Sprintf("WARNING: systemd gave no scope (%s): the supervisor lives in this session.", notRun.why))
		}
	}
	home := s.home(zone)
	if home != nil {
		defer home.Close()
	}
	err := s.try(ctx, argv, home, false, say)
	if err != nil {
		s.unmakeHome(zone)
	}
	return err
}

// scopeError says that systemd-run ended or hung before it ran the supervisor.
type scopeError struct{ why string }

func (e *scopeError) Error() string { return e.why }

// systemdRun is the program to start scopes with, empty where systemd does not rule.
func (s *Spawner) systemdRun() string {
	if s.scope != nil {
		return *s.scope
	}
	if st, err := os.Stat("/run/systemd/system"); err != nil || !st.IsDir() {
		return ""
	}
	return lookup("systemd-run")
}

// lookup finds a program of the host in supervisorPath.
func lookup(name string) string {
	for dir := range strings.SplitSeq(supervisorPath, ":") {
		p := filepath.Join(dir, name)
		if executable(p) {
			return p
		}
	}
	return ""
}

// scopeArgs wraps argv so that it is born in a scope of systemd's with its cgroups
// delegated. The shell in between says that systemd-run has done its part.
func scopeArgs(run string, l layout.Layout, zone string, argv []string) []string {
	unit := "zone-" + zone + l.Tag() + "-" + NewID()[:8]
	return append([]string{
		run, "--scope", "--quiet", "--collect", "--slice=zones.slice", "--unit=" + unit,
		"-p", "Delegate=yes", "--",
		"/bin/sh", "-c", `printf '\001runs\n'; exec "$@"`, "sh",
	}, argv...)
}

// FindProgram gives the path of one of our programs that is not on the PATH: beside the
// running program (a build tree), or in libexec (an installation).
func FindProgram(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrNoProgram, name, err)
	}
	dir := filepath.Dir(self)
	places := []string{dir, filepath.Join(dir, "../libexec/zones"), filepath.Join(dir, "libexec/zones"), filepath.Join(dir, "libexec")}
	for _, d := range places {
		if p := filepath.Join(d, name); executable(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: %s in none of %s", ErrNoProgram, name, strings.Join(places, ", "))
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// environment is all that a supervisor is given of the caller's: language and instance.
func (s *Spawner) environment() []string {
	// The keeper has one thing to do at a time, and as many as there are zones: a thread less
	// and an early collection are a fifth of its memory. It takes both from what it starts.
	env := []string{"PATH=" + supervisorPath, "GOMAXPROCS=1", "GOGC=20"}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name == "LANG" || strings.HasPrefix(name, "LC_") {
			env = append(env, v)
		}
	}
	if s.Layout.Root != "" {
		env = append(env, layout.EnvRoot+"="+s.Layout.Root)
	}
	return env
}

// try runs argv, in the cgroup home if there is one, and follows its output to the ready line or its end.
func (s *Spawner) try(ctx context.Context, argv []string, home *os.File, scoped bool, say func(string)) error {
	out, proc, err := s.launch(argv, home)
	if err != nil {
		if scoped {
			return &scopeError{err.Error()}
		}
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { _ = out.Close() })()
	w := &watch{out: out, scoped: scoped, runs: !scoped, say: say}
	limit := startTimeMax
	if scoped {
		limit = scopeTimeMax
	}
	_ = out.SetReadDeadline(time.Now().Add(limit))
	ready, err := w.follow()
	switch {
	case ready:
		s.reap(proc)
		return nil
	case ctx.Err() != nil:
		s.reap(proc)
		return context.Cause(ctx)
	case err != nil && w.runs:
		s.reap(proc)
		return fmt.Errorf("%w (%d seconds): process ID %d", ErrStartTimeout, int(startTimeMax.Seconds()), proc.Pid)
	case err != nil:
		// systemd-run hangs. It must not come to its senses and start a second one.
		_ = proc.Kill()
		_, _ = proc.Wait()
		return &scopeError{fmt.Sprintf("no answer in %d seconds", int(scopeTimeMax.Seconds()))}
	}
	return w.ended(argv, proc)
}

// launch starts argv with a pipe as its output, in the cgroup home if that can be.
func (s *Spawner) launch(argv []string, home *os.File) (*os.File, *os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	hideDescriptors()
	defer unignore()()
	attr := &os.ProcAttr{
		Dir: "/", Env: s.environment(), Files: []*os.File{null, w, w},
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	if home != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(home.Fd())
	}
	proc, err := os.StartProcess(argv[0], argv, attr)
	if err != nil && home != nil { // the directory has just gone, or the kernel cannot
		attr.Sys.UseCgroupFD = false
		proc, err = os.StartProcess(argv[0], argv, attr)
	}
	if err != nil {
		_ = r.Close()
		return nil, nil, err
	}
	return r, proc, nil
}

// unignore makes the signals that this program was started with as ignored (nohup, a
// shell's background job) ordinary ones until its result is called: an ignored signal
// stays ignored over execve, a caught one does not.
func unignore() func() {
	var ignored []os.Signal
	for _, sig := range []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGCHLD,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU,
	} {
		if signal.Ignored(sig) {
			ignored = append(ignored, sig)
		}
	}
	if len(ignored) == 0 {
		return func() {}
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, ignored...)
	return func() {
		signal.Stop(ch)
		signal.Ignore(ignored...)
	}
}

// watch follows what a starting supervisor says.
type watch struct {
	out    *os.File
	scoped bool
	runs   bool     // the supervisor's own program runs
	said   int      // messages relayed
	before []string // what was said before it ran: systemd-run's words
	say    func(string)
}

// follow reads lines until the ready line (true), the end, or a deadline's error.
func (w *watch) follow() (bool, error) {
	in := bufio.NewReaderSize(w.out, startLineMax)
	for {
		b, cut, err := in.ReadLine()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		line := string(b)
		for cut && err == nil { // the rest of a line beyond the limit is dropped
			_, cut, err = in.ReadLine()
		}
		switch {
		case line == ReadyLine:
			return true, nil
		case line == runsLine && w.scoped:
			w.runs = true
			_ = w.out.SetReadDeadline(time.Now().Add(startTimeMax))
		case !w.runs:
			w.before = append(w.before, line)
		case w.said < startLinesMax:
			w.said++
			w.say(line)
		}
	}
}

// ended says how a child ended that closed its output without the ready line.
func (w *watch) ended(argv []string, proc *os.Process) error {
	// One that closed its output but lives on is as good as hung.
	kill := time.AfterFunc(reapTimeMax, func() { _ = proc.Kill() })
	defer kill.Stop()
	st, err := proc.Wait()
	if err != nil {
		return fmt.Errorf("wait for %s: %w", argv[0], err)
	}
	if !w.runs {
		return &scopeError{strings.Join(append(w.before, st.String()), "; ")}
	}
	ws := st.Sys().(syscall.WaitStatus)
	switch {
	case ws.ExitStatus() == ExitInCharge:
		return ErrInCharge
	case ws.Signaled():
		return &StartError{Program: argv[len(argv)-3], Code: 128 + int(ws.Signal()), Signal: ws.Signal().String(), Said: w.said > 0}
	}
	return &StartError{Program: argv[len(argv)-3], Code: ws.ExitStatus(), Said: w.said > 0}
}
