package enter

import (
	"os"
	"strings"
	"syscall"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/handover"
	"github.com/linuxzones/zones/svc/session"
)

// Exit statuses of our own, beside the command's.
const (
	exitRefused = 1
	exitUsage   = 2
)

// Main becomes the user's shell or command; it returns an exit status when it cannot.
func Main(args []string) int {
	if fd, held := os.LookupEnv(heldVariable); held {
		awaitWord(fd)
	}
	c, err := parse(args[1:])
	if err != nil {
		say(err.Error())
		return exitUsage
	}
	if err := handover.CloseInherited(3); err != nil {
		say("cannot close descriptors: " + err.Error())
		return exitRefused
	}
	u, err := account.Zone.Lookup(c.user)
	if err != nil {
		say(err.Error())
		return exitRefused
	}
	if reason, refused := session.Refused(u); refused {
		os.Stderr.WriteString(reason)
		return exitRefused
	}
	if !begin(u, c) {
		return exitRefused
	}
	return become(u, c)
}

// begin changes everything that needs root, then the user. It says what goes wrong.
func begin(u *account.User, c call) bool {
	syscall.Umask(session.Umask)
	if c.mode == login && session.IsTerminal(0) {
		if err := session.OwnTerminal(0, u, account.Zone); err != nil {
			say("cannot give the terminal to '" + u.Name + "': " + err.Error())
		}
	}
	if err := session.Become(u); err != nil {
		say("cannot become '" + u.Name + "': " + err.Error())
		return false
	}
	if err := session.EnterHome(u); err != nil && c.mode != command {
		say("no directory " + account.Printable(u.Home) + ", logging in with HOME=/")
		u.Home = "/"
	}
	return true
}

func become(u *account.User, c call) int {
	env := append(session.Environment(u, c.term), session.Locale(os.Environ())...)
	if c.mode == command {
		err := session.Exec(c.words, env, session.Path(u.UID))
		say(account.Printable(c.words[0]) + ": " + reason(err))
		return session.ExitStatus(err)
	}
	path := session.Shell(u)
	argv := []string{session.LoginName(path)}
	if c.mode == shell {
		argv = append(argv, "-c", strings.Join(c.words, " "))
	} else if session.IsTerminal(0) {
		session.Greet(os.Stdout, u)
	}
	err := handover.Exec(path, argv, env)
	say("cannot execute " + account.Printable(path) + ": " + reason(err))
	return exitRefused
}

// reason is err as a shell would say it.
func reason(err error) string {
	if session.ExitStatus(err) == session.ExitNotFound {
		return "not found"
	}
	return err.Error()
}

func say(message string) { os.Stderr.WriteString("zlogin: " + message + "\n") }
