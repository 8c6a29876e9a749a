package session

import (
	"path"
	"strings"

	"github.com/linuxzones/zones/svc/account"
)

// The zone's own programs come first: beside them an image may have a halt that does not
// know zones.
const (
	pathRoot = "/lib/svc/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	pathUser = "/lib/svc/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
)

// Umask is what a session starts with.
const Umask = 0o022

// termBytesMax: the longest name in the terminfo database has 30.
const termBytesMax = 64

// Path is the PATH of a user.
func Path(uid uint32) string {
	if uid == 0 {
		return pathRoot
	}
	return pathUser
}

// Environment is what a session has, and all that it has.
func Environment(u *account.User, term string) []string {
	env := []string{
		"HOME=" + Home(u),
		"SHELL=" + Shell(u),
		"USER=" + u.Name,
		"LOGNAME=" + u.Name,
		"PATH=" + Path(u.UID),
		"MAIL=/var/mail/" + u.Name,
	}
	if ValidTerm(term) {
		env = append(env, "TERM="+term)
	}
	return env
}

// Locale picks from the platform's environment what says in which language and time zone a
// session speaks.
func Locale(environ []string) []string {
	var out []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if name == "LANG" || name == "LANGUAGE" || name == "TZ" || strings.HasPrefix(name, "LC_") {
			out = append(out, e)
		}
	}
	return out
}

// Home is never empty.
func Home(u *account.User) string {
	if u.Home == "" {
		return "/"
	}
	return u.Home
}

// Shell is the user's, /bin/sh where passwd(5) says nothing.
func Shell(u *account.User) string {
	if u.Shell == "" {
		return "/bin/sh"
	}
	return u.Shell
}

// LoginName is argv[0] of a login shell.
func LoginName(shell string) string { return "-" + path.Base(shell) }

// ValidTerm says whether term may become TERM. It comes from another machine's user, and
// programs put it into file names.
func ValidTerm(term string) bool {
	if term == "" || len(term) > termBytesMax || term[0] == '.' {
		return false
	}
	for i := range len(term) {
		c := term[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' && c != '+' {
			return false
		}
	}
	return true
}
