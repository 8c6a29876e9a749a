package server

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hasty is for tests in which clients are late. What must not be late has testenv's deadlines.
var hasty = patience{request: 300 * time.Millisecond, reply: 300 * time.Millisecond, word: 100 * time.Millisecond, accept: time.Millisecond}

// rig is a server with clients that say what they like.
type rig struct {
	t    testing.TB
	dir  string
	repo *repo.Repo
	s    *Server
	// logged are lines of the log.
	logged chan string
}

func newRig(t testing.TB, p patience, q quota) *rig {
	t.Helper()
	// Other users pass through: the tests' own directory is root's.
	dir, err := os.MkdirTemp("/tmp", "door")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	r := &rig{t: t, dir: dir, logged: make(chan string, 100)}
	r.repo, err = repo.Open(repo.Config{Path: dir + "/repository.db", VolatilePath: dir + "/volatile.db", BootID: "this boot"})
	must(t, err)
	t.Cleanup(func() { must(t, r.repo.Close()) })
	l, err := Listen(dir + "/door")
	must(t, err)
	defer l.Close()
	r.s, err = start(Config{
		Repo: r.repo, Listener: l, Log: func(line string) { r.logged <- line },
		Authorizations: func(uid uint32) (auth.Set, error) { return auth.Of("*"), errors.New("damaged") },
	}, p, q)
	must(t, err)
	t.Cleanup(func() { must(t, r.s.Close()) })
	return r
}

// raw is a client without manners.
type raw struct {
	t      testing.TB
	f      *os.File
	frames door.Frames
}

// dial connects, and hears the greeting when there is one.
func (r *rig) dial() (*raw, door.Answer) {
	r.t.Helper()
	c, err := r.connect()
	must(r.t, err)
	return c, c.answer()
}

func (r *rig) connect() (*raw, error) {
	dir, err := sys.OpenDir(r.dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := sys.DialUnix(dir, "door")
	for until := time.Now().Add(testenv.Deadline(20 * time.Second)); errors.Is(err, unix.EAGAIN) && time.Now().Before(until); {
		runtime.Gosched() // the queue is full
		fd, err = sys.DialUnix(dir, "door")
	}
	if err == nil {
		err = unix.SetNonblock(fd.Int(), true)
	}
	if err != nil {
		return nil, err
	}
	c := &raw{t: r.t, f: os.NewFile(uintptr(fd.Disown()), "raw")}
	c.frames.R = c
	r.t.Cleanup(func() { c.f.Close() })
	return c, nil
}

// Read goes on after a reset, when there is something.
func (c *raw) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	if err != nil && os.IsTimeout(err) {
		c.t.Fatal("nothing was said")
	}
	if pe, ok := err.(*os.PathError); ok && pe.Err == unix.ECONNRESET {
		return c.f.Read(p)
	}
	return n, err
}

// answer waits for one; the zero Answer is the end.
func (c *raw) answer() door.Answer {
	c.t.Helper()
	must(c.t, c.f.SetReadDeadline(time.Now().Add(testenv.Deadline(20*time.Second))))
	p, err := c.frames.Next(door.AnswerBytesMax)
	if err != nil {
		return door.Answer{}
	}
	a, err := door.ParseAnswer(p)
	must(c.t, err)
	return a
}

// send writes as it is; what cannot be written any more is not.
func (c *raw) send(b []byte) { _, _ = c.f.Write(b) }

func (c *raw) request(r *door.Request) { c.send(wire.Append(nil, r.Append(nil))) }

// ask must be answered.
func (c *raw) ask(r *door.Request) door.Answer {
	c.t.Helper()
	c.request(r)
	return c.answer()
}

var ping = &door.Request{Verb: door.VerbGeneration}

// served checks that others get their answers.
func (r *rig) served() {
	r.t.Helper()
	c, hello := r.dial()
	if hello.Status != door.Hello {
		r.t.Fatalf("greeted with status %d", hello.Status)
	}
	if a := c.ask(ping); a.Status != door.Done {
		r.t.Fatalf("status %d", a.Status)
	}
	c.f.Close()
}

func (r *rig) apply(fill func(*repo.Batch)) {
	r.t.Helper()
	var b repo.Batch
	fill(&b)
	_, err := r.repo.Apply(&b)
	must(r.t, err)
}

// as connects as another user.
func (r *rig) as(uid uint32) (c *raw, a door.Answer) {
	r.t.Helper()
	testenv.NeedRoot(r.t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // a thread that cannot be root again ends with its goroutine
		err := setUID(uid)
		if err == nil {
			c, err = r.connect()
			if back := setUID(0); back == nil {
				runtime.UnlockOSThread()
			} else {
				err = errors.Join(err, back)
			}
		}
		done <- err
	}()
	must(r.t, <-done)
	return c, c.answer()
}

// setUID changes the calling thread's effective user, and no other thread's.
func setUID(uid uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
	if errno != 0 {
		return errno
	}
	return nil
}
