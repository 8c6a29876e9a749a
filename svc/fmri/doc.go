// Package fmri is the names of what services are made of: how they are written in full and for
// short, which are well-formed, and what a pattern on a command line stands for.
//
//	svc:/network/ssh:default/:properties/start/exec
//	     service     instance            group property
//
// svc://localhost/network/ssh is the same as svc:/network/ssh. file:///etc/passwd, which is also
// file://localhost/etc/passwd, is a file that a service depends on; lrc:/etc/rc2_d/S90x a script
// of the days before.
//
// A name is a letter followed by letters, digits, '-' and '_'. A provider may stand before it,
// with a comma: `SUNW,foo`, `com.example,foo`. A service's name is such names with '/' between.
//
// Source of behaviour: smf(7), scf_handle_decode_fmri(3SCF), scf_limit(3SCF), svcs(1). The
// original's checker refuses a component of one letter before a '/'; nothing depends on that,
// and `a/b` is a name here.
//
// Pure: no goroutines, no locks, no kernel.
package fmri
