package configs

import (
	"slices"
	"testing"

	"github.com/linuxzones/zones/configs/privilege"
)

// TestDenialWins: one capability stands behind several privileges; denying one of them takes
// it away, giving that one back afterwards does not, and naming privileges from nothing gives
// each its own.
func TestDenialWins(t *testing.T) {
	for spec, want := range map[string]bool{
		"":                                     true,
		"default":                              true,
		"default,!net_rawaccess":               false,
		"default,-net_icmpaccess":              false,
		"default,!net_rawaccess,net_rawaccess": true,
		"none,proc_exec,proc_fork,sys_boot,net_icmpaccess": true,
		"none,proc_exec,proc_fork,sys_boot":                false,
		"all,!all,default":                                 true,
	} {
		z := New("web")
		z.Path, z.LimitPriv = "/zones/web", spec
		caps, err := z.Capabilities()
		if spec == "all,!all,default" && err == nil && !slices.Contains(caps, "CAP_SYS_BOOT") {
			t.Errorf("%q: a required capability is missing", spec)
		}
		if err != nil || slices.Contains(caps, "CAP_NET_RAW") != want {
			t.Errorf("%q: CAP_NET_RAW among %v (%v), want %v", spec, caps, err, want)
		}
	}
}

// TestDenyingOneKeepsTheRequired: no other privilege stands on what the brand requires, so
// that a denial can not make a zone that does not work.
func TestDenyingOneKeepsTheRequired(t *testing.T) {
	z := New("web")
	b, err := LookupBrand(z.Brand)
	if err != nil {
		t.Fatal(err)
	}
	required := b.Privileges(z.IPType).Required
	for _, name := range privilege.Names() {
		if required.Has(name) {
			continue
		}
		z.LimitPriv = "default,!" + name
		caps, err := z.Capabilities()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range required.Capabilities() {
			if !slices.Contains(caps, c) {
				t.Errorf("denying %s takes %s away", name, c)
			}
		}
	}
}
