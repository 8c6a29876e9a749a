package instance

import "strings"

const inMaintenance = "transitioned to maintenance"

var noticeTexts = map[Notice]string{
	StartRequested:       "starting",
	FailedRepeatedly:     "failed repeatedly: " + inMaintenance,
	FailedConfiguration:  "misconfigured: " + inMaintenance,
	FailedFatally:        "failed fatally: " + inMaintenance,
	FailedTimeout:        "timed out: " + inMaintenance,
	FailedOther:          "failed: " + inMaintenance,
	MaintenanceRequested: inMaintenance + " by request",
}

// Text is the line for the console: of fmri its short form is shown, and of a start the common
// name, if there is one.
func (n Notice) Text(fmri, commonName string) string {
	line := "[ " + strings.TrimPrefix(fmri, "svc:/") + " " + noticeTexts[n]
	switch {
	case n != StartRequested:
		line += " (see 'svcs -xv' for details)"
	case commonName != "":
		line += " (" + commonName + ")"
	}
	return line + " ]"
}
