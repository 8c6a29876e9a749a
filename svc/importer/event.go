package importer

import (
	"strconv"

	"github.com/linuxzones/zones/svc/upgrade"
)

// Kind is what an event tells of.
type Kind uint8

// The kinds.
const (
	Imported  Kind = iota + 1 // a file, or what had none
	Applied                   // a profile to a service or an instance
	Taken                     // a snapshot of an instance
	Refreshed                 // an instance
	Conflict                  // an administrator's change that stays, of which Note says more
	Dependent                 // the same of a dependent
	Ignored                   // a service or an instance of a profile that is not there
	Refused                   // a part of a profile that cannot be applied
	Warned                    // about a document
	Removed                   // a service or an instance whose files are gone
	Kept                      // one whose files are gone and which is an administrator's
)

// Event is what happened, and what a person should hear of it.
type Event struct {
	Kind Kind
	FMRI string // of the service or the instance
	Name string // of a snapshot, or a dependent
	Note upgrade.Note
	Text string // one line, in the original's words where it has any
}

// Verbose says whether only those hear of it who want to hear much: svccfg -v.
func (e Event) Verbose() bool {
	return e.Kind != Conflict && e.Kind != Dependent && e.Kind != Refused && e.Kind != Kept
}

func imported() Event { return Event{Kind: Imported, Text: "Successful import."} }

func taken(fmri, snapshot string) Event {
	return Event{Kind: Taken, FMRI: fmri, Name: snapshot, Text: "Taking " + strconv.Quote(snapshot) + " snapshot for " + fmri + "."}
}

func refreshed(fmri string) Event {
	return Event{Kind: Refreshed, FMRI: fmri, Text: "Refreshed " + fmri + "."}
}

func conflict(fmri string, n upgrade.Note) Event {
	return Event{Kind: Conflict, FMRI: fmri, Note: n, Text: n.Text(fmri)}
}

// aside is a dependent that stays as it is, and why.
func aside(fmri, name, why string) Event {
	return Event{Kind: Dependent, FMRI: fmri, Name: name, Text: "Conflict upgrading " + fmri + " (dependent \"" + name + "\" " + why + ")."}
}

func warned(text string) Event { return Event{Kind: Warned, Text: "Warning: " + text} }
