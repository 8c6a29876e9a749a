package restarter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/svclog"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a repository, and processes in contracts that are sessions: real processes, without a
// zone around them.
type world struct {
	t    *testing.T
	dir  string
	repo *repo.Repo

	mu        sync.Mutex
	last      contract.ID
	evID      contract.EventID
	cts       map[contract.ID]*session
	unread    []contract.Event // not acknowledged
	fail      error            // of the next starts
	milestone string           // of the boot
	debug     bool             // -m debug
	launcher  Launcher         // itself, unless a test has another
	contracts Contracts        // the same
	look      func(*Start)     // at each method, before it is started
	said      []string
	down      chan struct{} // closed: the zone goes down
	notify    Notify
	records   Records
	outbox    Outbox

	stop context.CancelFunc
	done chan error
}

// session is a contract.
type session struct {
	terms contract.Terms
	sid   int
	began uint64
	empty bool
	gone  bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: dir + "/repository.db", VolatilePath: dir + "/volatile.db"})
	must(t, err)
	w := &world{t: t, dir: dir, repo: r, cts: map[contract.ID]*session{}, down: make(chan struct{})}
	w.launcher, w.contracts = w, w
	t.Cleanup(func() {
		w.die()
		for id := range w.cts {
			_ = w.Kill(id, int(unix.SIGKILL))
		}
		testenv.Eventually(t, func() bool { return !slices.ContainsFunc(w.all(), w.populated) }, "the processes to end")
		for _, s := range w.cts { // those of a dead restarter are ours, and no other world's
			_, _ = unix.Wait4(s.sid, nil, unix.WNOHANG, nil)
		}
		must(t, r.Close())
	})
	return w
}

func (w *world) all() (ids []contract.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.cts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// service is what a test imports.
func service(name, duration, start string, more string) string {
	return fmt.Sprintf(`<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='%[1]s'><service name='%[1]s' type='service' version='1'>
<create_default_instance enabled='true'/>%[4]s
<exec_method type='method' name='start' exec='%[3]s' timeout_seconds='30'/>
<exec_method type='method' name='stop' exec=':kill' timeout_seconds='30'/>
<property_group name='startd' type='framework'><propval name='duration' type='astring' value='%[2]s'/></property_group>
</service></service_bundle>`, name, duration, start, more)
}

func needs(fmri, restartOn string) string {
	return "<dependency name='d' grouping='require_all' restart_on='" + restartOn + "' type='service'><service_fmri value='" + fmri + "'/></dependency>"
}

func (w *world) add(text string) {
	w.t.Helper()
	b, err := manifest.Parse("m.xml", []byte(text), manifest.Options{})
	must(w.t, err)
	_, err = importer.Import(importer.Local(w.repo), b, nil)
	must(w.t, err)
}

// run starts a restarter.
func (w *world) run() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.done = stop, make(chan error, 1)
	say := func(text string) { w.mu.Lock(); w.said = append(w.said, text); w.mu.Unlock() }
	go func() {
		w.done <- Run(ctx, Config{
			Repo: w.repo, Contracts: w.contracts, Launcher: w.launcher, Logs: svclog.Logs{Dir: w.dir + "/log"}, Host: method.Zone, Zone: "z", Milestone: w.milestone, Debug: w.debug,
			Down: w.down, Notify: w.notify, Records: w.records, Outbox: w.outbox, Say: say, Alert: say,
			Console: func(instance.Notice, string) {},
		})
	}()
}

// die ends the restarter as SIGKILL would: nothing is ended with it.
func (w *world) die() {
	if w.stop == nil {
		return
	}
	w.stop()
	if err := <-w.done; err != nil {
		w.t.Errorf("the restarter: %v", err)
	}
	w.stop = nil
}

func entity(name string) repo.Entity { return repo.Entity{Service: name, Instance: "default"} }

func (w *world) record(name string) (rec record.Record) {
	_ = w.repo.View(func(v *repo.Reader) error {
		if g, _, err := v.Group(entity(name), record.Group); err == nil {
			rec = record.Of(&g)
		}
		return nil
	})
	return rec
}

func (w *world) state(name string, want graph.State) {
	w.t.Helper()
	for end := time.Now().Add(testenv.Deadline(time.Minute)); ; {
		rec := w.record(name)
		if rec.State == want && rec.Next == graph.None {
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(w.dir, "log", svclog.Name(entity(name))))
			w.mu.Lock()
			defer w.mu.Unlock()
			w.t.Fatalf("%s is %+v, want %v\n%s\n%q", name, rec, want, log, w.said)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ask makes a request, as svcadm does: again when the group was written meanwhile.
func (w *world) ask(name string, what ...string) {
	w.t.Helper()
	for {
		var b repo.Batch
		err := w.repo.View(func(v *repo.Reader) error {
			g, at, err := v.Group(entity(name), actions.Group)
			switch {
			case err == nil:
				actions.Ask(&b, entity(name), &g, at, time.Now().UnixNano(), actions.Asked{}, what...)
			case errors.Is(err, repo.ErrNotFound):
				actions.Ask(&b, entity(name), nil, 0, time.Now().UnixNano(), actions.Asked{}, what...)
			default:
				return err
			}
			return nil
		})
		must(w.t, err)
		if _, err = w.repo.Apply(&b); !errors.Is(err, repo.ErrStale) {
			must(w.t, err)
			return
		}
	}
}

// touch makes a file.
func (w *world) touch(name string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.dir, name), nil, 0o644))
}

