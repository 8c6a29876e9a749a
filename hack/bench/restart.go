package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// restarts measures, in a zone, how long a service is away: from SIGKILL of its process to the
// first thing that the next one does. Every supervisor has restartServices services, and all of
// them take turns, so that what else the machine does happens to all.
//
// Every service is a script of busybox that tells its number through a fifo. One that is "daemon"
// is started by its script, as a service of duration contract is; the others are the script.
//
// No service is killed before it has run for restartLived: s6-supervise and runsv hold one back
// that has not lived for a second, and svc.startd takes ten starts in a period, which the
// manifest says is one second, for too many. So nobody's limit is met, and nobody's is off.
func (b *bench) restarts() error {
	if !b.wants("smf.restart") {
		return nil
	}
	return b.inNewZone("r", "restart", strconv.Itoa(max(10*b.runs, restartServices)))
}

// inNewZone has a role measure in a zone that is made for it.
func (b *bench) inNewZone(zone, role string, args ...string) error {
	if err := b.zone(zone); err != nil {
		return err
	}
	if err := b.run("zoneadm", "-z", zone, "boot"); err != nil {
		return err
	}
	if err := b.place(zone); err != nil {
		return err
	}
	if err := b.measure(b.inZone(zone, role, args...)); err != nil {
		return err
	}
	return b.run("zoneadm", "-z", zone, "halt")
}

const (
	restartDir      = "/var/tmp/restart"
	restartServices = 20
	restartLived    = 1300 * time.Millisecond
	// restartQuiet is for what a supervisor does after a restart.
	restartQuiet = 15 * time.Millisecond
	restartLimit = 60 * time.Second
	busybox      = "/bin/busybox"
)

// keeper is one that keeps services: a supervisor, or a loop that is the limit.
type keeper struct {
	name  string
	limit string // the figure that this one is compared with
	// daemon: the script starts the service and ends.
	daemon bool
	// start has it begin with these services, and gives what ends it.
	start func(k *keeper, services []string) (stop func(), err error)
	// prepare makes what start finds; nil: start makes it.
	prepare func(k *keeper, services []string) error

	us   []float64
	pids map[string]int
	at   map[string]time.Time
}

// errMissing: a program is not installed.
var errMissing = errors.New("not installed")

func restartKeepers() []*keeper {
	return []*keeper{
		{name: "limit.restart", start: startLoop},
		{name: "limit.restart-shell", start: startLoop},
		{name: "limit.restart-daemon", start: startLoop, daemon: true},
		{name: "limit.restart-daemon-shell", start: startLoop, daemon: true},
		{name: "peer.restart.s6", limit: "limit.restart", prepare: prepareS6, start: startS6},
		{name: "peer.restart.runit", limit: "limit.restart", start: startRunit},
		{name: "peer.restart.dinit", limit: "limit.restart", start: startDinit},
		{name: "smf.restart-child", limit: "limit.restart", start: startSMF},
		{name: "smf.restart-child-shell", limit: "limit.restart-shell", start: startSMF},
		{name: "smf.restart", limit: "limit.restart-daemon", start: startSMF, daemon: true},
		{name: "smf.restart-shell", limit: "limit.restart-daemon-shell", start: startSMF, daemon: true},
	}
}

// shell says whether the keeper's command needs one.
func (k *keeper) shell() bool { return strings.HasSuffix(k.name, "-shell") }

// command starts a service of the keeper's. What is behind it makes it a command that only a shell
// understands, and gives it no argument.
func (k *keeper) command(service string) string {
	c := filepath.Join(restartDir, "run", service)
	if k.shell() {
		c += " $nothing"
	}
	return c
}

// services are the names of the keeper's services; a name is also that of an instance.
func (k *keeper) services() []string {
	var list []string
	for i := range restartServices {
		list = append(list, strings.ReplaceAll(k.name, ".", "-")+"-"+strconv.Itoa(i))
	}
	return list
}

// script is what a service is.
func (k *keeper) script(service string) string {
	head := "#!" + busybox + " sh\n"
	if k.daemon {
		return head + busybox + " sleep 1000000 &\necho \"$! " + service + "\" >" + restartDir + "/fifo\n"
	}
	return head + "echo \"$$ " + service + "\" >" + restartDir + "/fifo\nexec " + busybox + " sleep 1000000\n"
}

