package main

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

const (
	exitUsage = 2
	// exitTaken: another keeper is in charge of the zone, which is no error.
	exitTaken = 17
	// backlog is how many callers may wait while a supervisor is replaced.
	backlog = 128
	// nameMax is the longest name of a zone.
	nameMax = 64

	doorName    = "door"
	consoleName = "console"
	pidName     = "zsched.pid"
)

func say(s string) { _ = sys.WriteAll(2, []byte(s+"\n")) }

func main() {
	// What is the thread's and not the process's (keyring, signal mask) is set on this one, and
	// children are born of it.
	runtime.LockOSThread()
	if len(os.Args) == 2 && os.Args[1] == keeper.TryFlag {
		os.Exit(try())
	}
	if len(os.Args) != 3 || os.Args[1] != "-z" || !validName(os.Args[2]) {
		say("Usage: zsched -z zonename\n\tNote: zsched should not be run directly.")
		os.Exit(exitUsage)
	}
	resetProcess()
	// Copies: the title is written over arguments and environment.
	zone, env := strings.Clone(os.Args[2]), environment()
	code, err := 0, error(nil)
	if n, back, took := tookState(); took {
		code, err = goOn(zone, env, n, back)
	} else {
		code, err = run(zone, env)
	}
	if err != nil {
		say("zsched: zone '" + zone + "': " + err.Error())
		os.Exit(1)
	}
	os.Exit(code)
}

// validName refuses what would leave the directory of run-time state; which names zones may
// have is decided elsewhere.
func validName(s string) bool {
	return s != "" && s[0] != '.' && len(s) <= nameMax && strings.IndexByte(s, '/') < 0
}

// environment is what the supervisor is given, copied.
func environment() []string {
	var env []string
	for _, v := range syscall.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "GOMAXPROCS" && name != "GOGC" && name != keeper.TookVariable {
			env = append(env, strings.Clone(v))
		}
	}
	return env
}

// supervisor is the program that is kept: a zone's, or the server of the host's contracts,
// whose name no zone can have.
func supervisor(zone string) string {
	if zone == "global" {
		return "contractd"
	}
	return "zoned"
}

// run takes charge of the zone, or finds that another keeper has.
func run(zone string, env []string) (int, error) {
	lay := layout.At(strings.Clone(os.Getenv(layout.EnvRoot)))
	dir, err := openState(lay, zone)
	if err != nil {
		return 0, err
	}
	lock, _, err := sys.LockFile(dir, pidName)
	if errors.Is(err, unix.EAGAIN) {
		return exitTaken, nil
	}
	if err != nil {
		return 0, err
	}
	if err := lock.WritePid(os.Getpid()); err != nil {
		_ = lock.Remove()
		return 0, err
	}
	code, err := keep(zone, env, dir, lock)
	leave(zone, dir, lock)
	return code, err
}

// leave takes away what a keeper has made for itself.
func leave(zone string, dir *sys.FD, lock *sys.Lock) {
	lay := layout.At(strings.Clone(os.Getenv(layout.EnvRoot)))
	_ = unix.Unlinkat(dir.Int(), doorName, 0)
	_ = unix.Unlinkat(dir.Int(), consoleName, 0)
	// Before the lock is let go: a successor makes these directories anew.
	leaveCgroup("/zones" + lay.Tag() + "/" + zone)
	_ = lock.Remove()
}

// openState makes the run-time directories and opens the zone's. Doors are protected by their
// directory, since anybody may connect to a socket that he can name: those that protect must
// be directories, ours, and closed to others.
func openState(lay layout.Layout, zone string) (*sys.FD, error) {
	if err := os.MkdirAll(lay.Run, 0o755); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		path string
		mode uint32
	}{{lay.Run, 0o755}, {lay.Status(), 0o755}, {lay.State(), 0o700}, {lay.ZoneState(zone), 0o700}} {
		if err := os.Mkdir(d.path, os.FileMode(d.mode)); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, err
		}
		dir, err := openOwn(d.path, d.mode)
		if err != nil {
			return nil, err
		}
		if d.path == lay.ZoneState(zone) {
			return dir, nil
		}
		dir.Close()
	}
	return nil, unix.ENOENT
}

// openOwn opens a directory of ours and gives it its mode.
func openOwn(path string, mode uint32) (*sys.FD, error) {
	dir, err := sys.OpenDir(path)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(dir.Int(), &st)
	switch {
	case err == nil && int(st.Uid) != os.Geteuid():
		err = &sys.Error{Op: "use", What: path + ", which belongs to another user", Errno: unix.EPERM}
	case err == nil && st.Mode&0o7777 != mode:
		err = unix.Fchmod(dir.Int(), mode)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

func keep(zone string, env []string, dir *sys.FD, lock *sys.Lock) (int, error) {
	// The console before the door: who finds the door open finds a console.
	console, err := sys.ListenUnix(dir, consoleName, 0o600, backlog)
	if err != nil {
		return 0, err
	}
	door, err := sys.ListenUnix(dir, doorName, 0o600, backlog)
	if err != nil {
		return 0, err
	}
	w, err := loadRing(dir)
	if err != nil {
		return 0, err
	}
	cfg, err := config(zone, env, w, dir, lock, &journal{dir: dir, zone: zone})
	if err != nil {
		return 0, err
	}
	cfg.Door, cfg.Console = door, console
	k, err := keeper.New(cfg)
	if err != nil {
		return 0, err
	}
	code := k.Run()
	saveRing(dir, w)
	return code, nil
}

// config is what a keeper is started with, whether it is the zone's first or goes on.
func config(zone string, env []string, w *ring.Writer, dir *sys.FD, lock *sys.Lock, log *journal) (keeper.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return keeper.Config{}, err
	}
	program := self[:strings.LastIndexByte(self, '/')+1] + supervisor(zone)
	fd, at := lock.FDs()
	return keeper.Config{
		Program: program, Args: []string{program, "-z", zone}, Env: env,
		Ring: w, Title: "zsched " + zone, Ready: log.detach, Say: log.say,
		Self: self, Own: []string{self, "-z", zone}, Kept: []int{dir.Int(), fd, at},
	}, nil
}