// starts is how often a service that writes it down was started.
func (w *world) starts(name string) int {
	b, _ := os.ReadFile(filepath.Join(w.dir, name))
	return strings.Count(string(b), "\n")
}

// writes is a start method that writes itself down, and then does something.
func (w *world) writes(name, then string) string {
	return "/bin/sh -c &quot;echo start &gt;&gt;" + filepath.Join(w.dir, name) + "; " + then + "&quot;"
}

// Start is Launcher's.
func (w *world) Start(s *Start) (Begun, instance.Failure, error) {
	w.mu.Lock()
	fail := w.fail
	w.mu.Unlock()
	if fail != nil {
		return Begun{}, instance.NotNow, fail
	}
	if w.look != nil {
		w.look(s)
	}
	pidfd := -1
	env, err := s.Context.Env(s.Run)
	if err != nil {
		return Begun{}, instance.Invalid, err
	}
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exec " + s.Command}, &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err != nil {
		return Begun{}, instance.NotPossible, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	began, _ := sys.StartTime(pid)
	w.cts[w.last] = &session{terms: s.Terms, sid: pid, began: began}
	if old := w.cts[s.Terms.Transfer]; old != nil {
		old.gone = true // taken over
	}
	return Begun{Pid: pid, Pidfd: pidfd, Contract: w.last}, 0, nil
}

// members are the processes of a session that have not ended. One that was just born by one that has
// just ended is missing from a list that was begun before: no list is believed that has nobody.
func (w *world) members(id contract.ID) []int32 {
	w.mu.Lock()
	s := w.cts[id]
	w.mu.Unlock()
	if s == nil {
		return nil
	}
	if list := s.members(); len(list) > 0 {
		return list
	}
	return s.members()
}

func (s *session) members() []int32 { return sessions()[s.sid] }

// sessions are the processes of each session that have not ended.
func sessions() map[int][]int32 {
	list := map[int][]int32{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat")
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 3 && f[0] != "Z" && f[0] != "X" {
			if sid, err := strconv.Atoi(f[3]); err == nil {
				list[sid] = append(list[sid], int32(pid))
			}
		}
	}
	return list
}

func (w *world) populated(id contract.ID) bool { return len(w.members(id)) > 0 }

func (w *world) Adopt() (list []contract.Status, err error) {
	for _, id := range w.all() {
		if s := w.cts[id]; !s.gone {
			list = append(list, contract.Status{
				ID: id, State: contract.Owned, Terms: s.terms, Members: w.members(id), Initial: contract.Initial{Pid: int32(s.sid), Start: s.began}, Born: time.Now(),
			})
		}
	}
	return list, nil
}

// Events tells what was not acknowledged, and then when contracts become empty.
func (w *world) Events(ctx context.Context, to func([]contract.Event)) error {
	w.mu.Lock()
	old := slices.Clone(w.unread)
	w.mu.Unlock()
	if len(old) > 0 {
		to(old)
	}
	for {
		there := sessions()
		for _, id := range w.all() {
			w.mu.Lock()
			s := w.cts[id]
			known := s.empty || there[s.sid] != nil
			w.mu.Unlock()
			if known {
				continue
			}
			populated := w.populated(id)
			w.mu.Lock()
			tell := !populated && !s.empty && s.terms.Critical&contract.Empty != 0
			s.empty = s.empty || !populated
			var e contract.Event
			if tell {
				w.evID++
				e = contract.Event{CT: id, ID: w.evID, Kind: contract.Empty, Critical: true}
				w.unread = append(w.unread, e)
			}
			w.mu.Unlock()
			if tell {
				to([]contract.Event{e})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (w *world) Ack(id contract.ID, ev contract.EventID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unread = slices.DeleteFunc(w.unread, func(e contract.Event) bool { return e.ID == ev })
	return nil
}

func (w *world) Abandon(id contract.ID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.cts[id]; s == nil || s.gone {
		return unix.ESRCH
	}
	w.cts[id].gone = true
	return nil
}

func (w *world) Empty(id contract.ID) (bool, error) {
	w.mu.Lock()
	s := w.cts[id]
	w.mu.Unlock()
	if s == nil || s.gone {
		return true, unix.ENOENT
	}
	return !w.populated(id), nil
}

func (w *world) Kill(id contract.ID, sig int) error {
	for _, pid := range w.members(id) {
		_ = unix.Kill(int(pid), unix.Signal(sig))
	}
	return nil
}

// holds waits until so many contracts are held: one is let go after the repository was told.
func (w *world) holds(n int) {
	w.t.Helper()
	testenv.Eventually(w.t, func() bool { return w.held() == n }, fmt.Sprint(n, " contracts to be held"))
}

// began waits until a service has written down that it was started so often: of a child it is known
// that it was before it has.
func (w *world) began(name string, n int) {
	w.t.Helper()
	testenv.Eventually(w.t, func() bool { return w.starts(name) == n }, fmt.Sprintf("%s to be started %d times", name, n))
}

// held are the contracts that nobody has abandoned.
func (w *world) held() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.cts {
		if !s.gone {
			n++
		}
	}
	return n
}
