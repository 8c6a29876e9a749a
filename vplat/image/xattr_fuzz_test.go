package image

import (
	"encoding/binary"
	"strings"
	"testing"
)

// FuzzXattr: of a stranger's attributes none is kept that names a user namespace of the host or an
// id beyond the zone's, or that acts on the host's layers.
func FuzzXattr(f *testing.F) {
	capability := make([]byte, capBytes3)
	binary.LittleEndian.PutUint32(capability, capRevision3|1)
	f.Add("security.capability", capability)
	f.Add("security.capability", append(capability[:capBytes2:capBytes2], 1, 0, 0, 0))
	f.Add("security.capability", []byte{0, 0, 0, 2})
	acl := []byte{2, 0, 0, 0, 2, 0, 7, 0, 0, 0, 1, 0}
	f.Add(xattrACLAccess, acl)
	f.Add(xattrACLDefault, acl[:7])
	f.Add("user.overlay.redirect", []byte("/etc"))
	f.Add("trusted.overlay.opaque", []byte("y"))
	f.Add("user.x\x00y", []byte{})
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		v, err := judgeXattr(name, value)
		if (err != nil) != (v == refuse) {
			t.Fatalf("%q: %d, %v", name, v, err)
		}
		if v != keep {
			return
		}
		switch {
		case strings.HasPrefix(name, "trusted."), strings.HasPrefix(name, "user.overlay."), strings.ContainsRune(name, 0), len(value) > xattrBytesMax:
			t.Fatalf("%q is kept", name)
		case strings.HasPrefix(name, "security."):
			if !strings.HasPrefix(name, "security.capability") || len(value) == capBytes3 && binary.LittleEndian.Uint32(value[capBytes2:]) != 0 {
				t.Fatalf("%q is kept: %x", name, value)
			}
		case strings.HasPrefix(name, "system."):
			for e := value[aclHeadBytes:]; len(e) >= aclEntryBytes; e = e[aclEntryBytes:] {
				if tag := binary.LittleEndian.Uint16(e); (tag == aclTagUser || tag == aclTagGroup) && binary.LittleEndian.Uint32(e[4:]) > idMax {
					t.Fatalf("an id beyond the zone's is kept: %x", value)
				}
			}
		}
	})
}

// FuzzMounts: a table of mounts with any mount points in it hides none: what is written as the
// kernel writes it is found.
func FuzzMounts(f *testing.F) {
	f.Add([]byte("22 1 0:1 / /zones/a\\040b/c rw - tmpfs x rw\n"), "/zones/a b/c/d")
	f.Add([]byte("short\n"), "/x/\\134")
	f.Add([]byte("\n"), "/x/line\nend")
	f.Fuzz(func(t *testing.T, before []byte, point string) {
		_, _ = mountsBelow(strings.NewReader(string(before)), "/x") // whatever it is
		if strings.ContainsRune(point, 0) || len(point) > 4096 {
			return
		}
		var escaped strings.Builder
		for _, c := range []byte(point) {
			if c == ' ' || c == '\t' || c == '\n' || c == '\\' {
				escaped.WriteString("\\" + string('0'+c>>6) + string('0'+c>>3&7) + string('0'+c&7))
			} else {
				escaped.WriteByte(c)
			}
		}
		at := "/zone/" + point
		found, err := mountsBelow(strings.NewReader("22 1 0:1 / /zone/"+escaped.String()+" rw - tmpfs x rw\n"), "/zone")
		if strings.ContainsRune(point, '\r') {
			return // the kernel escapes it not, and no scanner of lines may take it off inside of one
		}
		if err != nil || len(found) != 1 || found[0] != at {
			t.Fatalf("%q: %q, %v", at, found, err)
		}
	})
}
