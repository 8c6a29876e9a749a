// Package prop is the values of properties: their types, what text a value of a type may be, and
// how values are written and read on command lines and by scripts.
//
// A value is kept as its canonical text, whatever its type: what libscf(3LIB) prints for it.
// Types form a tree: a value of hostname is one of host, of ustring and of astring too.
//
// Source of behaviour: smf(7), scf_value_create(3SCF), svcprop(1), svccfg(8).
//
// Pure: no goroutines, no locks, no kernel.
package prop
