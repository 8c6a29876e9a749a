package zoned

import (
	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/api"
)

// phase is a part of a transition.
type phase string

// The phases. Halt is first in every list that has it and may be repeated.
const (
	phaseHalt  phase = "halt"
	phaseReady phase = "ready"
	phaseBoot  phase = "boot"
)

// cell says what a verb means in a state: phases to run, or a note with success, or (with
// neither) a refusal.
type cell struct {
	phases []phase
	note   string // a message's key
	// shutdown is done beside the other transitions, which may overtake it.
	shutdown bool
	leave    bool // note_uninstalling: the supervisor goes
}

var (
	halt     = []phase{phaseHalt}
	toReady  = []phase{phaseReady}
	toBoot   = []phase{phaseReady, phaseBoot}
	bootOnly = []phase{phaseBoot}
	reReady  = []phase{phaseHalt, phaseReady}
	reboot   = []phase{phaseHalt, phaseReady, phaseBoot}
)

// transitions is zoneadmd's table of commands and states (zoneadmd.c, server). Losing a race
// to the wanted state is success with a note. What is not in it is refused with
// "X operation is invalid for zones in state 'Y'". A state of incomplete counts as installed
// for a forced boot. In state mounted nothing but what is refused exists yet.
var transitions = map[configs.State]map[api.Verb]cell{
	configs.Configured: {},
	configs.Incomplete: {
		// A zone that was marked while its supervisor was there for the console; the original
		// refuses it, and such a zone can not be uninstalled.
		api.VerbNoteUninstalling: {leave: true},
	},
	configs.Installed: {
		api.VerbReady:            {phases: toReady},
		api.VerbBoot:             {phases: toBoot},
		api.VerbHalt:             {note: keyAlreadyHalted},
		api.VerbShutdown:         {note: keyAlreadyHalted}, // -r boots it: see transition
		api.VerbNoteUninstalling: {leave: true},
	},
	configs.Ready: {
		api.VerbReady: {note: keyAlreadyReady},
		api.VerbBoot:  {phases: bootOnly},
		api.VerbHalt:  {phases: halt},
	},
	configs.Mounted: {},
	configs.Running: {
		api.VerbReady:    {phases: reReady},
		api.VerbBoot:     {note: keyAlreadyBooted},
		api.VerbHalt:     {phases: halt},
		api.VerbReboot:   {phases: reboot},
		api.VerbShutdown: {shutdown: true},
	},
	configs.ShuttingDown: {
		api.VerbReady:    {phases: reReady},
		api.VerbBoot:     {note: keyAlreadyBooted},
		api.VerbHalt:     {phases: halt},
		api.VerbReboot:   {phases: reboot},
		api.VerbShutdown: {phases: halt},
	},
	configs.Down: {
		api.VerbReady:    {phases: reReady},
		api.VerbBoot:     {note: keyAlreadyBooted},
		api.VerbHalt:     {phases: halt},
		api.VerbReboot:   {phases: reboot},
		api.VerbShutdown: {phases: halt},
	},
}

// commandName is a verb as the original's messages spell it.
func commandName(v api.Verb) string {
	if v == api.VerbNoteUninstalling {
		return "note_uninstall"
	}
	return string(v)
}

// access says who may call a verb.
type access int

const (
	hostRoot access = iota // root in the host's namespaces
)

// callers is the door's table of verbs: who may call each. A verb that is not in it does not
// exist. It is looked at before anything but the verb is made of a request.
var callers = map[api.Verb]access{
	api.VerbPing:             hostRoot,
	api.VerbReady:            hostRoot,
	api.VerbBoot:             hostRoot,
	api.VerbHalt:             hostRoot,
	api.VerbReboot:           hostRoot,
	api.VerbUpgrade:          hostRoot,
	api.VerbShutdown:         hostRoot,
	api.VerbNoteUninstalling: hostRoot,
	api.VerbLogin:            hostRoot,
	api.VerbWait:             hostRoot,
	api.VerbSignal:           hostRoot,
	api.VerbContracts:        hostRoot,
	api.VerbContractEvents:   hostRoot,
}
