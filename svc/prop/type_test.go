package prop

import "testing"

func TestTypes(t *testing.T) {
	for kind := Boolean; kind < typeCount; kind++ {
		back, ok := ParseType(kind.String())
		if !ok || back != kind || !kind.Valid() || !kind.Is(kind) {
			t.Errorf("%v (%d): %v %v", kind, kind, back, ok)
		}
		if p := kind.Parent(); p != Invalid && (!kind.Is(p) || p.Is(kind)) {
			t.Errorf("%v and its parent %v", kind, p)
		}
	}
	for _, bad := range []string{"", "invalid", "string", "Boolean", "net_address_v5"} {
		if kind, ok := ParseType(bad); ok {
			t.Errorf("%q is %v", bad, kind)
		}
	}
	if Invalid.Valid() || typeCount.Valid() || Type(200).String() != "invalid" || Invalid.Is(Invalid) {
		t.Error("a type that is none")
	}
	if !NetAddressV6.Is(AString) || NetAddressV6.Is(NetAddressV4) || AString.Is(UString) || Count.Is(Integer) {
		t.Error("what is a kind of what")
	}
}
