package door

import (
	"errors"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
)

// Being refused.
var (
	// ErrDenied: it takes an authorization. See DeniedError.
	ErrDenied = errors.New("Permission denied")
	// ErrProtocol: the other side says something that makes no sense.
	ErrProtocol = errors.New("the repository's door: protocol error")
	// ErrVersion: the other side speaks another version.
	ErrVersion = errors.New("the repository's door: another version is spoken")
	// ErrMoved: the repository changed between two pages. Clients begin anew by themselves.
	ErrMoved = errors.New("the repository changed while it was read")
	// ErrBusy: too many at once, or too many changes. Later it may go.
	ErrBusy = errors.New("the repository's door is busy")
)

// Being without a server.
var (
	// ErrNoServer: there is no door.
	ErrNoServer = errors.New("the repository is not served: svc.startd does not run, or its log says why it cannot (/var/svc/log/svc.startd.log)")
	// ErrUnavailable: there is a door, and nobody has answered for as long as the client waits.
	ErrUnavailable = errors.New("the repository's server does not answer")
	// ErrUnknown: the server ended, or the connection, after the batch was sent and before it was
	// answered: whether it was done cannot be known. Reading tells.
	ErrUnknown = errors.New("it is not known whether the change was made")
)

// DeniedError says which authorization would do. Empty: none does, it is for root.
type DeniedError struct{ Missing string }

func (e *DeniedError) Error() string {
	if e.Missing == "" {
		return ErrDenied.Error() + ": it is for root"
	}
	return ErrDenied.Error() + ": it takes the authorization " + e.Missing
}

// Is: every DeniedError is ErrDenied.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// sentinels are what errors.Is finds on the other side. The order never changes: the place is the
// bit of an error's mask.
var sentinels = []error{
	repo.ErrLocked, repo.ErrVersion, repo.ErrCorrupt, repo.ErrNotFound, repo.ErrExists, repo.ErrStale,
	repo.ErrInvalidName, repo.ErrInvalidValue, repo.ErrTypeMismatch, repo.ErrInUse, repo.ErrLimit, repo.ErrReadOnly,
	repo.ErrHalf, repo.ErrInvalidOp, repo.ErrClosed,
	fmri.ErrSyntax, fmri.ErrName, fmri.ErrTooLong, fmri.ErrScope,
	prop.ErrType, prop.ErrValue, prop.ErrRange, prop.ErrTooLong,
	ErrDenied, ErrProtocol, ErrVersion, ErrMoved, ErrBusy, ErrUnknown,
}

// What else an error has.
const (
	hasOp = 1 << iota
	hasLimit
	hasMissing
)

// far is an error of the other side: its text, and what errors.Is and errors.As find.
type far struct {
	text string
	is   []error
}

func (e *far) Error() string   { return e.text }
func (e *far) Unwrap() []error { return e.is }

func appendError(b []byte, err error) []byte {
	var op *repo.OpError
	var limit *repo.LimitError
	var denied *DeniedError
	var has, mask uint64
	if errors.As(err, &op) {
		has |= hasOp
		err = op.Err
	}
	if errors.As(err, &limit) {
		has |= hasLimit
	}
	if errors.As(err, &denied) {
		has |= hasMissing
	}
	for i, s := range sentinels {
		if errors.Is(err, s) {
			mask |= 1 << i
		}
	}
	text := err.Error()
	b = appendNumber(b, has, mask)
	b = appendString(b, text[:min(len(text), textBytesMax)])
	if op != nil {
		b = appendNumber(b, uint64(op.Index))
		b = appendVerb(b, op.Verb)
		b = appendString(b, op.On.Service, op.On.Instance, cut(op.Name))
	}
	if limit != nil {
		b = appendString(b, limit.What)
		b = appendNumber(b, uint64(limit.Max))
	}
	if denied != nil {
		b = appendString(b, cut(denied.Missing))
	}
	return b
}

func cut(name string) string { return name[:min(len(name), nameBytesMax)] }

// err reads what appendError wrote. It gives nil when that makes no sense.
func (d *decoder) err() error {
	has := d.number(hasOp | hasLimit | hasMissing)
	mask := d.number(1<<len(sentinels) - 1)
	e := &far{text: d.str(textBytesMax)}
	for i, s := range sentinels {
		if mask&(1<<i) != 0 {
			e.is = append(e.is, s)
		}
	}
	var result error = e
	if has&hasOp != 0 {
		op := &repo.OpError{Index: int(d.number(opsMax)), Verb: d.verb(), On: d.entity(), Err: e}
		op.Name = d.str(nameBytesMax)
		result = op
	}
	if has&hasLimit != 0 {
		e.is = append(e.is, &repo.LimitError{What: d.str(nameBytesMax), Max: int(d.number(1 << 62))})
	}
	if has&hasMissing != 0 {
		e.is = append(e.is, &DeniedError{Missing: d.str(nameBytesMax)})
	}
	if d.bad {
		return nil
	}
	return result
}
