package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

const someID = "0123456789abcdef0123456789abcdef"

// TestNonsense: what is no request is answered politely, has no effect, and hurts nobody.
func TestNonsense(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	before := z.Status("web")
	deep := strings.Repeat("[", 100000) + strings.Repeat("]", 100000)
	for name, c := range map[string]struct {
		raw  []byte
		want string // in the text of the message
	}{
		"nothing":                    {nil, "EOF"},
		"one byte":                   {[]byte{0}, "cut short"},
		"half a header":              {[]byte{0, 0, 1}, "cut short"},
		"a header alone":             {[]byte{0, 0, 0, 9}, "cut short"},
		"half a frame":               {frame([]byte(`{"version":1,"verb":"halt"}`))[:12], "cut short"},
		"an empty frame":             {[]byte{0, 0, 0, 0}, "empty"},
		"four gigabytes":             {[]byte{255, 255, 255, 255, '{', '}'}, "too long"},
		"one byte too long":          {frame(make([]byte, 256<<10+1)), "too long"},
		"as long as can be":          {frame([]byte(strings.Repeat(" ", 256<<10))), "not a request"},
		"HTTP":                       {[]byte("GET / HTTP/1.0\r\n\r\n"), "too long"},
		"random bytes":               {frame([]byte{0x80, 0xff, 0, 1, 2, 3}), "not a request"},
		"a number":                   {frame([]byte("1")), "not a request"},
		"a list":                     {frame([]byte(`[{"version":1}]`)), "not a request"},
		"deep lists":                 {frame([]byte(deep)), "not a request"},
		"null":                       {frame([]byte("null")), "version"},
		"an empty object":            {frame([]byte("{}")), "version"},
		"version 0":                  {frame([]byte(`{"version":0,"verb":"halt"}`)), "speaks version 1"},
		"version 2":                  {frame([]byte(`{"version":2,"verb":"halt","id":"x"}`)), "speaks version 1 of the door's protocol, the request is of version 2"},
		"a huge version":             {frame([]byte(`{"version":99999999999999999999,"verb":"halt"}`)), "not a request"},
		"a version of words":         {frame([]byte(`{"version":"1","verb":"halt"}`)), "not a request"},
		"no verb":                    {frame([]byte(`{"version":1,"id":"` + someID + `"}`)), "invalid command ''"},
		"another verb":               {frame([]byte(`{"version":1,"verb":"destroy","id":"` + someID + `"}`)), "invalid command 'destroy'"},
		"a verb in capitals":         {frame([]byte(`{"version":1,"verb":"HALT","id":"` + someID + `"}`)), "invalid command 'HALT'"},
		"a verb that paints":         {frame([]byte(`{"version":1,"verb":"\u001b[2J\nhalt\u009b","id":"` + someID + `"}`)), `invalid command '\x1b[2J\nhalt\u009b'`},
		"a long verb":                {frame([]byte(`{"version":1,"verb":"` + strings.Repeat("h", 10000) + `"}`)), "invalid command 'hhh"},
		"no id":                      {frame([]byte(`{"version":1,"verb":"halt"}`)), "32 hexadecimal digits"},
		"a short id":                 {frame([]byte(`{"version":1,"verb":"halt","id":"1"}`)), "32 hexadecimal digits"},
		"an id in capitals":          {frame([]byte(`{"version":1,"verb":"halt","id":"` + strings.ToUpper(someID) + `"}`)), "32 hexadecimal digits"},
		"an id that climbs":          {frame([]byte(`{"version":1,"verb":"halt","id":"../../../../../../../etc/passwd0"}`)), "32 hexadecimal digits"},
		"a wrong type":               {frame([]byte(`{"version":1,"verb":"halt","id":17}`)), "not a request"},
		"boot arguments of a book":   {frame([]byte(`{"version":1,"verb":"boot","id":"` + someID + `","bootargs":"` + strings.Repeat("x", 256) + `"}`)), "boot argument string too long"},
		"a login without a login":    {frame([]byte(`{"version":1,"verb":"login","id":"` + freshID() + `"}`)), "no login"},
		"a wait for nobody":          {frame([]byte(`{"version":1,"verb":"wait","id":"` + freshID() + `","target":"../x"}`)), "no login of this id"},
		"a signal to nobody":         {frame([]byte(`{"version":1,"verb":"signal","id":"` + freshID() + `","target":"","signal":-1}`)), "no login of this id"},
		"uninstalling while it runs": {frame([]byte(`{"version":1,"verb":"note_uninstalling","id":"` + freshID() + `"}`)), "note_uninstall operation is invalid for zones in state 'running'"},
	} {
		list := say(t, z, "web", c.raw)
		last := result(t, list)
		if last.Rval != -1 || len(list) != 2 || !strings.Contains(list[0].Text, c.want) || list[0].Key == "" || list[0].Level != "error" {
			t.Errorf("%s: %+v\nwant a message with %q and rval -1", name, list, c.want)
		}
		if strings.ContainsAny(list[0].Text, "\x1b\n\r\x9b") || len(list[0].Text) > 1000 {
			t.Errorf("%s: the text is not fit to be shown: %q", name, list[0].Text)
		}
	}
	if after := z.Status("web"); after != before {
		t.Errorf("the zone was %+v and is %+v", before, after)
	}
	if log := logText(t, z, "web"); strings.ContainsAny(log, "\x1b\x9b\x00") {
		t.Errorf("the log has a stranger's control characters:\n%q", log)
	}
	for _, r := range audit(t, z, "web") {
		if strings.ContainsAny(r.Why+r.Verb+r.Comm, "\x1b\x9b\n") {
			t.Errorf("the audit has a stranger's control characters: %+v", r)
		}
	}
	silent(t, z, "web", "halt")
}

