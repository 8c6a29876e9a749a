package initd

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/handover"
	"github.com/linuxzones/zones/svc/session"
)

// ConsoleName is argv[0] of init's child that becomes the shell on the console.
const ConsoleName = "console-login"

// StartdName is argv[0] of init's child that becomes svc.startd.
const StartdName = "start-startd"

// Startd is init's child: it becomes svc.startd with clean signals.
func Startd(args []string) int {
	err := handover.Exec(startdPath, append([]string{startdPath}, args[1:]...), os.Environ())
	complain("cannot execute " + startdPath + ": " + err.Error())
	return session.ExitStatus(err)
}

// consoleTerm is a terminal that every terminfo database has, and that most terminals are.
const consoleTerm = "vt100"

// shells are tried in this order after root's own.
var shells = []string{"/bin/sh", "/bin/bash", "/bin/ash", "/bin/dash", "/bin/busybox", "/lib/busybox", "/usr/bin/busybox"}

// Console is init's child: it takes the console as its terminal and becomes root's login
// shell. Everything that may block is done here and not in pid 1. The exit status is
// session.ExitNotFound when there is no shell.
func Console() int {
	if err := handover.CloseInherited(3); err != nil {
		return complain("cannot close descriptors: " + err.Error())
	}
	if err := takeConsole(); err != nil {
		return complain("cannot take the console: " + err.Error())
	}
	u, err := account.Zone.Lookup("root")
	if err != nil {
		complain(err.Error())
		u = &account.User{Name: "root"}
	}
	if err := session.OwnTerminal(0, u, account.Zone); err != nil {
		complain(err.Error())
	}
	if err := session.Become(u); err != nil {
		return complain(err.Error())
	}
	if err := session.EnterHome(u); err != nil {
		u.Home = "/"
	}
	session.Greet(os.Stdout, u)
	term := os.Getenv("TERM")
	if !session.ValidTerm(term) {
		term = consoleTerm
	}
	return becomeShell(u, term)
}

// becomeShell returns only when no shell could be executed. A shell that is there and does
// not run is named; one that is not there is not.
func becomeShell(u *account.User, term string) int {
	status := session.ExitNotFound
	locale := session.Locale(os.Environ())
	for _, path := range append([]string{session.Shell(u)}, shells...) {
		u.Shell = path
		name := session.LoginName(path)
		if name == "-busybox" {
			name = "-sh"
		}
		err := handover.Exec(path, []string{name}, append(session.Environment(u, term), locale...))
		if !errors.Is(err, unix.ENOENT) {
			status = complain("cannot execute " + account.Printable(path) + ": " + err.Error())
		}
	}
	return status
}

// takeConsole opens the console anew and makes it the controlling terminal of this process,
// which leads a fresh session. Where /dev/console is not to be had, what init had serves.
func takeConsole() error {
	fd, err := unix.Open(consolePath, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = 0
	}
	if !session.IsTerminal(fd) {
		return errors.New("it is not a terminal")
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCSCTTY, 0); err != nil {
		return os.NewSyscallError("TIOCSCTTY", err)
	}
	for std := range 3 {
		if fd == std {
			continue
		}
		if err := unix.Dup3(fd, std, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	if fd > 2 {
		unix.Close(fd)
	}
	return sane()
}

// sane puts the terminal back to what a person expects, whatever the last shell's programs
// did to it. Its size stays.
func sane() error {
	t, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("TCGETS", err)
	}
	t.Iflag = unix.ICRNL | unix.IXON | unix.BRKINT | unix.IMAXBEL | t.Iflag&unix.IUTF8
	t.Oflag = unix.OPOST | unix.ONLCR
	t.Lflag = unix.ISIG | unix.ICANON | unix.IEXTEN | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE
	t.Cflag = t.Cflag&unix.CBAUD | unix.CS8 | unix.CREAD | unix.HUPCL
	for i, c := range map[int]byte{
		unix.VINTR: 3, unix.VQUIT: 28, unix.VERASE: 127, unix.VKILL: 21, unix.VEOF: 4,
		unix.VSTART: 17, unix.VSTOP: 19, unix.VSUSP: 26, unix.VREPRINT: 18,
		unix.VDISCARD: 15, unix.VWERASE: 23, unix.VLNEXT: 22,
		unix.VEOL: 0, unix.VEOL2: 0, unix.VMIN: 1, unix.VTIME: 0,
	} {
		t.Cc[i] = c
	}
	return os.NewSyscallError("TCSETS", unix.IoctlSetTermios(0, unix.TCSETS, t))
}

func complain(message string) int {
	os.Stderr.WriteString("init: " + message + "\n")
	return 1
}
