package method

import "time"

// monitorPeriod is how often a monitor runs that does not say.
const monitorPeriod = time.Minute

// MonitorPeriod is how long after the beginning of a run of the monitor the next one begins:
// monitor/period, in seconds. A value that makes no sense is a notice, and does not count.
func (i *Instance) MonitorPeriod() (period time.Duration, notice string, err error) {
	g, err := group(i.Running, Monitor)
	if err != nil || g == nil {
		return monitorPeriod, "", err
	}
	p := g.Prop("period")
	if p == nil {
		return monitorPeriod, "", nil
	}
	n, ok := duration(p)
	if !ok || n == 0 {
		return monitorPeriod, name(Monitor, "period") + " is not a number of seconds above 0, and does not count.", nil
	}
	return n, "", nil
}
