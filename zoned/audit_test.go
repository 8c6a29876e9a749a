package zoned

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/api"
)

// records reads audit files; each line must be one.
func records(t *testing.T, names ...string) (all []auditRecord) {
	t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var r auditRecord
			if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(line, "\n") {
				t.Fatalf("%s has a line that is no record: %q", name, line)
			}
			all = append(all, r)
		}
	}
	return all
}

func testAudit(t *testing.T, dir string) (a *audit, name string, failed *[]error) {
	t.Helper()
	failed = &[]error{}
	a = newAudit(layout.At(dir), "web", func(err error) { *failed = append(*failed, err) })
	t.Cleanup(func() { a.file.file.Close() })
	return a, a.file.name, failed
}

// TestAudit: each request has its records, with who asked and what came of it, and no secrets.
func TestAudit(t *testing.T) {
	a, name, failed := testAudit(t, t.TempDir())
	r := newRequest(api.Request{ID: "x", Verb: api.VerbLogin, Login: &api.Login{User: "u\x1b[2J", Args: []string{"password"}}}, sys.Peer{Pid: os.Getpid(), UID: 7})
	a.began(r)
	a.ended(r, -1, "running")
	own := newRequest(api.Request{Verb: api.VerbHalt}, zonePeer)
	own.origin = fromKernel
	a.began(own)
	a.refused(sys.Peer{Pid: 1 << 22, UID: 9}, "no")
	all := records(t, name)
	if len(all) != 4 || len(*failed) > 0 {
		t.Fatalf("%+v, %v", all, *failed)
	}
	if b, e := all[0], all[1]; b.Event != "begin" || b.UID != 7 || b.Comm == "" || b.User != `u\x1b[2J` || e.Event != "end" || *e.Rval != -1 || e.State != "running" {
		t.Errorf("%+v\n%+v", b, e)
	}
	if all[2].Origin != "zone" || all[3].Event != "refused" || all[3].Why != "no" || all[3].Comm != "" {
		t.Errorf("%+v", all[2:])
	}
	text, _ := os.ReadFile(name)
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 || strings.Contains(string(text), "password") {
		t.Errorf("mode %v, %v, or a secret: %s", st.Mode(), err, text)
	}
}

// TestAuditTakenAway: who puts the file aside by himself, or removes it, or its directory, has the
// next record in a new one.
func TestAuditTakenAway(t *testing.T) {
	dir := t.TempDir()
	a, name, failed := testAudit(t, dir)
	next := func(why string) {
		t.Helper()
		a.refused(sys.Peer{}, why)
		if all := records(t, name); len(all) != 1 || all[0].Why != why || len(*failed) > 0 {
			t.Fatalf("%+v, %v", all, *failed)
		}
	}
	next("first")
	for i, take := range []func() error{
		func() error { return os.Rename(name, name+".old") },
		func() error { return os.Remove(name) },
		func() error { return os.RemoveAll(filepath.Dir(name)) },
		func() error { return os.Rename(name, filepath.Join(dir, "elsewhere")) },
	} {
		if err := take(); err != nil {
			t.Fatal(err)
		}
		next(fmt.Sprint(i))
	}
}

// TestAuditIsBounded: it is put aside, and no record is torn or lost by that, whoever writes.
func TestAuditIsBounded(t *testing.T) {
	a, name, failed := testAudit(t, t.TempDir())
	a.file.bytesMax = 100 << 10
	why := strings.Repeat("x", 1000)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 35 {
				a.refused(sys.Peer{}, why)
			}
		})
	}
	group.Wait()
	if all := records(t, name+".1", name); len(all) != 140 || len(*failed) > 0 {
		t.Errorf("%d records, %v", len(all), *failed)
	}
	for range 300 {
		a.refused(sys.Peer{}, why)
	}
	for _, n := range []string{name, name + ".1"} {
		if st, err := os.Stat(n); err != nil || st.Size() > 102<<10 {
			t.Errorf("%s: %v, %v", n, st.Size(), err)
		}
	}
}

// TestAuditOnAFullDisk: what does not fit is told, and spoils no other record; a line that the
// machine has torn ends where it ends.
func TestAuditOnAFullDisk(t *testing.T) {
	testenv.NeedRoot(t)
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("full", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	a, name, failed := testAudit(t, dir)
	a.refused(sys.Peer{}, "first")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 52<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 0; len(*failed) == 0 && i < 20; i++ {
		a.refused(sys.Peer{}, strings.Repeat("x", 3000))
	}
	if len(*failed) == 0 {
		t.Fatal("the disk is not full")
	}
	whole := len(records(t, name))
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	a.refused(sys.Peer{}, "there is room")
	if all := records(t, name); len(all) != whole+1 || all[whole].Why != "there is room" {
		t.Errorf("%d records, %d were whole", len(all), whole)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"time":"half a li`)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	next := newAudit(layout.At(dir), "web", func(err error) { t.Error(err) })
	next.refused(sys.Peer{}, "the next supervisor's")
	next.file.file.Close()
	b, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(b), "\"half a li\n{") {
		t.Errorf("%v: ...%s", err, b[max(0, len(b)-200):])
	}
}
