package svccfg

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/svcprop"
)

// Users: root, one with an authorization, and one without any.
const (
	root     = 0
	operator = 2001
	nobody   = 2002
)

// atDoor serves a repository, and gives clients of a user.
func atDoor(t *testing.T) (as func(uid int) door.Store) {
	t.Helper()
	// The tests' own directory is root's.
	dir, err := os.MkdirTemp("/tmp", "svccfg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	if err = errors.Join(err, os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen(filepath.Join(dir, "door"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Repo: r, Listener: l, Authorizations: func(uid uint32) (auth.Set, error) {
		if uid == operator {
			return auth.Of("solaris.smf.modify", "solaris.smf.manage"), nil
		}
		return auth.Set{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		l.Close()
	})
	return func(uid int) door.Store {
		c := client.New(client.Config{Path: filepath.Join(dir, "door"), Patience: testenv.Deadline(20 * time.Second)})
		t.Cleanup(func() { _ = c.Close() })
		if err := by(uid, func() error { _, err := c.Generation(); return err }); err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// by calls f as another user: the kernel knows each thread's.
func by(uid int, f func() error) error {
	done := make(chan error)
	go func() {
		// A thread that cannot be root again must not come back: it ends with its goroutine.
		runtime.LockOSThread()
		err := setUID(uid)
		if err == nil {
			err = f()
			if back := setUID(root); back == nil {
				runtime.UnlockOSThread()
			} else {
				err = errors.Join(err, back)
			}
		}
		done <- err
	}()
	return <-done
}

// setUID changes the calling thread's effective user, and no other thread's.
func setUID(uid int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
		return errno
	}
	return nil
}

func prints(s door.Store, args ...string) string {
	var out bytes.Buffer
	env := &svcprop.Env{Out: &out, Err: &out, Open: func() (door.Store, error) { return kept{s}, nil }}
	svcprop.Main(context.Background(), env, args)
	return out.String()
}

// TestAtTheDoor: who may do what is the door's to say, and said in the original's words.
func TestAtTheDoor(t *testing.T) {
	testenv.NeedRoot(t)
	as := atDoor(t)
	admin, some, none := as(root), as(operator), as(nobody)
	_, errs, code := svccfg(admin, `add web
select web
add one
addpg config application
setprop config/port = count: 80
addpg secret application
setprop secret/key = astring: hush
setprop secret/read_authorization = astring: solaris.smf.read.secret
select one
refresh
`)
	if code != 0 || errs != "" {
		t.Fatalf("%d %s", code, errs)
	}
	for _, command := range []string{
		"add other", "-s web add two", "-s web setprop config/port = 81", "-s web delprop config/port", "-s web delpg config", "-s web addpg more application",
		"-s web addpropvalue config/port 81", "-s web delpropvalue config/port 80", "-s web setprop secret/key = x", "-s web addpropvalue secret/key x",
		"delete web", "-s web:one revert running",
	} {
		var o, e bytes.Buffer
		code := Main(&Env{Out: &o, Err: &e, Open: func() (door.Store, error) { return kept{none}, nil }}, strings.Fields(command))
		if code != 1 || e.String() != "svccfg: Permission denied.\n" || o.Len() > 0 {
			t.Errorf("%s: %d %s%s", command, code, &o, &e)
		}
	}
	if _, errs, code := svccfg(none, "select web:one\nrefresh\n"); code != 1 || errs != "svccfg (<stdin>, line 2): Could not refresh svc:/web:one (permission denied).\n" {
		t.Errorf("%d %s", code, errs)
	}
	if got := prints(none, "-p", "config/port", "web:one"); got != "80\n" {
		t.Error(got)
	}
	if got := prints(none, "-p", "secret/key", "web:one"); got != "svcprop: Permission denied.\n" {
		t.Error(got)
	}
	if got := prints(none, "-c", "web:one"); !strings.Contains(got, "secret/key astring \n") || strings.Contains(got, "hush") {
		t.Error(got)
	}
	if got := prints(admin, "-p", "secret/key", "web:one"); got != "hush\n" {
		t.Error(got)
	}
	out, errs, code := svccfg(admin, "export web\n")
	if code != 0 || errs != "" || strings.Contains(out, "hush") || !strings.Contains(out, "solaris.smf.read.secret") {
		t.Errorf("%d %s%s", code, errs, out)
	}
	out, errs, code = svccfg(none, "export web\n")
	if code != 0 || !strings.Contains(errs, "Warning: no permission to read property group svc:/web/:properties/secret:") || strings.Contains(out, "hush") || !strings.Contains(out, "value='80'") {
		t.Errorf("%d %s%s", code, errs, out)
	}
	if _, errs, code := svccfg(some, "select web\nsetprop config/port = 82\nselect one\nrefresh\n"); code != 0 || errs != "" {
		t.Errorf("%d %s", code, errs)
	}
	if got := prints(none, "-p", "config/port", "web:one"); got != "82\n" {
		t.Error(got)
	}
}

// TestWaitAtTheDoor: svcprop -w ends with the next change that svccfg makes.
func TestWaitAtTheDoor(t *testing.T) {
	testenv.NeedRoot(t)
	as := atDoor(t)
	admin := as(root)
	if _, errs, code := svccfg(admin, "add web\nselect web\nadd one\nselect one\naddpg config application\nsetprop config/port = count: 80\n"); code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	seen := make(chan string)
	begun := make(chan struct{})
	waiter := watching{as(nobody), begun}
	go func() { seen <- prints(waiter, "-w", "-p", "config/port", "web:one") }()
	<-begun
	if _, errs, code := svccfg(admin, "select web:one\nsetprop config/port = 81\n"); code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	if got := <-seen; got != "81\n" {
		t.Error(got)
	}
}

// watching says when a watch has begun, and what was there then was read.
type watching struct {
	door.Store
	begun chan struct{}
}

func (w watching) Watch(f repo.Filter) (door.Watch, error) {
	x, err := w.Store.Watch(f)
	return &watch{x, w.begun, false}, err
}

type watch struct {
	door.Watch
	begun chan struct{}
	told  bool
}

func (w *watch) Next(ctx context.Context) (repo.Event, error) {
	if !w.told {
		w.told = true
		close(w.begun)
	}
	return w.Watch.Next(ctx)
}
