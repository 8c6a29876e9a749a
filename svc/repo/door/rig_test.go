package door_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/tree"
)

var (
	web    = repo.Entity{Service: "network/web"}
	webOne = repo.Entity{Service: "network/web", Instance: "default"}
	webTwo = repo.Entity{Service: "network/web", Instance: "second"}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a directory that other users can pass through.
func place(t testing.TB) string {
	// The tests' own directory is root's.
	dir, err := os.MkdirTemp("/tmp", "door")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

func openRepo(dir string) (*repo.Repo, error) { return openRepos(dir, dir) }

func openRepos(dir, volatile string) (*repo.Repo, error) {
	return repo.Open(repo.Config{
		Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(volatile, "volatile.db"), BootID: "this boot",
	})
}

func repository(t testing.TB, dir string) *repo.Repo {
	t.Helper()
	r, err := openRepo(dir)
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

// served is a repository with a server.
type served struct {
	t      testing.TB
	dir    string
	path   string
	repo   *repo.Repo
	server *server.Server
	users  map[uint32]auth.Set
}

func doorOf(dir string) string { return filepath.Join(dir, "repository_door") }

func serve(t testing.TB) *served {
	t.Helper()
	dir := place(t)
	s := &served{t: t, dir: dir, path: doorOf(dir), repo: repository(t, dir), users: map[uint32]auth.Set{}}
	s.start(nil)
	t.Cleanup(func() { must(t, s.server.Close()) })
	return s
}

// start starts a server, on a listener of its own when none is given.
func (s *served) start(l *sys.FD) {
	s.t.Helper()
	if l == nil {
		var err error
		l, err = server.Listen(s.path)
		must(s.t, err)
		defer l.Close()
	}
	var err error
	s.server, err = server.New(server.Config{Repo: s.repo, Listener: l, Authorizations: func(uid uint32) (auth.Set, error) { return s.users[uid], nil }})
	must(s.t, err)
}

func (s *served) client() *client.Client {
	c := client.New(client.Config{Path: s.path, Patience: testenv.Deadline(20 * time.Second)})
	s.t.Cleanup(func() { must(s.t, c.Close()) })
	return c
}

// as is a client that has connected as another user.
func (s *served) as(uid uint32) *client.Client {
	s.t.Helper()
	c := s.client()
	s.by(uid, func() error { _, err := c.Generation(); return err })
	return c
}

// by calls f as another user: the kernel knows each thread's.
func (s *served) by(uid uint32, f func() error) {
	s.t.Helper()
	testenv.NeedRoot(s.t)
	done := make(chan error)
	go func() {
		// A thread that cannot be root again must not come back: it ends with its goroutine.
		runtime.LockOSThread()
		err := setUID(uid)
		if err == nil {
			err = f()
			if back := setUID(0); back == nil {
				runtime.UnlockOSThread()
			} else {
				err = errors.Join(err, back)
			}
		}
		done <- err
	}()
	must(s.t, <-done)
}

// setUID changes the calling thread's effective user, and no other thread's.
func setUID(uid uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
	if errno != 0 {
		return errno
	}
	return nil
}

func apply(t testing.TB, s door.Store, fill func(*repo.Batch)) uint64 {
	t.Helper()
	var b repo.Batch
	fill(&b)
	generation, err := s.Apply(&b)
	must(t, err)
	return generation
}

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

func group(name string, props ...tree.Property) *tree.Group {
	return &tree.Group{Name: name, Type: "application", Props: props}
}

func volatileGroup(name string, props ...tree.Property) *tree.Group {
	g := group(name, props...)
	g.Flags = tree.NonPersistent
	return g
}

// shortly is a context that ends when something has surely gone wrong.
func shortly(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(30*time.Second))
	t.Cleanup(cancel)
	return ctx
}
