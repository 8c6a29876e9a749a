package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// What is no file of ours under the name of a piece holds no reader up, and is not followed.
func TestReaderOfWhatIsNoPiece(t *testing.T) {
	for name, build := range map[string]func(dir string) error{
		"a pipe": func(dir string) error { return unix.Mkfifo(Name(dir, "web"), 0o600) },
		"a link to a pipe": func(dir string) error {
			return errors.Join(unix.Mkfifo(filepath.Join(dir, "p"), 0o600), os.Symlink("p", Name(dir, "web")))
		},
		"a link to a file": func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "f"), []byte("of the host"), 0o600), os.Symlink("f", Name(dir, "web")))
		},
		"a directory": func(dir string) error { return os.Mkdir(Name(dir, "web"), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := build(dir); err != nil {
				t.Fatal(err)
			}
			ended := beside(func() string {
				r, err := OpenReader(dir, "web")
				if err != nil {
					return "refused: " + err.Error()
				}
				defer r.Close()
				b, err := io.ReadAll(r)
				return fmt.Sprintf("read %q, %v", b, err)
			})
			select {
			case got := <-ended:
				if !strings.HasPrefix(got, "refused: ") || !strings.Contains(got, ".console") {
					t.Error(got)
				}
			case <-time.After(testenv.Deadline(30 * time.Second)):
				t.Error("it waits")
				_ = os.WriteFile(Name(dir, "web"), nil, 0o600) // lets the reader go
				<-ended
			}
		})
	}
}

// beside runs f beside the test.
func beside(f func() string) <-chan string {
	ch := make(chan string, 1)
	go func() { ch <- f() }()
	return ch
}
