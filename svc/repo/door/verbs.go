package door

import "strconv"

// Version is that of the protocol.
const Version = 1

// DefaultPath is where the door is.
const DefaultPath = "/etc/svc/volatile/repository_door"

// Verb is what a request asks for. The numbers never change.
type Verb uint8

// The verbs. What they take and give is in message.go.
const (
	VerbGeneration Verb = iota + 1 // of the repository
	VerbExists                     // whether a service or an instance is there
	VerbProperty                   // one property, as a view shows it
	VerbGroup                      // one group, as a view shows it
	VerbScan                       // services and instances, with groups
	VerbSnapshots                  // the names of an instance's snapshots
	VerbApply                      // a batch
	VerbWatch                      // changes, from now on
	VerbBackup                     // make a backup
	VerbVerify                     // read all, and say what is damaged
	verbCount
)

// Callers is who may call a verb. It is looked at before anything else of a request is.
type Callers uint8

// The kinds of callers.
const (
	// Nobody may call what is no verb.
	Nobody Callers = iota
	// Everybody may read names, types, and values that are not protected.
	Everybody
	// Authorized: each operation of the batch is judged, see package server.
	Authorized
	// Root alone: it costs as much as the whole repository, or leaves files.
	Root
)

// Verbs says of each verb what it is called, who may call it, and since which version it is there.
var Verbs = [verbCount]struct {
	Name    string
	Callers Callers
	Since   int
}{
	VerbGeneration: {"generation", Everybody, 1},
	VerbExists:     {"exists", Everybody, 1},
	VerbProperty:   {"property", Everybody, 1}, // protected values: who may read them
	VerbGroup:      {"group", Everybody, 1},    // protected values: likewise
	VerbScan:       {"scan", Everybody, 1},     // protected values: likewise
	VerbSnapshots:  {"snapshots", Everybody, 1},
	VerbApply:      {"apply", Authorized, 1},
	VerbWatch:      {"watch", Everybody, 1}, // names and types are told, no values
	VerbBackup:     {"backup", Root, 1},
	VerbVerify:     {"verify", Root, 1},
}

// String is the verb's name.
func (v Verb) String() string {
	if v >= verbCount || Verbs[v].Name == "" {
		return "verb " + strconv.Itoa(int(v))
	}
	return Verbs[v].Name
}

// CallersOf says who may call a verb.
func CallersOf(v Verb) Callers {
	if v >= verbCount {
		return Nobody
	}
	return Verbs[v].Callers
}
