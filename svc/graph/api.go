package graph

// VerticesMax is how many instances, services and files there may be: ten times what the largest
// known system has, and some 100 MB.
const VerticesMax = 1 << 18

// State is the state of an instance, as its restarter reports it.
type State uint8

// None is no state: as Next, that no transition is on its way.
const (
	None State = iota
	Uninitialized
	Disabled
	Offline
	Online
	Degraded
	Maintenance
)

func (s State) String() string {
	return [...]string{"none", "uninitialized", "disabled", "offline", "online", "degraded", "maintenance"}[s]
}

func (s State) running() bool { return s == Online || s == Degraded }

// up is what must come down before the zone does: the original counts offline as well.
func (s State) up() bool { return s.running() || s == Offline }

// Class is what kind of event a stop, start or refresh was, and in a Dependency the restart_on:
// the greatest class that is passed on.
type Class uint8

const (
	NoClass   Class = iota // restart_on none; a report that is no event
	Fault                  // restart_on error: a core dump, a signal, a hardware error
	Restarted              // restart_on restart: any other stop
	Refreshed              // restart_on refresh
)

func (c Class) String() string { return [...]string{"none", "error", "restart", "refresh"}[c] }

// Grouping is how the members of a dependency count.
type Grouping uint8

const (
	RequireAll Grouping = iota + 1
	RequireAny
	OptionalAll
	ExcludeAll
)

func (g Grouping) String() string {
	return [...]string{"", "require_all", "require_any", "optional_all", "exclude_all"}[g]
}

// Scheme is what a dependency's property type says that its entities are.
type Scheme uint8

const (
	Services Scheme = iota // "service": services and instances
	Paths                  // "path": files
)

// Dependency is a property group of type dependency. One without entities is satisfied.
type Dependency struct {
	Name      string
	Grouping  Grouping
	RestartOn Class
	Scheme    Scheme
	Entities  []string
}

// Override is general_ovr/enabled.
type Override uint8

const (
	NoOverride Override = iota
	OverrideDisabled
	OverrideEnabled
)

// Config is what the graph needs to know of an instance.
type Config struct {
	Restarter    string // FMRI of an instance; empty and svc:/system/svc/restarter:default are svc.startd
	Dependencies []Dependency
	Enabled      bool // general/enabled
	Override     Override
	// Invalid says that a dependency's properties cannot be read, and why.
	Invalid string
	// Deathrow is an instance whose package is about to go: it is not run, and who depends on
	// it is satisfied.
	Deathrow bool
	// Single is general/single_instance: of the service's instances one runs at a time. Others that
	// are enabled wait for its end.
	Single bool
}

// Kind says what an Op is.
type Kind uint8

const (
	_         Kind = iota
	Configure      // FMRI, Config: the instance is there, or its running snapshot changed
	Remove         // FMRI: it was deleted
	Enable         // FMRI, Config.Enabled, Config.Override: the administrator's wish
	Request        // FMRI, Event: what is passed on to the restarter as it is
	Changed        // FMRI, State, Next, Class, Answers: the restarter's report
	File           // FMRI, Present
	// FMRI of one of Milestones, "all" or "none". Present says that svc.startd was started again
	// at that milestone: nobody is brought down for it, and no override is touched, until the
	// same milestone is said again without: when it is known again what runs.
	Milestone
)

// Milestones are what a zone can be brought to, besides "all" and "none".
var Milestones = []string{
	"svc:/milestone/single-user:default", "svc:/milestone/multi-user:default", "svc:/milestone/multi-user-server:default",
}

// startd is the restarter of instances that name none. It is no vertex.
const startd = "svc:/system/svc/restarter:default"

// Op is one thing that happens to a graph. Fields that a kind does not name are ignored.
type Op struct {
	Kind    Kind
	FMRI    string
	Config  Config
	Event   Event
	State   State
	Next    State
	Class   Class
	Present bool
	Answers bool // the report ends what the oldest order without an answer began
}

// Event is what a restarter is told, or svc.startd itself.
type Event uint8

const (
	_ Event = iota
	// To the restarter, on the graph's own account.
	AddInstance
	RemoveInstance
	EnableInstance
	DisableInstance // does not end maintenance
	AdminDisable    // does
	Start
	Stop      // because of a fault of a dependency
	StopReset // for another cause: the times of starts are forgotten
	DependencyCycle
	InvalidDependency
	InvalidRestarter // the restarter is not told: svc.startd writes maintenance itself
	// To the restarter, by Request.
	AdminRestart
	AdminRefresh
	AdminMaintOn
	AdminMaintOnImmediate
	AdminMaintOff
	AdminDegraded
	// To svc.startd.
	SetOverride // Override is written to general_ovr (NoOverride: deleted)
	Watch       // the file FMRI is wanted
	Unwatch
	Down // what is outside of the milestone FMRI is down: time to halt, or for a shell
)

func (e Event) String() string {
	return [...]string{
		"none", "add_instance", "remove_instance", "enable", "disable", "admin_disable", "start", "stop", "stop_reset",
		"dependency_cycle", "invalid_dependency", "invalid_restarter", "admin_restart", "admin_refresh", "admin_maint_on",
		"admin_maint_on_immediate", "admin_maint_off", "admin_degraded", "set_override", "watch", "unwatch", "down",
	}[e]
}

// Order is what is to be done with one instance, file or milestone.
type Order struct {
	Event     Event
	FMRI      string
	Restarter string   // empty: svc.startd
	Path      []string // DependencyCycle: from the instance to itself, without groups
	Detail    string   // InvalidDependency, InvalidRestarter: what is wrong
	Override  Override
}

// Verdict is whether a dependency is satisfied.
type Verdict int8

const (
	Never     Verdict = -1 // not without an administrator
	NotYet    Verdict = 0
	Satisfied Verdict = 1
)

func (v Verdict) String() string {
	return [...]string{"unsatisfiable", "unsatisfied", "satisfied"}[v+1]
}
