package helper

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// pair is a connection to zrun, and zrun's end.
func pair(t testing.TB) (ours, theirs *sys.FD) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return sys.Own(p[0]), sys.Own(p[1])
}

// FuzzReply: whatever zrun answers, with descriptors or without, is an answer or an error; with an
// error no descriptor stays open, which TestMain looks at too.
func FuzzReply(f *testing.F) {
	for _, r := range []Reply{{}, {Pid: 7, Start: 1 << 40}, {Error: "no", Key: "root"}, {Init: &Init{Path: "/sbin/init", Args: []string{"init"}}, Warnings: []string{"w"}}} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(2))
	}
	f.Add([]byte(`{"pid":-1,"start":-1}`), uint8(0))
	f.Add([]byte(`{"init":{"args":[[[[`), uint8(1))
	f.Fuzz(func(t *testing.T, answer []byte, files uint8) {
		if len(answer) > ReplyBytesMax {
			return
		}
		socket, theirs := pair(t)
		if err := unix.SetNonblock(socket.Int(), true); err != nil {
			t.Fatal(err)
		}
		ours := os.NewFile(uintptr(socket.Disown()), "ours")
		defer ours.Close()
		var given []int
		for range files % 8 {
			given = append(given, theirs.Int())
		}
		defer theirs.Close()
		var err error
		if len(answer) > 0 {
			err = sys.Send(theirs.Int(), answer, given...)
		} else { // nothing is an end
			given = nil
			err = unix.Shutdown(theirs.Int(), unix.SHUT_WR)
		}
		if err != nil {
			t.Fatal(err)
		}
		request := &Request{Op: OpExec, Zone: "z", Login: &Login{Args: []string{"id"}}}
		reply, fds, err := converse(ours, request, nil)
		defer sys.CloseAll(fds)
		switch {
		case err != nil && (reply != nil || len(fds) > 0):
			t.Fatalf("%v, and yet %+v with %d descriptors", err, reply, len(fds))
		case err == nil && (reply == nil || len(fds) != len(given)):
			t.Fatalf("%+v with %d descriptors of %d", reply, len(fds), len(given))
		}
	})
}

// FuzzRequest: a request that zrun takes is written and read again as the same.
func FuzzRequest(f *testing.F) {
	for _, r := range []Request{
		{Op: OpCreate, Zone: "web", StateDir: "/run/zones/state/web", Cgroup: "/zones/web/g1", CgroupMount: "/sys/fs/cgroup", IDBase: 1 << 30, Contract: 9, Mounts: []string{"ctfs", "mnttab"}},
		{Op: OpExec, Zone: "web", Slot: "l1", Login: &Login{Args: []string{"echo", "\x1b"}, Shell: true, User: "u", TTY: true, Rows: 65535, Term: "xterm"}},
	} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"op":"exec","login":{"rows":-1}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var r, again Request
		if json.Unmarshal(in, &r) != nil {
			return
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if c, err := json.Marshal(again); err != nil || string(c) != string(b) || !reflect.DeepEqual(again.Login == nil, r.Login == nil) {
			t.Fatalf("%s became %s, %v", b, c, err)
		}
	})
}
