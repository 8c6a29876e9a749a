package initd

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

const (
	// startdCookie marks the contract of svc.startd among init's.
	startdCookie = 1
	// emptyLimit is how long the members of the last contract may take to be gone: its end kills
	// them (its fatal events), but one in the kernel's hands takes its time.
	emptyLimit = 10 * time.Second
	// emptyEvery is how often that is looked at.
	emptyEvery = 5 * time.Millisecond
)

// startInContract starts a program in a process contract, which inherits what its members own,
// and takes over what the one before has inherited: so the contracts of services outlive
// svc.startd. false: there are no contracts here.
func startInContract(p program) (started, bool) {
	fs, err := contract.OpenAt(contract.ZonePath)
	if errors.Is(err, contract.ErrNoFS) {
		return started{}, false
	}
	if err != nil {
		return started{err: err}, true
	}
	defer fs.Close()
	t, err := fs.Template()
	if err != nil {
		return started{err: err}, true
	}
	defer t.Close()
	lost, err := setTerms(t, fs, p)
	if err != nil {
		return started{err: err}, true
	}
	pidfd := -1
	ct, process, err := t.Start(self(), p.argv, attributes(p, &pidfd))
	if err != nil {
		return started{err: err}, true
	}
	s := started{pid: process.Pid, pidfd: pidfd, contract: ct.ID, lost: lost}
	_ = process.Release()
	return s, true
}

// setTerms writes the terms. What cannot be taken over is given up, and said: better a svc.startd
// that does not know old services than none.
func setTerms(t *contract.Template, fs *contract.FS, p program) (lost bool, err error) {
	terms := contract.Terms{
		Cookie: startdCookie, Critical: contract.Empty, Fatal: contract.Hwerr | contract.Signal | contract.Core,
		Params: contract.Inherit | contract.Regent, FMRI: p.fmri, Transfer: p.before,
	}
	for end := time.Now().Add(emptyLimit); ; {
		err = t.Set(terms)
		switch {
		case err == nil || terms.Transfer == 0:
			return lost, err
		case errors.Is(err, unix.ENOTEMPTY) && time.Now().Before(end):
			<-time.After(emptyEvery)
		case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOTEMPTY):
			terms.Transfer, lost = 0, true
			_ = fs.Contract(p.before).Abandon()
		default:
			return false, err
		}
	}
}

// listFile is the list of ended processes as a file that is kept for good.
func listFile(fd int) *os.File { return os.NewFile(uintptr(fd), "orphans") }
