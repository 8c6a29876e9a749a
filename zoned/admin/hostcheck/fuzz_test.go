package hostcheck

import (
	"strings"
	"testing"
)

// FuzzMounts: a table of mounts, in which users of the host and zones may have named mount points,
// is read to its end, and each mount has a place and a type.
func FuzzMounts(f *testing.F) {
	f.Add([]byte("22 1 0:1 / /a\\040b rw shared:1 - ext4 /dev/x rw\n"))
	f.Add([]byte("x - y\n - - - \n22 1 0:1 / / rw - - - -\n"))
	f.Add([]byte("1 2 3 4 5 6 - cgroup2 none rw"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list := parseMounts(b)
		if len(list) > strings.Count(string(b), "\n")+1 {
			t.Fatalf("%d mounts in %q", len(list), b)
		}
		for _, m := range list {
			if m.point == "" {
				t.Fatalf("%q: %+v", b, m)
			}
		}
	})
}
