package configs

import (
	"maps"
	"strconv"
	"strings"
	"testing"
)

func TestPools(t *testing.T) {
	z := &Zone{Attrs: []Attr{
		{"comment", "string", "x"}, {"pool.fast", "string", "0-3,8"}, {"pool.1.b_-", "string", "8191"}, {"pool", "string", "none of ours"}, {"pools.x", "string", "nor this"},
	}}
	got, err := Pools(z)
	if err != nil || !maps.Equal(got, map[string]string{"fast": "0-3,8", "1.b_-": "8191"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, list := range []string{
		"", ",", "1,", ",1", "x", "1-", "-1", "3-1", "1-2-3", "01", "+1", "8192", "0-99999999999999999999", "0 1", "0\n", "all", "0x1", "1;2", strings.Repeat("1,", 600) + "1",
	} {
		if got, err := Pools(&Zone{Attrs: []Attr{{"pool.a", "string", list}}}); err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "attr pool.a: ") {
			t.Errorf("%q: %q, %v", list, got, err)
		}
	}
	var many []Attr
	for n := range PoolsMax + 1 {
		many = append(many, Attr{"pool.p" + strconv.Itoa(n), "string", "0"})
	}
	for what, attrs := range map[string][]Attr{
		"type is 'uint'":  {{"pool.a", "uint", "0"}},
		"there twice":     {{"pool.a", "string", "0"}, {"pool.a", "string", "1"}},
		"at most 64":      many,
		"starts with a l": {{"pool.", "string", "0"}},
		"a letter or a d": {{"pool..x", "string", "0"}},
	} {
		if got, err := Pools(&Zone{Attrs: attrs}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	if got, err := Pools(&Zone{Attrs: many[:PoolsMax]}); err != nil || len(got) != PoolsMax {
		t.Errorf("as many as there may be: %d, %v", len(got), err)
	}
}
