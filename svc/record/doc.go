// Package record is what svc.startd keeps of an instance in the repository: the group restarter,
// of type framework, which ends with the boot. svcs(1), svcprop(1) and scripts read it, and a
// svc.startd that is started again goes on from it.
//
//	state, next_state        astring   words of smf(7); next_state is none at rest
//	state_timestamp          time      when state, or next_state, became what it is
//	auxiliary_state          astring   why: a token, as none, ct_ev_signal, method_failed
//	auxiliary_fmri           astring   the service that asked for it
//	auxiliary_tty            boolean   a person did, at a terminal
//	auxiliary_detail         astring   who killed it, in words (the original has none)
//	contract                 count     the contracts of the service's processes
//	transient_contract       count     that of the method that runs, if it is not the service's
//	method, method_pid       astring, count   the method that runs, and its process; a start
//	                                   without one waits for its service to be ready
//	start_pid                count     the process of the last start method
//	start_method_timestamp   time
//	start_method_waitstatus  integer   its wait status
//	start_deadline           time      until when it may last, when its service has asked for more
//	status_text              astring   what the service says of itself (the original has neither)
//	logfile, alt_logfile     astring   the log, and the one of the time when /var could not be written
//
// What an instance does not have is not there; of several the values stand in their order. Times
// are as package prop writes them. What does not make sense when it is read counts as not there:
// the group may be another's work.
//
// Pure: no goroutines, no locks. Who writes: svc.startd alone; the door lets nobody else.
//
// Source of behaviour: restarter properties of smf(7), libscf.h.
package record
