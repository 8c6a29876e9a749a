package fuse

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// fakeKernel is the other end of a socket that keeps messages apart: it can ask what no kernel
// asks.
type fakeKernel struct {
	t   testing.TB
	dev *sys.FD // the session's end
	end int
	s   *Session
	mem *Memory
}

func newFake(t testing.TB, mem *Memory) *fakeKernel {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(t, err)
	for _, fd := range pair { // room for an answer to as many requests as may wait
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20))
	}
	k := &fakeKernel{t: t, dev: sys.Own(pair[0]), end: pair[1], mem: mem}
	t.Cleanup(func() { k.dev.Close(); unix.Close(k.end) })
	k.start()
	return k
}

// start makes a session, as a new process does.
func (k *fakeKernel) start() {
	k.t.Helper()
	if k.s != nil {
		k.s.Close()
	}
	s, err := New(k.dev, k.mem)
	must(k.t, err)
	k.s = s
	k.t.Cleanup(func() { s.Close() })
}

func newMem(t testing.TB) *Memory {
	t.Helper()
	mem, err := NewMemory(tokenExtra)
	must(t, err)
	t.Cleanup(func() { mem.Close() })
	return mem
}

// request makes the bytes of a request.
func request(op Opcode, unique uint64, body []byte) []byte {
	h := inHeader{length: uint32(inHeaderBytes + len(body)), opcode: op, unique: unique, node: nodeTokens, pid: 1}
	return append(append([]byte(nil), bytesOf(&h)...), body...)
}

