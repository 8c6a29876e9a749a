package contract

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// ServeWord is the first argument of the host's ctrun when it is to start the server of the
// host's contracts, and to return when they can be used.
const ServeWord = "--serve"

// servePlaces are where the host's ctrun is looked for, after the directory of this program.
// A program of root's does not look along a path that its caller has set.
var servePlaces = []string{"/usr/local/bin", "/usr/bin"}

// serveHost has ctrun start the server of the host's contracts.
func serveHost() error {
	if os.Geteuid() != 0 {
		return &sys.Error{Op: "look for contracts", What: "at " + ZonePath, Errno: ErrNoServer}
	}
	places := servePlaces
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Dir(self)}, places...)
	}
	for _, dir := range places {
		program := dir + "/ctrun"
		if unix.Access(program, unix.X_OK) == nil {
			return runServe(program)
		}
	}
	return &sys.Error{Op: "look for ctrun", What: "in " + strings.Join(places, ", "), Errno: ErrNoFS}
}

// serveWordsMax bounds what a failed start is quoted with.
const serveWordsMax = 512

func runServe(program string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := os.StartProcess(program, []string{"ctrun", ServeWord}, &os.ProcAttr{Dir: "/", Env: os.Environ(), Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		return err
	}
	words, _ := io.ReadAll(io.LimitReader(r, serveWordsMax))
	st, err := p.Wait()
	if err != nil {
		return err
	}
	if !st.Success() {
		return &serveError{strings.ReplaceAll(string(bytes.TrimSpace(words)), "\n", "; ")}
	}
	return nil
}

// serveError is ErrNoServer in the words of who tried to start it.
type serveError struct{ words string }

func (e *serveError) Error() string { return "start the server of the host's contracts: " + e.words }
func (e *serveError) Unwrap() error { return ErrNoServer }
