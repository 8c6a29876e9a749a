package build

import "testing"

func TestOlder(t *testing.T) {
	ascending := []string{"", "0.0.1", "0.0.10", "0.1.0", "0.9.99", "0.10.0", "1.0.0", "1.0.1", "12.0.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			if Older(a, b) != (i < j) {
				t.Errorf("%q older than %q: %v", a, b, Older(a, b))
			}
		}
	}
	for _, bad := range []string{"1", "1.2", "1.2.3.4", "1.2.x", "-1.2.3", "1.2.03", "1.2.+3", "9999999999.0.0", "1.2.3\n", "1..3", "v1.2.3"} {
		if _, ok := Parse(bad); ok || !Older(bad, "0.0.0") || Older("0.0.0", bad) || Older(bad, bad) {
			t.Errorf("%q is taken for a version", bad)
		}
	}
	if _, ok := Parse(Version); !ok {
		t.Errorf("this program's own is %q", Version)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1.2.3")
	f.Add("01.2.3")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := Parse(s); ok && (n[0] < 0 || len(s) > 32 || Older(s, s)) {
			t.Errorf("%q: %v", s, n)
		}
	})
}
