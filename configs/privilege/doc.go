// Package privilege knows the privilege names of Solaris, does the arithmetic of sets
// of them, and says which Linux capabilities a set stands for.
//
// It owns the table, and no policy: which privileges a zone has by default, must have or
// may never have is the brand's to say (package configs).
//
// Many privileges have no capability behind them. Those of the basic set (proc_fork,
// proc_exec, proc_info, file_read, net_access and others) are what every Linux process
// may do, and no capability takes that away; others guard what the zone's namespaces
// keep apart anyway. They are accepted, so that an existing limitpriv works as it is.
//
// Everything here is a value; there are no goroutines, no locks, no files.
package privilege
