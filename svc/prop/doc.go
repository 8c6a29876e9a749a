// Package prop is the values of properties: their types, what text a value of a type may be, and
// how values are written and read on command lines and by scripts.
//
// A value is kept as its canonical text, whatever its type: what libscf(3LIB) prints for it.
// Types form a tree: a value of hostname is one of host, of ustring and of astring too.
//
//	Canonical    checks a text and gives the text that is kept
//	Shell        writes a value as svcprop(1) prints it: with backslashes, "" when empty
//	Quote, List  write values as svccfg(8) takes them: "...", ( "..." "..." )
//
// Of one value there may be several texts, and one is canonical: 0x10, 020 and 16 are 16, and 1
// is true. A text of a string type is kept byte by byte: an FMRI is not rewritten.
//
// Source of behaviour: smf(7), scf_value_create(3SCF), svcprop(1), svccfg(8).
//
// Pure: no goroutines, no locks, no kernel.
package prop
