package zoned

import (
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console/logfile"
	"github.com/linuxzones/zones/vplat"
)

func TestLogLimits(t *testing.T) {
	usual := logfile.Limits{Bytes: logfile.BytesUsual, Count: logfile.CountUsual}
	for _, c := range []struct {
		size, count string
		want        logfile.Limits
	}{
		{"", "", usual},
		{"0", "", logfile.Limits{Count: logfile.CountUsual}},
		{"65536", "0", logfile.Limits{Bytes: 65536}},
		{"1073741824", "99", logfile.Limits{Bytes: 1 << 30, Count: 99}},
		{"1", "100", usual},
		{"-1", "-1", usual},
		{"much", "many", usual},
	} {
		z := configs.New("web")
		for name, v := range map[string]string{attrConsoleLogSize: c.size, attrConsoleLogCount: c.count} {
			if v != "" {
				z.Attrs = append(z.Attrs, configs.Attr{Name: name, Type: "uint", Value: v})
			}
		}
		if got := logLimits(z); got != c.want {
			t.Errorf("%q, %q: %+v, want %+v", c.size, c.count, got, c.want)
		}
	}
}

// What the plan allows is what is put into effect.
func TestLogBoundsAreThePlans(t *testing.T) {
	if vplat.ConsoleLogMin != logfile.BytesMin || vplat.ConsoleLogMax != logfile.BytesMax || vplat.ConsoleLogFilesMax != logfile.CountMax ||
		vplat.AttrConsoleLogSize != attrConsoleLogSize || vplat.AttrConsoleLogCount != attrConsoleLogCount {
		t.Error("the bounds differ")
	}
}
