package zoned

import (
	"sync"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// repliesMax bounds what one request may be told; a transition says some dozens of lines.
const repliesMax = 1024

// request is one call at the door, with everything it was answered so far. Its caller may
// vanish and come back: the replies are kept, and each connection reads them at its own pace,
// so that no caller holds up the one who answers.
type request struct {
	api.Request
	peer   sys.Peer
	stdio  []*sys.FD // descriptors of a login
	origin origin

	mu      sync.Mutex // guards the rest
	replies []reply
	ended   bool
	changed chan struct{} // closed at the next change
}

// origin says where a request comes from.
type origin int

const (
	fromDoor   origin = iota
	fromKernel        // the zone itself halted or rebooted, or its init died
)

// reply is a frame and the descriptor that goes with it.
type reply struct {
	api.Reply
	fd *sys.FD
}

func newRequest(r api.Request, peer sys.Peer) *request {
	return &request{Request: r, peer: peer, changed: make(chan struct{})}
}

// tell adds a frame.
func (r *request) tell(m api.Reply) { r.add(reply{Reply: m}) }

func (r *request) add(m reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || len(r.replies) >= repliesMax && m.Type != api.ReplyResult {
		m.fd.Close()
		return
	}
	r.replies = append(r.replies, m)
	r.ended = m.Type == api.ReplyResult
	close(r.changed)
	r.changed = make(chan struct{})
}

// since gives the frames from index i on, whether they end with the result, and what is
// closed when there are more.
func (r *request) since(i int) ([]reply, bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i > len(r.replies) {
		i = len(r.replies)
	}
	return r.replies[i:len(r.replies):len(r.replies)], r.ended, r.changed
}

// said gives the frames without descriptors, for the journal.
func (r *request) said() []api.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []api.Reply
	for _, m := range r.replies {
		if m.fd == nil && m.Level != api.LevelProgress {
			out = append(out, m.Reply)
		}
	}
	return out
}

// release closes descriptors that nobody will be sent any more.
func (r *request) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	sys.CloseAll(r.stdio)
	for i := range r.replies {
		r.replies[i].fd.Close()
	}
}

// closeFD closes the descriptor of one of the replies.
func (r *request) closeFD(fd *sys.FD) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd.Close()
}
