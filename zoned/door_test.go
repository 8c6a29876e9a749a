package zoned

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/zoned/api"
)

// pipeDoor gives both ends of a connection, the server's as the door has it.
func pipeDoor(t testing.TB) (client, server *os.File) {
	t.Helper()
	a, b, err := sys.Pair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*sys.FD{a, b} {
		if err := unix.SetNonblock(f.Int(), true); err != nil {
			t.Fatal(err)
		}
	}
	client, server = os.NewFile(uintptr(a.Disown()), "client"), os.NewFile(uintptr(b.Disown()), "server")
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func ask(t testing.TB, in []byte, fds ...int) (*api.Request, *api.Reply, int) {
	t.Helper()
	client, server := pipeDoor(t)
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if len(in) > 0 {
		craw, err := client.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var serr error
		if err := craw.Write(func(fd uintptr) bool { serr = sys.Send(int(fd), in[:1], fds...); return true }); err != nil || serr != nil {
			t.Fatal(err, serr)
		}
		if _, err := client.Write(in[1:]); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	_ = server.SetReadDeadline(time.Now().Add(30 * time.Second))
	r, got, bad := readRequest(server, raw)
	n := len(got)
	sys.CloseAll(got)
	return r, bad, n
}

func frame(s string) []byte { return wire.Append(nil, []byte(s)) }

const goodID = "0123456789abcdef0123456789abcdef"

func TestReadRequest(t *testing.T) {
	r, bad, _ := ask(t, frame(`{"version":1,"id":"`+goodID+`","verb":"boot","bootargs":"-s","bootargs_given":true}`))
	if bad != nil || r.Verb != api.VerbBoot || r.BootArgs != "-s" || !r.BootArgsGiven {
		t.Fatalf("%+v %+v", r, bad)
	}
	r, bad, n := ask(t, frame(`{"version":1,"id":"`+goodID+`","verb":"login","login":{"args":["true"]}}`), 0, 1, 2)
	if bad != nil || n != 3 || len(r.Login.Args) != 1 {
		t.Fatalf("%+v %+v with %d descriptors", r, bad, n)
	}
}

func TestBadRequests(t *testing.T) {
	for name, c := range map[string]struct {
		in  []byte
		fds []int
		key string
	}{
		"nothing":              {nil, nil, keyBadRequest},
		"half a header":        {[]byte{0, 0}, nil, keyBadRequest},
		"half a frame":         {frame(`{"version":1}`)[:9], nil, keyBadRequest},
		"an empty frame":       {[]byte{0, 0, 0, 0}, nil, keyBadRequest},
		"a frame of 4 GiB":     {[]byte{255, 255, 255, 255, 1}, nil, keyBadRequest},
		"not JSON":             {frame("GET / HTTP/1.0\r\n\r\n"), nil, keyBadRequest},
		"a number":             {frame("17"), nil, keyBadRequest},
		"no version":           {frame(`{"verb":"halt","id":"` + goodID + `"}`), nil, keyVersion},
		"another version":      {frame(`{"version":2,"verb":"halt"}`), nil, keyVersion},
		"no verb":              {frame(`{"version":1,"id":"` + goodID + `"}`), nil, keyUnknownVerb},
		"an unknown verb":      {frame(`{"version":1,"verb":"destroy","id":"` + goodID + `"}`), nil, keyUnknownVerb},
		"a verb of escapes":    {frame(`{"version":1,"verb":"\u001b]0;x\u0007","id":"` + goodID + `"}`), nil, keyUnknownVerb},
		"no id":                {frame(`{"version":1,"verb":"halt"}`), nil, keyBadRequest},
		"an id with a slash":   {frame(`{"version":1,"verb":"halt","id":"../../../../../../../../etc/pass"}`), nil, keyBadRequest},
		"a long id":            {frame(`{"version":1,"verb":"halt","id":"` + goodID + `0"}`), nil, keyBadRequest},
		"long boot arguments":  {frame(`{"version":1,"verb":"boot","id":"` + goodID + `","bootargs":"` + strings.Repeat("x", 256) + `"}`), nil, keyBootArgsLong},
		"a wrong type":         {frame(`{"version":1,"verb":"boot","id":7}`), nil, keyBadRequest},
		"descriptors for halt": {frame(`{"version":1,"verb":"halt","id":"` + goodID + `"}`), []int{0}, keyDescriptors},
	} {
		r, bad, _ := ask(t, c.in, c.fds...)
		if bad == nil || bad.Key != c.key {
			t.Errorf("%s: %+v %+v, want %s", name, r, bad, c.key)
			continue
		}
		if strings.ContainsAny(bad.Text, "\x1b\x07\n") {
			t.Errorf("%s: the refusal carries control characters: %q", name, bad.Text)
		}
	}
}

// TestAnswerToReaderThatHangs: the frames of a request are kept for a caller that does not
// read; telling never waits.
func TestAnswerToReaderThatHangs(t *testing.T) {
	r := newRequest(api.Request{}, sys.Peer{})
	for i := 0; i < 10*repliesMax; i++ {
		r.tell(message(api.LevelProgress, keyStep, strings.Repeat("x", 1000)))
	}
	r.tell(api.Reply{Type: api.ReplyResult})
	frames, ended, _ := r.since(0)
	if !ended || len(frames) != repliesMax+1 || frames[repliesMax].Type != api.ReplyResult {
		t.Fatalf("%d frames, ended %v: the result must be among them", len(frames), ended)
	}
}

func TestLoginSlots(t *testing.T) {
	l := &login{id: goodID, pid: 4194304, start: 1 << 60}
	if len(l.slot()) > 64 {
		t.Fatalf("a slot's name of %d bytes", len(l.slot()))
	}
	id, pid, start, ok := parseLoginSlot(l.slot())
	if !ok || id != l.id || pid != l.pid || start != l.start {
		t.Fatal(id, pid, start, ok)
	}
	if id, pid, _, ok := parseLoginSlot(slotLogin + goodID); !ok || id != goodID || pid != 0 {
		t.Fatal("a login that was being started", id, pid, ok)
	}
	for _, bad := range []string{"pty", "login.a.b.c", "login.a.1", "login.a.1.2.3"} {
		if _, _, _, ok := parseLoginSlot(bad); ok {
			t.Errorf("%q is taken for a login", bad)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	good, _ := json.Marshal(api.Request{Version: 1, ID: goodID, Verb: api.VerbBoot})
	f.Add(wire.Append(nil, good))
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<15 {
			return // the socket's buffer: nobody reads while it is written
		}
		r, bad, _ := ask(t, in)
		if (r == nil) == (bad == nil) {
			t.Fatalf("neither a request nor a refusal: %+v %+v", r, bad)
		}
		if r != nil && !bytes.Contains(in, []byte(r.ID)) && !validID(r.ID) {
			t.Fatalf("an id that is none: %q", r.ID)
		}
	})
}