func bytesOf[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

func (k *fakeKernel) ask(p []byte) {
	k.t.Helper()
	_, err := unix.Write(k.end, p)
	must(k.t, err)
}

// answer gives the next message of the session; nil when there is none.
func (k *fakeKernel) answer() *outHeader {
	b := make([]byte, outBytes)
	n, err := unix.Read(k.end, b)
	if err != nil || n < outHeaderBytes {
		return nil
	}
	return (*outHeader)(unsafe.Pointer(&b[0]))
}

func (k *fakeKernel) answers() (list []outHeader) {
	for h := k.answer(); h != nil; h = k.answer() {
		list = append(list, *h)
	}
	return list
}

// TestParkedMax: the limit has a name, its memory is given back, and the next process sees the
// waiting requests in their order.
func TestParkedMax(t *testing.T) {
	k := newFake(t, newMem(t))
	read := ReadIn{Size: 100}
	next := func(unique uint64) *Request {
		k.ask(request(OpRead, unique, bytesOf(&read)))
		r, err := k.s.Next()
		must(t, err)
		return r
	}
	for i := range uint64(ParkedMax) {
		if _, err := k.s.Park(next(2 + 2*i)); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	last := next(1 << 20)
	if _, err := k.s.Park(last); err != ErrParkedFull {
		t.Errorf("one more: %v", err)
	}
	must(t, k.s.ReplyError(last, unix.EAGAIN))
	k.answers()
	full := memoryOf(t, k.mem)
	k.start()
	list := k.s.Parked()
	if len(list) != ParkedMax {
		t.Fatalf("%d requests after a restart", len(list))
	}
	for i, r := range list {
		if r.Unique() != uint64(2+2*i) || r.Read().Size != 100 {
			t.Fatalf("request %d is %d", i, r.Unique())
		}
		must(t, k.s.ReplyData(r, nil))
	}
	if left := memoryOf(t, k.mem); left > full/10 {
		t.Errorf("%d bytes are kept of %d", left, full)
	}
	if _, err := k.s.Park(next(1 << 21)); err != nil {
		t.Error(err)
	}
}

func memoryOf(t testing.TB, m *Memory) int64 {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Fstat(m.FD(), &st))
	return st.Blocks * 512
}

func TestPollsMax(t *testing.T) {
	k := newFake(t, newMem(t))
	poll := func(fh uint64) error {
		p := PollIn{FH: fh, KH: fh + 1000, Flags: PollSchedule}
		k.ask(request(OpPoll, 2+2*fh, bytesOf(&p)))
		r, err := k.s.Next()
		must(t, err)
		defer k.answers()
		err = k.s.ReplyPoll(r, 0)
		if err != nil {
			must(t, k.s.ReplyError(r, unix.ENOSPC))
		}
		return err
	}
	for fh := range uint64(PollsMax) {
		must(t, poll(fh))
	}
	must(t, poll(7)) // known already
	if err := poll(PollsMax); err != ErrPollsFull {
		t.Errorf("one more: %v", err)
	}
	rel := ReleaseIn{FH: 9}
	k.ask(request(OpRelease, 1<<20, bytesOf(&rel)))
	r, err := k.s.Next()
	must(t, err)
	must(t, k.s.ReplyOK(r))
	must(t, poll(PollsMax))
	k.answers()
	must(t, k.s.WakePoll(11))
	must(t, k.s.WakePoll(11)) // once is enough until it is asked again
	must(t, k.s.WakePoll(9))
	if got := k.answers(); len(got) != 1 || got[0].unique != 0 || got[0].errno != notifyPoll {
		t.Errorf("%+v", got)
	}
}

// TestWokenByNext: who waits in poll is woken by the next process, once.
func TestWokenByNext(t *testing.T) {
	k := newFake(t, newMem(t))
	for fh := range uint64(3) {
		p := PollIn{FH: fh, KH: 100 + fh, Flags: uint32(fh)} // only the second one waits
		k.ask(request(OpPoll, 2+2*fh, bytesOf(&p)))
		r, err := k.s.Next()
		must(t, err)
		must(t, k.s.ReplyPoll(r, 0))
	}
	k.answers()
	for _, want := range []int{1, 0} {
		k.start()
		if got := k.answers(); len(got) != want {
			t.Errorf("%d were woken, want %d", len(got), want)
		}
	}
}

// TestEmptyIdle: a session that nothing waits in costs a few pages.
func TestEmptyIdle(t *testing.T) {
	k := newFake(t, newMem(t))
	if n := memoryOf(t, k.mem); n > 8*pageBytes {
		t.Errorf("%d bytes", n)
	}
}

func TestMisuse(t *testing.T) {
	k := newFake(t, newMem(t))
	read := ReadIn{Size: 4}
	k.ask(request(OpRead, 2, bytesOf(&read)))
	r, err := k.s.Next()
	must(t, err)
	if _, err := k.s.Next(); err != ErrBusy {
		t.Errorf("next before an answer: %v", err)
	}
	if err := k.s.ReplyData(r, []byte("12345")); err != ErrTooLarge {
		t.Errorf("more than was asked for: %v", err)
	}
	must(t, k.s.ReplyData(r, []byte("1234")))
	if err := k.s.ReplyOK(r); err != ErrAnswered {
		t.Errorf("second answer: %v", err)
	}
	if _, err := k.s.Park(r); err != ErrAnswered {
		t.Errorf("parked after an answer: %v", err)
	}
	k.ask(request(OpRead, 4, bytesOf(&read)))
	r, err = k.s.Next()
	must(t, err)
	p, err := k.s.Park(r)
	must(t, err)
	if _, err := k.s.Park(p); err != ErrAnswered {
		t.Errorf("parked twice: %v", err)
	}
	// An interrupt of a request that nobody has is nobody's.
	k.ask(request(OpInterrupt, 7, binary.LittleEndian.AppendUint64(nil, 6)))
	if _, err := k.s.Next(); err != unix.EAGAIN {
		t.Errorf("a stray interrupt: %v", err)
	}
	k.ask(request(OpInterrupt, 5, binary.LittleEndian.AppendUint64(nil, 4)))
	r, err = k.s.Next()
	must(t, err)
	if r.Op() != OpInterrupt || r.Target() != p {
		t.Errorf("an interrupt of %v", r.Target())
	}
	k.s.Done(r)
	k.s.Done(r)
}

// TestWaiting finds what a predecessor had taken, once, and what it had parked, until it is
// answered.
func TestWaiting(t *testing.T) {
	k := newFake(t, newMem(t))
	read := ReadIn{Size: 4}
	for _, unique := range []uint64{2, 4} {
		k.ask(request(OpRead, unique, bytesOf(&read)))
		r, err := k.s.Next()
		must(t, err)
		if unique == 2 {
			_, err := k.s.Park(r)
			must(t, err)
		}
	}
	k.start()
	if k.s.Waiting(6) != nil || k.s.Waiting(0) != nil {
		t.Error("a request that was never made waits")
	}
	parked, taken := k.s.Waiting(2), k.s.Waiting(4)
	if parked == nil || taken == nil || k.s.Waiting(4) != nil {
		t.Fatalf("parked %v, taken %v", parked, taken)
	}
	if _, err := k.s.Next(); err != ErrBusy {
		t.Errorf("next before an answer: %v", err)
	}
	must(t, k.s.ReplyData(taken, nil))
	must(t, k.s.ReplyData(parked, nil))
	if k.s.Waiting(2) != nil || k.s.Waiting(4) != nil {
		t.Error("an answered request waits")
	}
	if _, err := k.s.Next(); err != unix.EAGAIN {
		t.Errorf("next: %v", err)
	}
}

func TestOldKernel(t *testing.T) {
	for _, in := range []initIn{{major: 6, minor: 40}, {major: 8}, {major: 7, minor: 20}} {
		k := newFake(t, newMem(t))
		k.ask(request(OpInit, 2, bytesOf(&in)))
		if _, err := k.s.Next(); err != ErrProtocol {
			t.Errorf("%d.%d: %v", in.major, in.minor, err)
		}
		if got := k.answers(); len(got) != 1 || got[0].errno != -int32(unix.EPROTO) {
			t.Errorf("%+v", got)
		}
	}
}

// TestResumeForms looks at what the next process makes of each form of a slot.
func TestResumeForms(t *testing.T) {
	read := ReadIn{Size: 4}
	fill := func(mem *Memory, p []byte) { copy(mem.reading(), p) }
	torn := request(OpRead, 2, bytesOf(&read))
	torn[0] = 200
	huge := request(OpRead, 2, bytesOf(&read))
	huge[3] = 200
	short := request(OpRead, 2, bytesOf(&read))[:inHeaderBytes+8]
	short[0] = byte(len(short))
	for _, c := range []struct {
		name  string
		slot  []byte
		gives Opcode // 0: nothing
		errno unix.Errno
	}{
		{"nothing", nil, 0, 0},
		{"a read", request(OpRead, 2, bytesOf(&read)), OpRead, 0},
		{"longer than it was", torn, OpRead, 0},
		{"longer than a slot", huge, 0, unix.EIO},
		{"too short", short, 0, unix.EIO},
		{"unknown", request(999, 2, nil), 0, unix.ENOSYS},
		{"forget", request(OpForget, 2, make([]byte, 8)), 0, 0},
		{"interrupt", request(OpInterrupt, 3, make([]byte, 8)), 0, 0},
	} {
		mem := newMem(t)
		fill(mem, c.slot)
		k := newFake(t, mem)
		r, err := k.s.Next()
		if c.gives == 0 && err != unix.EAGAIN || c.gives != 0 && (err != nil || r.Op() != c.gives) {
			t.Errorf("%s: %v %v", c.name, r, err)
		}
		var last outHeader
		for _, a := range k.answers() {
			last = a
		}
		if c.errno != 0 && last.errno != -int32(c.errno) {
			t.Errorf("%s: answered %d", c.name, last.errno)
		}
	}
}
