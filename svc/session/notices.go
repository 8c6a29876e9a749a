package session

import (
	"io"
	"os"
	"path"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/zonefile"
)

// noticeBytesMax bounds what a file of the zone may say before the shell starts.
const noticeBytesMax = 64 << 10

// The files that login(1) and pam_nologin(8) know.
var (
	nologinFiles = []string{"/run/nologin", "/etc/nologin"}
	motdFiles    = []string{"/run/motd.dynamic", "/etc/motd"}
)

// Refused says whether the zone lets only root in at the moment, and why in its own words.
func Refused(u *account.User) (reason string, refused bool) {
	if u.UID == 0 {
		return "", false
	}
	for _, file := range nologinFiles {
		text, err := zonefile.Read(file, noticeBytesMax)
		switch {
		case os.IsNotExist(err):
		case err != nil || len(text) == 0:
			return "logins are disabled in this zone (" + file + ")\n", true
		default:
			return string(text), true
		}
	}
	return "", false
}

// Greet prints the message of the day. It is called as the user, whose .hushlogin says that
// it is not wanted.
func Greet(w io.Writer, u *account.User) {
	if _, err := os.Lstat(path.Join(Home(u), ".hushlogin")); err == nil {
		return
	}
	for _, file := range motdFiles {
		if text, err := zonefile.Read(file, noticeBytesMax); err == nil {
			w.Write(text)
		}
	}
}