// playRestart is the measurer in the zone.
func playRestart(args []string) error {
	runs, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := smfReady(); err != nil {
		return err
	}
	if err := os.MkdirAll(restartDir+"/run", 0o755); err != nil {
		return err
	}
	in, err := openReports(restartDir + "/fifo")
	if err != nil {
		return err
	}
	var keepers []*keeper
	for _, k := range restartKeepers() {
		stop, err := k.begin(in)
		if stop != nil {
			defer stop()
		}
		switch {
		case errors.Is(err, errMissing):
			missing(k.name, "us", err.Error())
		case err != nil:
			return fmt.Errorf("%s: %w", k.name, err)
		default:
			keepers = append(keepers, k)
		}
	}
	for i := range runs {
		for n := range keepers {
			if err := keepers[(n+i)%len(keepers)].kill(in, i%restartServices); err != nil {
				return err
			}
		}
	}
	for _, k := range keepers {
		tellTail(k.name, "us", k.limit, k.us)
	}
	return nil
}

// begin has a keeper start its services, and waits for them.
func (k *keeper) begin(in *reports) (stop func(), err error) {
	k.pids, k.at = map[string]int{}, map[string]time.Time{}
	list := k.services()
	for _, s := range list {
		if err := os.WriteFile(filepath.Join(restartDir, "run", s), []byte(k.script(s)), 0o755); err != nil {
			return nil, err
		}
	}
	if k.prepare != nil {
		if err := k.prepare(k, list); err != nil {
			return nil, err
		}
	}
	if stop, err = k.start(k, list); err != nil {
		return stop, err
	}
	for len(k.pids) < len(list) {
		if err := k.report(in); err != nil {
			return stop, err
		}
	}
	return stop, nil
}

// report takes the next report, which is to be of a service of this keeper.
func (k *keeper) report(in *reports) error {
	pid, service, err := in.next()
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	if !slices.Contains(k.services(), service) {
		return fmt.Errorf("%s: %s was started, which nobody has killed", k.name, service)
	}
	k.pids[service], k.at[service] = pid, time.Now()
	return nil
}

// kill kills one service and waits for the next.
func (k *keeper) kill(in *reports, i int) error {
	service := k.services()[i]
	was := k.pids[service]
	time.Sleep(max(restartQuiet, restartLived-time.Since(k.at[service])))
	began := monotonic()
	if err := unix.Kill(was, unix.SIGKILL); err != nil {
		return fmt.Errorf("%s: %s, process %d: %w", k.name, service, was, err)
	}
	if err := k.report(in); err != nil {
		return err
	}
	k.us = append(k.us, float64(in.at-began)/1e3)
	if k.pids[service] == was {
		return fmt.Errorf("%s: %s is process %d as before", k.name, service, was)
	}
	return nil
}

// reports are the lines that services write to a fifo, a number and a name each.
type reports struct {
	fd  int
	buf []byte
	at  int64 // when the last bytes came
}

func openReports(path string) (*reports, error) {
	_ = os.Remove(path)
	if err := unix.Mkfifo(path, 0o666); err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0) // for writing too, so that it never ends
	if err != nil {
		return nil, err
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 1<<20)
	return &reports{fd: fd}, nil
}

func (r *reports) next() (pid int, service string, err error) {
	for {
		if line, rest, ok := strings.Cut(string(r.buf), "\n"); ok {
			r.buf = []byte(rest)
			number, name, _ := strings.Cut(line, " ")
			pid, err := strconv.Atoi(number)
			return pid, name, err
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, int(restartLimit/time.Millisecond))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return 0, "", errors.Join(errors.New("no service has started"), err)
		}
		b := make([]byte, 4096)
		if n, err = unix.Read(r.fd, b); err != nil {
			return 0, "", err
		}
		r.at = monotonic()
		r.buf = append(r.buf, b[:n]...)
	}
}

// startProgram starts a supervisor that is another's, which ends when its services do.
func startProgram(argv ...string) (stop func(), err error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, errMissing
	}
	cmd := exec.Command(path, argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	}, nil
}
