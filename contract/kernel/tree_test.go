package kernel

import (
	"errors"
	"fmt"

	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestDirectories(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d, err := r.z.Make(7)
	check(t, err)
	var st unix.Stat_t
	check(t, unix.Stat(d.Path, &st))
	if d.CT != 7 || d.Path != r.root+"/ct/7" || d.Born != d.Path+"/d" || d.Cgroup != st.Ino || st.Uid != 0 {
		t.Errorf("%+v", d)
	}
	for _, id := range []contract.ID{7, initCT} {
		if _, err := r.z.Make(id); !errors.Is(err, ErrUsed) {
			t.Errorf("%d again: %v", id, err)
		}
	}
	if _, err := r.z.Make(0); err == nil {
		t.Error("a contract without a number")
	}
	if got, ok := r.z.Dir(7); !ok || got != d {
		t.Errorf("%+v", got)
	}
	if _, ok := r.z.Dir(8); ok {
		t.Error("a contract that there is not")
	}
	cmd := born(t, d.Born, nil, "/bin/sleep", "1000")
	if err := r.z.Remove(7); !errors.Is(err, ErrBusy) {
		t.Errorf("with a member: %v", err)
	}
	if busy, err := r.z.Populated(7); !busy || err != nil {
		t.Errorf("%v, %v", busy, err)
	}
	if pids, more, err := r.z.Members(7, 10); !slices.Equal(pids, []int32{int32(cmd.Process.Pid)}) || more || err != nil {
		t.Errorf("%v, %v, %v", pids, more, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	testenv.Eventually(t, func() bool { return r.z.Remove(7) == nil }, "the contract to be removed")
	check(t, r.z.Remove(7))
	if exists(d.Path) || len(r.z.List()) != 1 {
		t.Errorf("%+v", r.z.List())
	}
	for _, err := range []error{
		second(r.z.Populated(7)), r.z.Watch(7, 0, 0), r.z.Delegate(7, 1, 1), r.z.Born(7, procOf(t, os.Getpid())),
	} {
		if !errors.Is(err, ErrNone) {
			t.Errorf("of a contract that is gone: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// What a zone makes in a directory that was delegated to it is counted, killed and removed.
func TestDelegated(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d := r.make(7, 0)
	check(t, r.z.Delegate(7, zoneUID, zoneUID))
	cred := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: zoneUID, Gid: zoneUID}}
	deep := d.Born + strings.Repeat("/x", 20)
	check(t, cgroup2.Make(deep))
	var cmds []int
	for _, dir := range []string{d.Born, d.Born + "/x", deep, deep} {
		cmds = append(cmds, born(t, dir, cred, "/bin/sleep", "1000").Process.Pid)
	}
	pids, more, err := r.z.Members(7, 10)
	check(t, err)
	if len(pids) != len(cmds) || more {
		t.Errorf("%v of %v", pids, cmds)
	}
	if pids, more, err := r.z.Members(7, 3); len(pids) != 3 || !more || err != nil {
		t.Errorf("%v, %v, %v", pids, more, err)
	}
	for _, pid := range cmds {
		if path, err := cgroupOf(int32(pid)); err != nil || r.z.tree.contractOf(path) != 7 {
			t.Errorf("%d in %s is none of the contract: %v", pid, path, err)
		}
	}
	k := killOf(7)
	r.z.Kill(k)
	r.awaitKilled(k)
	check(t, r.z.Remove(7))
}

// What a zone may make below its contract is bounded, and with it the time to look through it.
func TestDescendants(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	check(t, r.z.Watch(initCT, 0, 0)) // delegated before it was watched
	d := r.make(7, 0)
	check(t, r.z.Delegate(7, zoneUID, zoneUID))
	for _, dir := range []string{d.Path, r.root + "/ct/1"} {
		b, err := os.ReadFile(dir + "/cgroup.max.descendants")
		check(t, err)
		if strings.TrimSpace(string(b)) != fmt.Sprint(descendantsMax) {
			t.Errorf("%s may have %q descendants", dir, b)
		}
	}
	n := 0
	for ; n <= descendantsMax; n++ {
		if err := os.Mkdir(fmt.Sprintf("%s/%d", d.Born, n), 0o755); err != nil {
			break
		}
	}
	if n >= descendantsMax {
		t.Errorf("%d directories were made", n)
	}
	began := time.Now()
	cmd := born(t, d.Born, nil, "/bin/sleep", "1000")
	pids, more, err := r.z.Members(7, 10)
	check(t, err)
	if !slices.Equal(pids, []int32{int32(cmd.Process.Pid)}) || !more {
		t.Errorf("%v, %v", pids, more)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	t.Logf("%d directories were looked through in %v", n, time.Since(began))
	testenv.Eventually(t, func() bool { return r.z.Remove(7) == nil }, "the contract to be removed")
}

// A login's directory is a contract's until it is forgotten, and stays.
func TestTake(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	login := r.root + "/admin/l3"
	check(t, cgroup2.Make(login))
	check(t, cgroup2.Make(r.root+"/admin/l4"))
	for _, path := range []string{r.root, r.root + "/ct", r.root + "/ct/1", r.root + "/../admin", r.root + "/admin/../ct/1", "/tmp", r.root + "/admin/", "/"} {
		if _, err := r.z.Take(9, path); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := r.z.Take(9, r.root+"/admin/none"); err == nil {
		t.Error("a login that there is not")
	}
	d, err := r.z.Take(9, login)
	check(t, err)
	if d.Path != login || d.Born != login {
		t.Errorf("%+v", d)
	}
	if _, err := r.z.Take(9, r.root+"/admin/l4"); !errors.Is(err, ErrUsed) {
		t.Errorf("again: %v", err)
	}
	if _, err := r.z.Take(10, login); !errors.Is(err, ErrUsed) {
		t.Errorf("by another: %v", err)
	}
	check(t, r.z.Watch(9, contract.AllEvents, 0))
	cmd := born(t, login, nil, "/bin/sleep", "1000")
	if path, err := cgroupOf(int32(cmd.Process.Pid)); err != nil || r.z.tree.contractOf(path) != 9 {
		t.Errorf("the login's process is in %s: %v", path, err)
	}
	r.settled()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r.awaitEmpty(9)
	check(t, r.z.Remove(9))
	if !exists(login) {
		t.Error("the login's directory is gone")
	}
	if _, err := r.z.Take(9, login); err != nil {
		t.Errorf("after it was forgotten: %v", err)
	}
}

// A supervisor that died between two steps of making a contract is followed by one that
// finishes it; what is no contract is left alone.
func TestLoad(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	check(t, r.z.Close())
	for _, name := range []string{"3", "4/d", "05", "0", "x", "4294967296", "-1", "+6"} {
		check(t, cgroup2.Make(filepath.Join(r.root, "ct", name)))
	}
	r.open(Config{Off: SourceBPF | SourceConnector})
	var ids []contract.ID
	for _, d := range r.z.List() {
		ids = append(ids, d.CT)
		if !exists(d.Born) {
			t.Errorf("%+v is not whole", d)
		}
	}
	if !slices.Equal(ids, []contract.ID{1, 3, 4}) {
		t.Errorf("%v", ids)
	}
	for _, root := range []string{"/tmp", r.root + "/", r.root + "/none", strings.TrimPrefix(r.root, "/"), r.z.tree.mount, r.root + "/../x"} {
		if z, err := Open(Config{Root: root}); err == nil {
			t.Errorf("%s was opened", root)
			_ = z.Close()
		}
	}
}

func TestContractOf(t *testing.T) {
	tr := &tree{rel: "/zones/web.1", places: map[contract.ID]*place{5: {above: "ct"}, 7: {above: "p100"}}, logins: map[string]contract.ID{"admin/l1": 9}}
	for path, want := range map[string]contract.ID{
		"/zones/web.1/ct/5": 5, "/zones/web.1/ct/5/d": 5, "/zones/web.1/ct/5/d/x/ct/6": 5, "/zones/web.1/ct/6/d": 0,
		"/zones/web.1/ct/05": 0, "/zones/web.1/ct": 0, "/zones/web.1": 0, "/zones/web.1/admin/l1": 9, "/zones/web.1/admin/l1/x/y": 9,
		"/zones/web.1/admin/l2": 0, "/zones/web.10/ct/5": 0, "/": 0, "": 0, "/zones/web.1/admin/l1x": 0, "/zones/web.1/ct/5x": 0,
		"/x/zones/web.1/ct/5": 0, "/zones/web.1/p100/7": 7, "/zones/web.1/p100/7/d": 7, "/zones/web.1/p100/7/d/ct/5": 7,
		"/zones/web.1/ct/7": 0, "/zones/web.1/p100/5": 0, "/zones/web.1/p101/7": 0, "/zones/web.1/p0100/7": 0, "/zones/web.1/p100": 0,
	} {
		if got := tr.contractOf(path); got != want {
			t.Errorf("%q is in %d, not %d", path, got, want)
		}
	}
}

// The limit on watches of the host is no limit on contracts.
func TestWithoutWatches(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector | SourcePidfd})
	r.z.empties.blind[5] = true
	d := r.make(5, contract.AllEvents)
	cmd := born(t, d.Born, nil, "/bin/sleep", "1000")
	testenv.Eventually(t, func() bool { r.pump(); return r.z.tree.places[5].watch.populated }, "the member to be seen")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r.awaitEmpty(5)
	check(t, r.z.Remove(5))
	if len(r.z.empties.blind) != 0 {
		t.Error("it is looked at for ever")
	}
}

// Nor is the limit on inotify instances, of which a hundred zones have none left: files are polled.
func TestWithoutInotify(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector | SourcePidfd})
	check(t, r.z.empties.fd.Close())
	for round := range 3 {
		id := contract.ID(5 + round)
		d := r.make(id, contract.AllEvents)
		p := r.z.tree.places[id]
		if !p.watch.file.Valid() || r.z.empties.blind[id] {
			t.Fatal("its file is not polled")
		}
		cmd := born(t, d.Born, nil, "/bin/sleep", "1000")
		testenv.Eventually(t, func() bool { r.pump(); return p.watch.populated }, "the member to be seen")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r.awaitEmpty(id)
		check(t, r.z.Remove(id))
		if len(r.z.empties.byFile) != 0 || p.watch.file.Valid() {
			t.Error("its file is left open")
		}
	}
	// Beyond the limit contracts are looked at.
	for n := range filesMax {
		r.z.empties.byFile[-1-n] = 1
	}
	r.make(20, contract.AllEvents)
	if !r.z.empties.blind[20] {
		t.Error("the limit on files is not kept")
	}
	clear(r.z.empties.byFile)
}

func BenchmarkContract(b *testing.B) {
	r := newRig(b, Config{Off: SourceBPF | SourceConnector})
	for i := 0; b.Loop(); i++ {
		id := contract.ID(10 + i)
		if _, err := r.z.Make(id); err != nil {
			b.Fatal(err)
		}
		check(b, r.z.Watch(id, contract.AllEvents, 0))
		check(b, r.z.Remove(id))
	}
}
