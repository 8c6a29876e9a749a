package client

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/repo/door"
)

// relayPatience is how long a relay looks for a server: one that died is replaced in a moment.
const relayPatience = 5 * time.Second

// Relay passes bytes between a caller's streams and the door of the path: who is outside of the
// zone talks through it. It returns when the server has ended the connection, or the caller's
// input is at its end and all was answered; the goroutine that waits for more input then stays
// until the process ends. path "": door.DefaultPath.
func Relay(path string, in, out *os.File) error {
	if path == "" {
		path = door.DefaultPath
	}
	fd, err := relaySocket(path)
	if err != nil {
		return err
	}
	socket := relayEnd{fd.Int()}
	go func() {
		_, _ = io.Copy(socket, onlyReader{in})
		// Who is outside has no more to say. The answers that are due still come.
		_ = unix.Shutdown(socket.fd, unix.SHUT_WR)
	}()
	_, err = io.Copy(onlyWriter{out}, socket)
	return err
}

// onlyReader and onlyWriter keep io.Copy from splice(2) and its like between what these are.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

// relayEnd is the socket, which blocks.
type relayEnd struct{ fd int }

func (e relayEnd) Read(p []byte) (n int, err error) {
	err = sys.Retry(func() (err error) { n, err = unix.Read(e.fd, p); return })
	switch {
	case err == unix.ECONNRESET, err == nil && n == 0 && len(p) > 0:
		return 0, io.EOF
	case err != nil:
		return 0, err
	}
	return n, nil
}

func (e relayEnd) Write(p []byte) (n int, err error) {
	for n < len(p) {
		var more int
		err := sys.Retry(func() (err error) { more, err = unix.SendmsgN(e.fd, p[n:], nil, nil, unix.MSG_NOSIGNAL); return })
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}

// relaySocket connects, and tries again while there may be a server in a moment.
func relaySocket(path string) (*sys.FD, error) {
	began, pause := time.Now(), pauseFirst
	for {
		fd, err := dialSocket(path)
		left := relayPatience
		switch {
		case err == nil:
			return fd, unix.SetNonblock(fd.Int(), false)
		case errors.Is(err, fs.ErrNotExist):
			left = noDoorMax
			err = &noServer{path}
		case !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EAGAIN):
			return nil, err
		}
		if time.Since(began) > left {
			return nil, err
		}
		<-time.After(pause)
		pause = min(2*pause, pauseMax)
	}
}
