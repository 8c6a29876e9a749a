// Package svcprop is the logic of svcprop(1): its command line, what it prints, and its exit
// status. The program, in cmd, gives it an Env.
//
//	svcprop [-fqtv] [-C | -c | -s snapshot] [-z zone] [-p [name/]name]... {FMRI | pattern}...
//	svcprop -a [-fqtv] [-C | -c | -s snapshot] [-z zone] [-p [name/]name]...
//	svcprop -w [-fqtv] [-z zone] [-p [name/]name] {FMRI | pattern}
//
// One property is its values in a line, with blanks between; several are a line each, with the
// name and the type before the values. Of several services or instances the name is an FMRI.
// Values are quoted for the shell (package prop), and "" is the empty one. What may not be read
// looks empty, unless it was asked for by -p: then it is an error.
//
// It promises the options, output, messages and exit status of the original: 0; 1 for what is not
// there, and for all that fails; 2 for usage. Ours is -a: all services and instances. The group or
// property that an operand names is the present one of the entity itself, whatever view is asked
// for, also as with the original. -w sees every change that comes after it has printed nothing:
// it watches before it reads.
//
// Source of behaviour: svcprop(1), smf(7).
//
// It is linked into a program of every zone: no fmt, no encoding/json. No goroutines, no locks.
// How it dies: by the end of its context while it waits, or by a signal.
package svcprop
