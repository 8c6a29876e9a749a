package idrange

import "testing"

// FuzzSpans: whatever the host's files of users say, what is read of it is spans that end behind
// where they begin, within the ids that there are.
func FuzzSpans(f *testing.F) {
	for _, s := range []string{"u:100000:65536\n", "root:x:0:0:::\n", "u:4294967295:4294967295\n", "u:-1:5\nv:5:0\n:::\n", "\x00:1:1", "u:1:1:extra"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, ranges bool) {
		first, count := 2, -1
		if ranges {
			first, count = 1, 2
		}
		for _, s := range parseSpans(text, first, count) {
			if s[0] >= s[1] || s[1] > 2<<32 {
				t.Fatalf("%q: %d to %d", text, s[0], s[1])
			}
		}
	})
}
