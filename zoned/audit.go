package zoned

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sparing"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// auditBytesMax is how long an audit file grows before it is put aside as .1, whose former
// content goes.
const auditBytesMax = 16 << 20

// zonePeer is who asks when the zone itself does.
var zonePeer = sys.Peer{Pid: 0}

// auditRecord is one line of the audit file: a request that came, ended or was refused.
type auditRecord struct {
	Time   string   `json:"time"` // UTC, RFC 3339
	Zone   string   `json:"zone"`
	Event  string   `json:"event"` // begin, end, refused
	ID     string   `json:"id,omitempty"`
	Verb   api.Verb `json:"verb,omitempty"`
	Origin string   `json:"origin,omitempty"` // door, zone
	Pid    int      `json:"pid,omitempty"`
	UID    uint32   `json:"uid"`
	Comm   string   `json:"comm,omitempty"`
	User   string   `json:"user,omitempty"` // whom a login is for
	Rval   *int     `json:"rval,omitempty"`
	State  string   `json:"state,omitempty"`
	Why    string   `json:"why,omitempty"`
}

// audit writes the audit file of a zone. Arguments of logins are not in it: they may hold
// secrets.
type audit struct {
	zone string
	fail func(error)

	refusals sparing.Limiter // how many of them the log has told

	mu   sync.Mutex // guards file
	file growing
}

func newAudit(lay layout.Layout, zone string, fail func(error)) *audit {
	return &audit{
		zone: zone, file: growing{name: filepath.Join(lay.Log, zone+".audit"), bytesMax: auditBytesMax}, fail: fail,
		refusals: sparing.Limiter{PerMinute: refusalsLogged},
	}
}

func (a *audit) began(r *request) {
	rec := a.of(r, "begin")
	rec.Comm = comm(r.peer)
	a.write(rec)
}

func (a *audit) ended(r *request, rval int, state string) {
	rec := a.of(r, "end")
	rec.Rval, rec.State = &rval, state
	a.write(rec)
}

func (a *audit) refused(p sys.Peer, why string) {
	a.write(auditRecord{Event: "refused", Pid: p.Pid, UID: p.UID, Comm: comm(p), Why: why})
}

func (a *audit) of(r *request, event string) auditRecord {
	rec := auditRecord{Event: event, ID: r.ID, Verb: r.Verb, Origin: "door", Pid: r.peer.Pid, UID: r.peer.UID}
	if r.origin == fromKernel {
		rec.Origin = "zone"
	}
	if r.Login != nil {
		rec.User = printable(r.Login.User)
	}
	return rec
}

func comm(p sys.Peer) string {
	if p.Pid == 0 {
		return ""
	}
	b, err := os.ReadFile(filepath.Join("/proc", itoa(p.Pid), "comm"))
	if err != nil {
		return ""
	}
	return printable(strings.TrimSpace(string(b)))
}

func (a *audit) write(rec auditRecord) {
	rec.Time, rec.Zone = time.Now().UTC().Format(time.RFC3339Nano), a.zone
	b, err := json.Marshal(rec)
	if err == nil {
		a.mu.Lock()
		err = a.file.write(append(b, '\n'))
		a.mu.Unlock()
	}
	if err != nil {
		a.fail(err)
	}
}
