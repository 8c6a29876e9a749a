package zoned

import (
	"strconv"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console"
	"github.com/linuxzones/zones/console/logfile"
)

// The configuration's words on the console's log: attr resources of type uint. They count for
// the incarnation that was made ready with them, and before it for the supervisor that starts.
// Values are checked where the plan is made.
const (
	attrConsoleLogSize  = "console-log-size"
	attrConsoleLogCount = "console-log-count"
)

// consoleLog is where this zone's console is written.
func (z *Zone) consoleLog() *console.LogFile {
	return &console.LogFile{Dir: z.lay.Log, Limits: z.consoleLogLimits()}
}

// consoleLogLimits are of the configuration that the zone was made ready with, if it was.
func (z *Zone) consoleLogLimits() logfile.Limits {
	zone, err := z.store.LoadSnapshot(z.name)
	if err != nil {
		zone, _, err = z.store.Load(z.name)
	}
	if err != nil {
		z.log.WithError(err).Warn("limits of the console log")
		zone = configs.New(z.name)
	}
	return logLimits(zone)
}

func logLimits(zone *configs.Zone) logfile.Limits {
	l := logfile.Limits{Bytes: logfile.BytesUsual, Count: logfile.CountUsual}
	for _, a := range zone.Attrs {
		n, err := strconv.ParseInt(a.Value, 10, 64)
		switch {
		case err != nil: // it is refused where the plan is made
		case a.Name == attrConsoleLogSize && (n == 0 || logfile.BytesMin <= n && n <= logfile.BytesMax):
			l.Bytes = n
		case a.Name == attrConsoleLogCount && 0 <= n && n <= logfile.CountMax:
			l.Count = int(n)
		}
	}
	return l
}
