package zoned

import (
	"time"

	"github.com/sirupsen/logrus"
)

// refusalsLogged is how many refusals a minute reach the supervisor's log: who connects in a
// loop must not fill the disk. Each has its audit record, and the audit file is bounded.
const refusalsLogged = 20

// logRefusal tells of a refusal, unless there were many.
func (z *Zone) logRefusal(level logrus.Level, fields logrus.Fields, text string) {
	ok, silent := z.audit.refusals.Allow(time.Now())
	if !ok {
		return
	}
	if silent > 0 {
		fields["unlogged"] = silent
	}
	z.log.WithFields(fields).Log(level, text)
}
