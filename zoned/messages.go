package zoned

import (
	"fmt"

	"github.com/linuxzones/zones/zoned/api"
)

// Keys of messages. A key is for good; its text may be rendered in another language by a
// client, with the same arguments.
const (
	keyAlreadyReady     = "already.ready"
	keyAlreadyBooted    = "already.booted"
	keyAlreadyHalted    = "already.halted"
	keyRestartCancelled = "restart.cancelled"
	keyInvalidState     = "state.invalid"
	keyBusy             = "busy"
	keyQueueFull        = "busy.full"
	keyPrivileges       = "door.privileges"
	keyBadRequest       = "door.request"
	keyVersion          = "door.version"
	keyDescriptors      = "door.descriptors"
	keyUnknownVerb      = "door.verb"
	keyStep             = "step"
	keyStepFailed       = "step.failed"
	keyInitStat         = "init.stat"
	keyInitNotExec      = "init.exec"
	keyInitUnable       = "init.unable"
	keyBootArgsLong     = "bootargs.long"
	keyBootArgsBad      = "bootargs.unused"
	keyDestroy          = "halt.unable"
	keyDestroyWhy       = "halt.why"
	keyShutdownUnable   = "shutdown.unable"
	keyShutdownProgress = "shutdown.progress"
	keyLoginState       = "login.state"
	keyLoginFailed      = "login.failed"
	keyLoginUnknown     = "login.unknown"
	keyLoginLost        = "login.lost"
	keyLoginMax         = "login.max"
	keyRecovered        = "recovered"
	keyInterrupted      = "interrupted"
	keyWarning          = "warning"
	keyZoneState        = "zone.state"
	keyContractsNone    = "contracts.none"
	keyContractsBusy    = "contracts.busy"
	keyContractsFailed  = "contracts.failed"
	keyLeft             = "halt.left"
	keyLeftCount        = "halt.checked"
	keyLeftUnknown      = "halt.unchecked"
	keyUpgradeNothing   = "upgrade.nothing"
	keyUpgradeSame      = "upgrade.same"
	keyUpgradeRefused   = "upgrade.refused"
	keyUpgraded         = "upgrade.done"
	keyUpgradeFailed    = "upgrade.failed"
)

// english are the texts. The words of the original are kept to the letter where it has them.
var english = map[string]string{
	keyAlreadyReady:     "zone is already ready",
	keyAlreadyBooted:    "zone is already booted",
	keyAlreadyHalted:    "zone is already halted",
	keyRestartCancelled: "the restart that was due in %s is cancelled",
	keyInvalidState:     "%s operation is invalid for zones in state '%s'",
	keyBusy:             "waiting: %s is under way",
	keyQueueFull:        "%s requests wait already: try again later",
	keyPrivileges:       "insufficient privileges",
	keyBadRequest:       "invalid argument: %s",
	keyVersion:          "this supervisor speaks version %s of the door's protocol, the request is of version %s",
	keyDescriptors:      "%s takes no descriptors",
	keyUnknownVerb:      "invalid command '%s'",
	keyStep:             "%s",
	keyStepFailed:       "%s: %s",
	keyInitStat:         "could not stat %s: %s",
	keyInitNotExec:      "%s is not executable",
	keyInitUnable:       "unable to boot zone: %s: %s",
	keyBootArgsLong:     "boot argument string too long",
	keyBootArgsBad:      "WARNING: Unused or invalid boot arguments: %s",
	keyDestroy:          "unable to destroy zone",
	keyDestroyWhy:       "%s",
	keyShutdownUnable:   "unable to shutdown zone",
	keyShutdownProgress: "shutdown already in progress",
	keyLoginState:       "login allowed only to running zones (%s is '%s').",
	keyLoginFailed:      "%s",
	keyLoginUnknown:     "no login of this id is known",
	keyLoginLost:        "the supervisor ended while the login was being started; it was undone, try again",
	keyLoginMax:         "%s logins are open already",
	keyRecovered:        "zone '%s': WARNING: zone is in state '%s', but zoneadmd does not appear to be available; restarted zoneadmd to recover.",
	keyInterrupted:      "the supervisor was interrupted %s times during %s; given up",
	keyWarning:          "WARNING: %s",
	keyZoneState:        "unable to determine state of zone: %s",
	keyContractsNone:    "no contracts are served for the zone: it is not ready",
	keyContractsBusy:    "%s callers look at contracts already",
	keyContractsFailed:  "contracts: %s",
	keyLeft:             "the zone is halted, but not gone: %s; try zoneadm -z %s fsck",
	keyLeftCount:        "%s",
	keyUpgradeNothing:   "zone is not ready: whoever boots it starts the programs that are installed",
	keyUpgradeSame:      "the zone runs the installed build %s already",
	keyUpgradeRefused:   "not upgraded: %s; build %s goes on",
	keyUpgraded:         "build %s runs the zone now, build %s did before",
	keyUpgradeFailed:    "not upgraded: the supervisor of build %s did not come to serve, build %s goes on; see %s",
	keyLeftUnknown:      "WARNING: it could not be checked whether anything of the zone is left: %s",
}

// message makes a reply of a key and its arguments.
func message(level api.Level, key string, args ...string) api.Reply {
	text, ok := english[key]
	if !ok {
		text = key
	}
	var a []any
	for _, s := range args {
		a = append(a, s)
	}
	return api.Reply{Type: api.ReplyMessage, Level: level, Key: key, Args: args, Text: fmt.Sprintf(text, a...)}
}
