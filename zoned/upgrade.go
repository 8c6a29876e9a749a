package zoned

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/remains"
)

// Limits of an upgrade.
const (
	// describeLimit is how long a new program may take to say what it is; it needs milliseconds.
	describeLimit = 10 * time.Second
	// describeBytes bounds what it may say.
	describeBytes = 4096
)

// ownProgram is the file that this process runs, whatever its name leads to now.
const ownProgram = "/proc/self/exe"

// evUpgrade: it is decided whether this supervisor makes way for a new program.
type evUpgrade struct {
	r       *request
	leave   bool
	refused string // why it does not
}

// upgrade has the programs on disk take the place of this one and of the keeper. Nothing is
// given up before the new ones have said that they can go on; then this supervisor leaves, and
// its successor answers the request, whichever program it is of.
func (z *Zone) upgrade(r *request) {
	if z.state < configs.Ready {
		r.tell(message(api.LevelNote, keyUpgradeNothing))
		z.finish(r, 0)
		return
	}
	z.busy = r
	z.start(func() {
		leave, err := z.prepareUpgrade(r)
		e := evUpgrade{r: r, leave: leave}
		if err != nil {
			e.refused = err.Error()
		}
		z.post(e)
	})
}

// prepareUpgrade asks the new programs, and journals what the successor must know.
func (z *Zone) prepareUpgrade(r *request) (leave bool, err error) {
	program := filepath.Join(z.libexec, "zoned")
	same, err := sameFile(ownProgram, program)
	if err != nil {
		return false, err
	}
	to := build.Version
	if !same {
		if to, err = z.candidate(program); err != nil {
			return false, fmt.Errorf("%s does not take over: %w", program, err)
		}
	}
	kept, err := z.keeper.Renew()
	switch {
	case err != nil:
		return false, fmt.Errorf("ask zsched: %w", err)
	case kept.Answer == keeper.RenewSame && same:
		r.tell(message(api.LevelNote, keyUpgradeSame, build.Version))
		return false, nil
	case kept.Answer == keeper.RenewRefused && kept.Exit == build.ExitOlder:
		return false, errors.New("the installed zsched is of an older build: programs do not go back")
	case kept.Answer == keeper.RenewRefused:
		return false, fmt.Errorf("the installed zsched does not take over (exit code %d): see %s", kept.Exit, z.keeperLog())
	}
	op := &operation{ID: r.ID, Verb: api.VerbUpgrade, Program: programID(ownProgram), SameProgram: same, From: build.Version, To: to}
	return true, z.journal.begin(op)
}

func (z *Zone) keeperLog() string { return filepath.Join(z.stateDir(), "zsched.log") }

// programID tells one file from another, over the time of an upgrade.
func programID(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// candidate runs a program that might take over and has it say what it is. It has nothing of
// ours but our rights.
func (z *Zone) candidate(program string) (version string, err error) {
	ctx, cancel := context.WithTimeoutCause(z.ctx, describeLimit, fmt.Errorf("no word after %s", describeLimit))
	defer cancel()
	var out limited
	cmd := exec.CommandContext(ctx, program, "-V")
	cmd.Dir, cmd.Stdout, cmd.WaitDelay = "/", &out, time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("it does not run: %w", err)
	}
	return fits(strings.TrimSuffix(string(out.b), "\n"))
}

// limited keeps the first bytes of what it is told.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.b = append(l.b, p[:min(len(p), describeBytes-len(l.b))]...)
	return len(p), nil
}

// upgradeDecided goes on, or makes way.
func (z *Zone) upgradeDecided(e evUpgrade) {
	if e.leave && !z.orphaned {
		z.log.Info("making way for the programs on disk")
		z.terminating, z.leaving = true, true
		return
	}
	z.busy = nil
	if e.refused != "" {
		e.r.tell(message(api.LevelError, keyUpgradeRefused, e.refused, build.Version))
		z.finish(e.r, -1)
	} else if !e.leave {
		z.finish(e.r, 0)
	}
	switch {
	case z.terminating:
		z.leaving = true
	case z.orphaned:
		// There is nobody who would start a successor. Who asked gets his answer as from one.
		if e.leave {
			z.upgraded(*z.journal.hist.open)
		}
		z.begin(z.fromZone(api.VerbHalt), halt)
	case z.inc != nil && z.inc.isDead():
		z.initDied(z.inc)
	}
	z.next()
}

// upgraded answers a request for an upgrade in a successor: which program it is of says what
// became of it.
func (z *Zone) upgraded(op operation) {
	r := z.requests[op.ID]
	if r == nil {
		r = newRequest(api.Request{Version: api.Version, ID: op.ID, Verb: op.Verb}, sys.Peer{})
		z.remember(r)
	}
	rval := 0
	if op.SameProgram == (programID(ownProgram) == op.Program) {
		r.tell(message(api.LevelNote, keyUpgraded, build.Version, op.From))
	} else {
		rval = -1
		r.tell(message(api.LevelError, keyUpgradeFailed, op.To, build.Version, z.keeperLog()))
	}
	said := append(r.said(), api.Reply{Type: api.ReplyResult, Rval: rval, State: z.state.String()})
	if err := z.journal.end(result{ID: op.ID, Replies: said}); err != nil {
		z.log.WithError(err).Error("journal")
		z.journal.hist.open = nil // there is nothing to go on with
	}
	z.log.WithField("from", op.From).WithField("build", build.Version).Info("upgrade")
	z.finish(r, rval)
}

// buildFile says which build served the zone last, and in which boot of the host.
const buildFile = "build"

// stamp notes that this build serves. It comes when start-up is complete: until then the
// program before may have to go on.
func (z *Zone) stamp() {
	text := z.journal.boot + " " + build.Version + "\n"
	if err := replaceFile(filepath.Join(z.stateDir(), buildFile), []byte(text), 0o600); err != nil {
		z.log.WithError(err).Warn("note the build")
	}
}

// refuseOlder keeps an older program from what a newer one has left of a living generation,
// before anything is touched.
func (z *Zone) refuseOlder() error {
	b, err := sys.ReadFile(filepath.Join(z.stateDir(), buildFile), 128)
	if err != nil {
		return nil // nobody has served
	}
	boot, err := sys.BootID()
	if err != nil {
		return err
	}
	f := strings.Fields(string(b))
	if len(f) != 2 || f[0] != boot || !build.Older(build.Version, f[1]) {
		return nil
	}
	if live, err := remains.Living(z.stateDir(), boot); err == nil && len(live) == 0 || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	text := fmt.Sprintf("zoned of build %s does not take over a zone that build %s runs: install that one or a newer one", build.Version, f[1])
	return &StartError{Text: text, Code: build.ExitOlder}
}
