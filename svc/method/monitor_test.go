package method

import (
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/tree"
)

func TestMonitorPeriod(t *testing.T) {
	for name, c := range map[string]struct {
		groups []tree.Group
		want   time.Duration
		notice bool
	}{
		"no monitor":  {nil, time.Minute, false},
		"no period":   {[]tree.Group{grp("monitor", str("exec", "true"))}, time.Minute, false},
		"a period":    {[]tree.Group{grp("monitor", count("period", "5"))}, 5 * time.Second, false},
		"none":        {[]tree.Group{grp("monitor", count("period", "0"))}, time.Minute, true},
		"a word":      {[]tree.Group{grp("monitor", str("period", "often"))}, time.Minute, true},
		"for ever":    {[]tree.Group{grp("monitor", count("period", "18446744073709551615"))}, time.Minute, true},
		"another one": {[]tree.Group{grp("start", count("period", "5"))}, time.Minute, false},
	} {
		got, notice, err := instance(c.groups...).MonitorPeriod()
		if err != nil || got != c.want || (notice != "") != c.notice {
			t.Errorf("%s: %v, %q, %v", name, got, notice, err)
		}
	}
}
