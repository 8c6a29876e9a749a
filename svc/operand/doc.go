// Package operand finds what an operand of svcprop, svccfg and their like stands for in a
// repository: an FMRI in full, the end of one, or a pattern.
//
//	svc:/network/ssh            the service
//	svc:/network/ssh:default    the instance
//	ssh, network/ssh            a service whose name ends so, or its instances: see Among
//	ssh:default, default        instances
//	*ssh*                       whatever the pattern matches
//	X/:properties/start/exec    of what X stands for, a group or a property
//
// What stands for nothing, and what is no FMRI at all, is a NoMatchError, as with the original. What
// several matches mean is the command's to say; AmbiguousError says it in the original's words.
//
// Source of behaviour: scf_walk_fmri of libscf_priv.h, svcprop(1), svccfg(8).
//
// No goroutines, no locks, no state.
package operand
