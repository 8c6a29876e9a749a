package startd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/request"
	"github.com/linuxzones/zones/svc/utmp"
)

// Limits. Tests have less.
var (
	// lookEvery is how often the files of a repository that cannot be used are looked at.
	lookEvery = time.Second
	// retryMax is after how long it is tried again though its files are the same: the reason may
	// have been another one, a full disk say.
	retryMax = 30 * time.Second
	// servicesAgain is after how long services are looked after again when that has failed.
	servicesAgain = 100 * time.Millisecond
	// trimEvery is how long memory that a change has taken may be kept.
	trimEvery = time.Minute
)

// Config is where things are; Zone is the zone's own.
type Config struct {
	Repository repo.Config
	Door       string
	// Volatile is the directory that a boot begins with empty.
	Volatile string
	// Log is the file of its log, EarlyLog the one as long as that cannot be written.
	Log, EarlyLog string
	// Console is the terminal of who administers; "" is none.
	Console string
	// Import is the program that imports what must be there before any service runs.
	Import []string
	// Down is closed when the zone goes down: Services stops them all then, and Run ends. Milestones
	// are those that init asks for.
	Down       <-chan struct{}
	Milestones <-chan string
	// Services runs the services until the context ends; nil: none are run.
	Services func(ctx context.Context, s *Served) error
	// Authorizations gives those of a user.
	Authorizations func(uid uint32) (auth.Set, error)
	// Records are the files of utmp; nil: nothing is recorded.
	Records *utmp.Files
}

// Zone is what svc.startd of a zone works with.
func Zone() Config {
	const volatile = "/etc/svc/volatile"
	return Config{
		Repository: repo.Config{Path: repo.DefaultPath, VolatilePath: repo.DefaultVolatilePath},
		Door:       door.DefaultPath, Volatile: volatile,
		Log: "/var/svc/log/svc.startd.log", EarlyLog: volatile + "/svc.startd.log",
		Console: "/dev/console", Import: []string{"/lib/svc/bin/manifest-import", "-e"},
		Authorizations: auth.Zone.OfUID, Records: &utmp.Zone,
	}
}

// Served is what services are run with.
type Served struct {
	Repo       *repo.Repo
	Down       <-chan struct{}
	Milestones <-chan string
	// Say is for the log, Tell for the console, Alert for both.
	Say, Tell, Alert func(text string)
	// Records is where boot, run levels and processes are recorded; nil: nowhere.
	Records *utmp.Recorder
}

// daemon is the process.
type daemon struct {
	cfg     Config
	log     *log
	r       *repo.Repo
	records *utmp.Recorder
}

// Run is the process, until the context ends, or the services are down when that is asked for: nil
// then. An error is said already.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	up, away := context.WithCancel(ctx) // until the zone goes down
	defer away()
	go func() {
		select {
		case <-cfg.Down:
			away()
		case <-ctx.Done():
		}
	}()
	d := &daemon{cfg: cfg, log: newLog(&cfg)}
	if err := d.open(up); err != nil {
		return err
	}
	if d.r == nil {
		return nil // it was ended before it could be opened
	}
	defer d.close()
	l, err := server.Listen(cfg.Door)
	if err != nil {
		return d.fatal("make the door of the repository", err)
	}
	defer l.Close()
	s, err := server.New(server.Config{Repo: d.r, Listener: l, Authorizations: cfg.Authorizations, Log: d.log.say})
	if err != nil {
		return d.fatal("serve the repository", err)
	}
	defer s.Close()
	d.log.say("the repository is served")
	if cfg.Records != nil {
		d.records = utmp.Record(*cfg.Records, d.log.say)
		defer d.records.Close()
		d.records.Booted()
	}
	d.boot(up)
	var services sync.WaitGroup
	services.Go(func() {
		defer stop()
		d.run(ctx)
	})
	d.idle(ctx)
	services.Wait()
	return nil
}

