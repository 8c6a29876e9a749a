package instance

import "github.com/linuxzones/zones/svc/graph"

// The reasons that are written as auxiliary_state.
const (
	auxInserted      = "insert_in_graph"
	auxEnabled       = "enable_request"
	auxDisabled      = "disable_request"
	auxSatisfied     = "dependencies_satisfied"
	auxCleared       = "clear_request"
	auxAdministrator = "administrative_request"
	auxService       = "service_request"
	auxCycle         = "dependency_cycle"
	auxInvalid       = "invalid_dependency"
	auxFailed        = "method_failed"
	auxThreshold     = "fault_threshold_reached"
	auxTooQuick      = "restarting_too_quickly"
	auxRestarted     = "startd_restart"
)

// cause is why a service that runs is stopped: what kind of event that is to its dependents, and
// what is said of it.
type cause struct {
	class graph.Class
	aux   string
	text  string
}

var (
	causeExit       = cause{graph.Restarted, "ct_ev_exit", "all processes in service exited"}
	causeBadConfig  = cause{graph.Fault, auxFailed, "service exited with a configuration error"}
	causeErrorExit  = cause{graph.Restarted, "ct_ev_exit", "service exited with an error"}
	causeCore       = cause{graph.Fault, "ct_ev_core", "process dumped core"}
	causeSignal     = cause{graph.Fault, "ct_ev_signal", "process received fatal signal from outside the service"}
	causeHwerr      = cause{graph.Fault, "ct_ev_hwerr", "process killed due to uncorrectable hardware error"}
	causeDependency = cause{graph.Restarted, "dependency_activity", "dependency activity requires stop"}
	causeDisable    = cause{graph.Restarted, auxDisabled, "service disabled"}
	causeRestart    = cause{graph.Restarted, "restart_request", "service restarting"}
	causePeriod     = cause{graph.Fault, auxFailed, "a periodic run of its start method failed"}
	causeMonitor    = cause{graph.Fault, auxService, "its monitor reports that it does not work"}
)

// classOf is the class of the stop that aux was written for, by one who died before it was done.
func classOf(aux string) graph.Class {
	switch aux {
	case causeCore.aux, causeSignal.aux, causeHwerr.aux, auxFailed:
		return graph.Fault
	}
	return graph.Restarted
}