// TestDescriptors: only a login takes any; those of others are closed.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	before := z.Status("web")
	for _, v := range verbs {
		verb := v["verb"].(string)
		if verb == "login" {
			continue
		}
		list := say(t, z, "web", frame(requestBody(t, freshID(), verb, nil)), int(w.Fd()), int(w.Fd()))
		if last := result(t, list); last.Rval != -1 || list[0].Text != verb+" takes no descriptors" || !slices.Equal(list[0].Args, []string{verb}) {
			t.Errorf("%s with descriptors: %+v", verb, list)
		}
	}
	// A login with too few, and many.
	for _, n := range []int{1, 2, 4, 200} {
		files := make([]int, n)
		for i := range files {
			files[i] = int(w.Fd())
		}
		body := requestBody(t, freshID(), "login", map[string]any{"login": map[string]any{"args": []string{"touch", "/var/tmp/was-here"}}})
		if last := result(t, say(t, z, "web", frame(body), files...)); last.Rval == 0 {
			t.Errorf("a login with %d descriptors: %+v", n, last)
		}
	}
	if _, err := os.Stat(inside(z, "web", "/var/tmp/was-here")); err == nil {
		t.Error("a login was run without its descriptors")
	}
	// The pipe ends with our own end: nobody holds another.
	must(t, w.Close())
	testenv.Eventually(t, func() bool { return pipeHolders(t, r) == 1 }, "the descriptors to be closed")
	if after := z.Status("web"); after != before {
		t.Errorf("the zone was %+v and is %+v", before, after)
	}
}

// pipeHolders counts the descriptors of all processes that are the same pipe.
func pipeHolders(t *testing.T, f *os.File) int {
	t.Helper()
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	must(t, err)
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	must(t, err)
	n := 0
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == name {
			n++
		}
	}
	return n
}

// TestReplay: a request that is asked again is answered again, and done once.
func TestReplay(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	reboot := freshID()
	before := z.Status("web").ID
	first := request(t, z, "web", reboot, "reboot", nil)
	if last := result(t, first); last.Rval != 0 || last.State != "running" {
		t.Fatalf("reboot: %+v", first)
	}
	after := z.Status("web")
	for range 3 {
		if last := result(t, request(t, z, "web", reboot, "reboot", nil)); last.Rval != 0 {
			t.Errorf("reboot again: %+v", last)
		}
	}
	// The same id for something else is not a way to do it unseen.
	if last := result(t, request(t, z, "web", reboot, "halt", nil)); last.State == "installed" {
		t.Errorf("halt under the id of a reboot: %+v", last)
	}
	if now := z.Status("web"); now != after || now.ID != before+1 {
		t.Errorf("incarnation %d became %d, then %d", before, after.ID, now.ID)
	}
	// A login whose id is used again runs once.
	login := freshID()
	body := map[string]any{"login": map[string]any{"args": []string{"echo x >>/var/tmp/ran"}, "shell": true}}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	must(t, err)
	defer null.Close()
	n := int(null.Fd())
	for range 3 {
		list := say(t, z, "web", frame(requestBody(t, login, "login", body)), n, n, n)
		if last := list[len(list)-1]; last.Type != "result" || last.Rval != 0 {
			t.Errorf("login: %+v", list)
		}
	}
	if b, err := os.ReadFile(inside(z, "web", "/var/tmp/ran")); err != nil || string(b) != "x\n" {
		t.Errorf("the login ran as %q, %v; want once", b, err)
	}
	// After the supervisor's death too.
	z.KillZoned("web")
	testenv.Eventually(t, func() bool { c, err := dial(door(z, "web")); closeConn(c); return err == nil }, "a successor")
	if last := result(t, request(t, z, "web", reboot, "reboot", nil)); last.Rval != 0 {
		t.Errorf("reboot, asked of the successor: %+v", last)
	}
	if now := z.Status("web"); now.ID != after.ID {
		t.Errorf("a reboot that was done is done again: incarnation %d, then %d", after.ID, now.ID)
	}
}

// TestTwoInOne: a connection carries one request; what follows it is not read.
func TestTwoInOne(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	raw := append(frame(requestBody(t, freshID(), "ping", nil)), frame(requestBody(t, freshID(), "halt", nil))...)
	list := say(t, z, "web", raw)
	if last := result(t, list); len(list) != 1 || last.State != "running" {
		t.Errorf("two requests on one connection: %+v", list)
	}
	if s := listed(t, z, "web"); s != "running" {
		t.Errorf("the second request was done: the zone is %s", s)
	}
}