// run runs the services. What runs them and ends is started again: it goes on with what is there.
func (d *daemon) run(ctx context.Context) {
	if d.cfg.Services == nil {
		select {
		case <-ctx.Done():
		case <-d.cfg.Down:
		}
		return
	}
	served := &Served{Repo: d.r, Down: d.cfg.Down, Milestones: d.cfg.Milestones, Say: d.log.say, Tell: d.log.tell, Alert: d.log.alert, Records: d.records}
	for pause := servicesAgain; ; pause = min(2*pause, retryMax) {
		err := d.cfg.Services(ctx, served)
		if ctx.Err() != nil || err == nil && closed(d.cfg.Down) {
			return
		}
		if err != nil {
			d.log.alert("services are not looked after for a moment: " + err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// idle gives memory back that was taken, by the boot and then by whatever has changed the
// repository, until the context ends. Who only reads takes little.
func (d *daemon) idle(ctx context.Context) {
	look := time.NewTicker(trimEvery)
	defer look.Stop()
	for trimmed := uint64(0); ; {
		if now := d.r.Generation(); now != trimmed {
			trimmed = now
			d.r.Trim()
			debug.FreeOSMemory()
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (d *daemon) fatal(what string, err error) error {
	d.log.alert(what + ": " + err.Error())
	return err
}

// open opens the repository, as soon as it can be. Another process that holds it is an error:
// there is a svc.startd. But who holds it while it is waited for is mending it.
func (d *daemon) open(ctx context.Context) error {
	var before string
	for {
		was := d.files()
		r, err := d.openOnce()
		switch {
		case err == nil:
			if before != "" {
				d.log.alert("the repository can be used again")
			}
			d.r = r
			return nil
		case errors.Is(err, repo.ErrLocked) && before == "":
			return d.fatal("open the repository", err)
		}
		if text := err.Error(); text != before && !errors.Is(err, repo.ErrLocked) {
			// Whoever comes is to be told that nobody serves, and not to wait for who does.
			_ = os.Remove(d.cfg.Door)
			d.log.alert("the repository cannot be used, and no service is: " + text)
			before = text
		}
		if !d.changed(ctx, was, errors.Is(err, repo.ErrLocked)) {
			return nil
		}
	}
}

// openOnce opens the repository. One that is gone while its backups are there is not begun anew.
func (d *daemon) openOnce() (*repo.Repo, error) {
	path := d.cfg.Repository.Path
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if list, err := repo.Backups(path); err == nil && len(list) > 0 {
			return nil, errors.New(path + " is missing, and its backups are not; go back to one with: " +
				repo.DefaultRestore + " " + list[0].Path + " (to begin anew, move them all away)")
		}
	}
	return repo.Open(d.cfg.Repository)
}

// changed waits until the repository's files are others than they were, or others have been put
// in their place, for retryMax at most, and when soon is so not even for that; false: the context
// has ended.
func (d *daemon) changed(ctx context.Context, was [2]state, soon bool) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for end := time.Now().Add(retryMax); ; {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		if soon || d.files() != was || time.Now().After(end) {
			return true
		}
	}
}

// files is the state of both of the repository's files.
func (d *daemon) files() [2]state {
	return [2]state{fileState(d.cfg.Repository.Path), fileState(d.cfg.Repository.VolatilePath)}
}

// state tells one state of a file from another.
type state struct {
	ino         uint64
	size        int64
	mtim, ctim  unix.Timespec
	unreachable bool
}

func fileState(path string) state {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return state{unreachable: true}
	}
	return state{ino: st.Ino, size: st.Size, mtim: st.Mtim, ctim: st.Ctim}
}

func (d *daemon) close() {
	if err := d.r.Close(); err != nil {
		d.log.say("close the repository: " + err.Error())
	}
	d.log.say("ended")
}

// asked is what init says by signals: that the zone goes down, and what milestone is wanted. now says
// that it goes down already.
func asked(now bool) (down <-chan struct{}, milestones <-chan string) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, request.StartdSignal, request.Single.Signal(), request.Multi.Signal(), request.Server.Signal())
	ending, names := make(chan struct{}), make(chan string, 4)
	if now {
		close(ending)
	}
	go func() {
		for s := range signals {
			name := request.Of(s.(unix.Signal)).Milestone()
			switch {
			case name == "" && !now:
				now = true
				close(ending)
			case name != "":
				select {
				case names <- name:
				default: // nobody takes them: services are not run yet, or no more
				}
			}
		}
	}()
	return ending, names
}

// descriptorsUsual is more than a hundred services need at once.
const descriptorsUsual = 512

// Main is the program. args are without its name: what the boot arguments have for it. The result
// is the exit code.
func Main(args []string) int {
	if os.Getppid() != 1 {
		os.Stderr.WriteString("svc.startd: this program is started by init, and only by it\n")
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE)
	// Nothing of a terminal is needed, and whoever looks at the door must not hold one.
	_ = sys.Retry(func() error { return unix.Chdir("/") })
	sys.RoomForDescriptors(descriptorsUsual)
	cfg := Zone()
	cfg.Services = services(args)
	cfg.Down, cfg.Milestones = asked(parseOptions(args).down)
	if Run(ctx, cfg) != nil {
		return 1
	}
	return 0
}
