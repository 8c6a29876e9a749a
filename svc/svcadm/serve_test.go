package svcadm

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/svcadm/actions"
)

// served is a rig whose repository stands behind a door.
type served struct {
	*rig
	path   string
	repo   *repo.Repo
	server *server.Server
	// listener is kept for the next server.
	listener *sys.FD
	users    map[uint32]auth.Set
}

func serve(t testing.TB) *served {
	t.Helper()
	// Other users pass through: the tests' own directory is root's.
	dir, err := os.MkdirTemp("/tmp", "svcadm")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	s := &served{rig: newRig(t), path: dir + "/door", users: map[uint32]auth.Set{}}
	s.repo, err = repo.Open(repo.Config{Path: dir + "/repository.db", VolatilePath: dir + "/volatile.db", BootID: "this boot"})
	must(t, err)
	t.Cleanup(func() { must(t, s.repo.Close()) })
	l, err := server.Listen(s.path)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s.start(l)
	t.Cleanup(func() { must(t, s.server.Close()) })
	s.store = s.client()
	s.env.Open = func() (door.Store, error) { return s.client(), nil }
	s.listener = l
	return s
}

// restart has another server take over, as svc.startd's successor does.
func (s *served) restart() {
	s.t.Helper()
	must(s.t, s.server.Close())
	s.start(s.listener)
}

func (s *served) start(l *sys.FD) {
	s.t.Helper()
	var err error
	s.server, err = server.New(server.Config{Repo: s.repo, Listener: l, Authorizations: func(uid uint32) (auth.Set, error) { return s.users[uid], nil }})
	must(s.t, err)
}

func (s *served) client() *client.Client {
	c := client.New(client.Config{Path: s.path, Patience: testenv.Deadline(20 * time.Second)})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// as runs svcadm as another user, and connects as that one: the kernel knows each thread's.
func (s *served) as(uid uint32, line string) (out, errs string, code int) {
	s.t.Helper()
	testenv.NeedRoot(s.t)
	c := s.client()
	done := make(chan error)
	go func() {
		// A thread that cannot be root again must not come back: it ends with its goroutine.
		runtime.LockOSThread()
		err := setUID(uid)
		if err == nil {
			_, err = c.Generation()
			if back := setUID(0); back == nil {
				runtime.UnlockOSThread()
			} else {
				err = errors.Join(err, back)
			}
		}
		done <- err
	}()
	must(s.t, <-done)
	s.env.Open = func() (door.Store, error) { return c, nil }
	return s.run(line)
}

// setUID changes the calling thread's effective user, and no other thread's.
func setUID(uid uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
	if errno != 0 {
		return errno
	}
	return nil
}

// player plays svc.startd: it does what it is asked as soon as it is told.
type player struct {
	t     testing.TB
	store door.Store
	group sync.WaitGroup
	stop  context.CancelFunc

	mu   sync.Mutex
	done map[repo.Entity][]actions.Request // all that it did, in that order
}

// play starts a player on a store of its own.
func play(t testing.TB, s door.Store) *player {
	ctx, cancel := context.WithCancel(context.Background())
	p := &player{t: t, store: s, stop: cancel, done: map[repo.Entity][]actions.Request{}}
	p.group.Go(func() {
		for ctx.Err() == nil {
			p.watch(ctx)
		}
	})
	t.Cleanup(p.end)
	return p
}

func (p *player) end() {
	p.stop()
	p.group.Wait()
}

// watch acts until the watch ends.
func (p *player) watch(ctx context.Context) {
	w, err := p.store.Watch(repo.Filter{Groups: []string{actions.Group, "general", "general_ovr"}})
	if err != nil {
		return
	}
	defer w.Close()
	for {
		result, err := p.store.Scan(door.Query{Levels: door.Instances, View: door.Direct, Groups: []string{actions.Group, "general", "general_ovr", "restarter"}})
		if err == nil {
			for i := range result.Entries {
				p.act(&result.Entries[i])
			}
		}
		if _, err := w.Next(ctx); err != nil {
			return
		}
	}
}

// act does what is asked of an instance, and has it in the state that it should be in.
func (p *player) act(e *door.Entry) {
	enabled, state := false, "uninitialized"
	for _, name := range []string{"general", "general_ovr"} {
		if g := group(e.Groups, name); g != nil && g.Prop("enabled") != nil {
			enabled = g.Prop("enabled").Values[0] == "true"
		}
	}
	if g := group(e.Groups, "restarter"); g != nil {
		state = g.Prop("state").Values[0]
	}
	was := state
	g, err := p.store.Group(e.On, door.Direct, actions.Group)
	if err == nil {
		asked := actions.Of(&g.Group)
		for _, r := range asked.Requests {
			state = p.request(e.On, r, state)
		}
		defer p.took(e.On, asked.Requests)
	}
	switch {
	case state == "maintenance":
	case enabled:
		state = "online"
	default:
		state = "disabled"
	}
	if state != was {
		p.write(e.On, was, state)
		p.write(e.On, state, "none")
	}
}

func (p *player) request(on repo.Entity, r actions.Request, state string) string {
	p.mu.Lock()
	p.done[on] = append(p.done[on], r)
	p.mu.Unlock()
	switch r.Name {
	case actions.MaintOn:
		return "maintenance"
	case actions.MaintOff:
		return "uninitialized"
	}
	return state
}

func (p *player) write(on repo.Entity, state, next string) {
	var b repo.Batch
	b.PutGroup(on, volatile("restarter", str("state", state), str("next_state", next)))
	_, _ = p.store.Apply(&b) // the instance may be gone, or the server: then it is looked at again
}

// took deletes what was done, and nothing else.
func (p *player) took(on repo.Entity, taken []actions.Request) {
	for {
		g, err := p.store.Group(on, door.Direct, actions.Group)
		var b repo.Batch
		if err != nil || !actions.Took(&b, on, &g.Group, g.Generation, taken) {
			return
		}
		if _, err := p.store.Apply(&b); !errors.Is(err, repo.ErrStale) {
			return
		}
	}
}
