package main

import (
	"slices"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestSupervisorDirs(t *testing.T) {
	for in, want := range map[string][]string{
		"0::/zones/web/sup\n":                      {"/zones/web/sup", "/zones/web", "/zones"},
		"4:memory:/\n0::/zones.00c0ffee/web/sup\n": {"/zones.00c0ffee/web/sup", "/zones.00c0ffee/web", "/zones.00c0ffee"},
		"0::/zones.slice/zone-web-1.scope/sup\n":   nil,
		"0::/user.slice/web/sup\n":                 nil,
		"0::/zones/web\n":                          nil,
		"0::/\n":                                   nil,
		"1:name=systemd:/zones/web/sup\n":          nil,
		"":                                         nil,
	} {
		if got := supervisorDirs(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
