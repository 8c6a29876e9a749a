package server

import (
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/ctfs"
)

// rest reads a status file to its end in small pieces.
func (a *agent) rest(fd int) (text string, errno unix.Errno) {
	a.t.Helper()
	for {
		piece, errno := a.read(fd, 33)
		text += piece
		if piece == "" || errno != 0 {
			return text, errno
		}
	}
}

// A status that is read in small pieces is of one moment, also when the server is replaced in
// between and what it says has changed.
func TestStatusOfOneMoment(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	ct, pid := a.start("cookie 0x12345\n", "/bin/sleep", "1000")
	path := "process/" + strconv.Itoa(ct) + "/status"
	whole, errno := a.rest(a.open(path, unix.O_RDONLY))
	if errno != 0 {
		t.Fatal(errno)
	}
	fd, other := a.open(path, unix.O_RDONLY), a.open(path, unix.O_RDONLY)
	begin, _ := a.read(fd, 200)
	r.memberOf(ct, 0).must(ask{Do: "pid"})
	r.reopen()
	a.must(ask{Do: "kill", N: pid, M: int(unix.SIGKILL)})
	a.must(ask{Do: "wait", N: pid})
	r.reopen()
	end, errno := a.rest(fd)
	if begin+end != whole || errno != 0 {
		t.Errorf("%q and %q, %v; want %q", begin, end, errno, whole)
	}
	if text, errno := a.rest(other); text != whole || errno != 0 {
		t.Errorf("from the beginning: %q, %v; want %q", text, errno, whole)
	}
	if at, errno := a.rest(fd); at != "" || errno != 0 {
		t.Errorf("behind the end: %q, %v", at, errno)
	}
	now, _ := a.rest(a.open(path, unix.O_RDONLY))
	st, err := contract.ParseStatus([]byte(now))
	if err != nil || now == whole || len(st.Members) == 0 || st.Terms.Cookie != 0x12345 {
		t.Errorf("what it says now: %q, %v", now, err)
	}
}

// Texts of more open files than there is memory for make room, the oldest first: who reads on in
// one is told so, and who has not begun is given what is true then.
func TestStatusThatMadeRoom(t *testing.T) {
	r := startRig(t)
	a := r.agent(0)
	path := "process/" + strconv.Itoa(int(r.initDir.CT)) + "/status"
	whole, _ := a.rest(a.open(path, unix.O_RDONLY))
	begun, fresh := a.open(path, unix.O_RDONLY), a.open(path, unix.O_RDONLY)
	if _, errno := a.read(begun, 10); errno != 0 {
		t.Fatal(errno)
	}
	for range ctfs.ArenaBytes/len(whole) + 10 {
		a.open(path, unix.O_RDONLY)
	}
	if text, errno := a.rest(begun); text != "" || errno != unix.ESTALE {
		t.Errorf("a text that made room: %q, %v", text, errno)
	}
	if text, errno := a.rest(fresh); errno != 0 || !strings.HasPrefix(text, "id ") {
		t.Errorf("one that was not begun: %q, %v", text, errno)
	}
}
