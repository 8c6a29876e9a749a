package zoned

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/zoned/api"
)

// bootArgs is what a boot argument string means (zoneadmd.c, filter_bootargs).
type bootArgs struct {
	args    []string // what init is given
	altInit string   // -i: another init
	bad     []string // dropped or unknown words, to be told of
}

// parseBootArgs reads a boot argument string as the kernel of the original does: a first word
// without a dash is a kernel's file name and dropped silently; -i PATH is for us; -m x and -s
// are init's; -f is done by zoneadm; an unknown option is passed on and told of; a stray word
// is dropped and told of.
func parseBootArgs(s string) bootArgs {
	var b bootArgs
	words := strings.Fields(s)
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		value := func() (string, bool) {
			if len(w) > 2 {
				return w[2:], true
			}
			if i+1 < len(words) {
				i++
				return words[i], true
			}
			return "", false
		}
		switch {
		case w == "-s":
			b.args = append(b.args, w)
		case w == "-f":
		case strings.HasPrefix(w, "-m"), strings.HasPrefix(w, "-i"):
			v, ok := value()
			if !ok {
				b.bad = append(b.bad, w)
			} else if w[1] == 'm' {
				b.args = append(b.args, "-m", v)
			} else {
				b.altInit = v
			}
		case strings.HasPrefix(w, "-"):
			b.args = append(b.args, w)
			b.bad = append(b.bad, w)
		default:
			b.bad = append(b.bad, w)
		}
	}
	return b
}

// boot lets init go in a ready zone.
func (w *worker) boot() error {
	args := w.op.BootArgs
	if !w.op.BootArgsGiven {
		zone, err := w.z.store.LoadSnapshot(w.z.name)
		if err != nil {
			return err
		}
		args = zone.Bootargs
	}
	if len(args) >= api.BootArgsMax {
		return w.fail(keyBootArgsLong)
	}
	w.bootArgs = parseBootArgs(args)
	if bad := strings.Join(w.bootArgs.bad, " "); bad != "" {
		w.say(api.LevelWarning, keyBootArgsBad, bad)
		w.z.notice(wire.BadBootArgs, bad)
	}
	if err := w.perform(bootSteps); err != nil {
		return err
	}
	w.to(configs.Running)
	return nil
}

// saneTermios is what a console is reset to at every boot, as init_console_slave and
// reset_slave_terminal of the original do: who used it before may have left it in any mode.
var saneTermios = unix.Termios{
	Iflag: unix.BRKINT | unix.ICRNL | unix.IMAXBEL | unix.IXON | unix.IUTF8,
	Oflag: unix.OPOST | unix.ONLCR,
	Cflag: unix.CREAD | unix.CS8 | unix.HUPCL | unix.B38400,
	Lflag: unix.ISIG | unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE | unix.IEXTEN,
	Cc: [19]uint8{
		unix.VINTR: 3, unix.VQUIT: 28, unix.VERASE: 127, unix.VKILL: 21, unix.VEOF: 4, unix.VMIN: 1,
		unix.VSTART: 17, unix.VSTOP: 19, unix.VSUSP: 26, unix.VREPRINT: 18, unix.VWERASE: 23, unix.VLNEXT: 22,
		unix.VDISCARD: 15,
	},
	Ispeed: unix.B38400, Ospeed: unix.B38400,
}

// doBoot tells the trampoline what to become. Its socket's end says that it has; four bytes
// say that it could not and why. A supervisor that was killed in between does it again: a
// trampoline that is gone has left the end, a second message nobody reads.
func doBoot(ctx context.Context, w *worker, _ *stepData) error {
	conn := w.z.slots.fd(slotBoot)
	if !conn.Valid() {
		return errors.New("the zone's trampoline is not there")
	}
	l := w.z.journal.hist.find("platform")
	if l < 0 {
		return errors.New("the zone has no platform")
	}
	p := w.z.journal.hist.steps[l].Data
	init := helper.Init{Path: p.InitPath, Args: append(append([]string{}, p.InitArgs...), w.bootArgs.args...), Env: append(append([]string{}, p.InitEnv...), w.z.initEnv()...)}
	if w.bootArgs.altInit != "" {
		init.Path = w.bootArgs.altInit
		init.Args[0] = init.Path
	}
	if err := w.z.resetConsole(); err != nil {
		w.log.WithError(err).Warn("reset the console")
	}
	m, err := json.Marshal(init)
	if err != nil {
		return err
	}
	if err := sys.Send(conn.Int(), m); err != nil && !errors.Is(err, unix.EPIPE) {
		return err
	}
	w.z.journal.crashpoint("within do boot")
	errno, err := awaitExec(ctx, conn)
	if err != nil {
		return err
	}
	switch errno {
	case 0:
		return nil
	case unix.EACCES, unix.ENOEXEC:
		return w.fail(keyInitNotExec, init.Path)
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP:
		return w.fail(keyInitStat, init.Path, errno.Error())
	}
	return w.fail(keyInitUnable, init.Path, errno.Error())
}

// resetConsole puts the console's terminal into a sane mode. On a master it is the other
// side's mode that is set.
func (z *Zone) resetConsole() error {
	master := z.slots.fd(keeper.SlotPty)
	if !master.Valid() {
		return errors.New("the console's terminal is not there")
	}
	return unix.IoctlSetTermios(master.Int(), unix.TCSETS, &saneTermios)
}

func awaitExec(ctx context.Context, conn *sys.FD) (unix.Errno, error) {
	for {
		p := []unix.PollFd{{Fd: int32(conn.Int()), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 100)
		if err != nil && err != unix.EINTR {
			return 0, err
		}
		if n > 0 {
			break
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("init was not started: %w", context.Cause(ctx))
		}
	}
	var buf [16]byte
	n, fds, err := sys.Recv(conn.Int(), buf[:])
	sys.CloseAll(fds)
	if errors.Is(err, unix.ECONNRESET) || err == nil && n == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if n != 4 {
		return 0, fmt.Errorf("the trampoline said %d bytes", n)
	}
	return unix.Errno(binary.LittleEndian.Uint32(buf[:])), nil
}
