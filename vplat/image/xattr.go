package image

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// xattr is one extended attribute.
type xattr struct {
	name  string
	value []byte
}

// verdict on an attribute.
type verdict int

const (
	skip   verdict = iota // counted, not an error
	keep                  // after a look at its value
	refuse                // the whole source
)

// xattrRules by prefix; the first that fits decides, and what fits none is skipped.
var xattrRules = []struct {
	prefix  string
	verdict verdict
	check   func([]byte) error
}{
	// Means something to overlayfs only, which would act on it.
	{"user.overlay.", skip, nil},
	{"user.", keep, nil},
	{"security.capability", keep, checkCapability},
	// Labels of SELinux, IMA, EVM and Smack belong to the policy of the host they come from.
	{"security.", skip, nil},
	{xattrACLAccess, keep, checkACL},
	{xattrACLDefault, keep, checkACL},
	// overlayfs keeps its own state there: what carries it is a layer, not a tree.
	{"trusted.", refuse, nil},
}

const (
	xattrACLAccess  = "system.posix_acl_access"
	xattrACLDefault = "system.posix_acl_default"
)

// judgeXattr decides about one attribute of a source.
func judgeXattr(name string, value []byte) (verdict, error) {
	for _, r := range xattrRules {
		if !strings.HasPrefix(name, r.prefix) {
			continue
		}
		if r.verdict == refuse {
			return refuse, fmt.Errorf("%w: %s", ErrXattr, quote(name))
		}
		if r.verdict == keep {
			if len(name) > componentBytesMax || len(value) > xattrBytesMax || strings.IndexByte(name, 0) >= 0 {
				return refuse, fmt.Errorf("%w: %s is too long", ErrXattr, quote(name))
			}
			if r.check != nil {
				if err := r.check(value); err != nil {
					return refuse, fmt.Errorf("%w: %s: %w", ErrXattr, quote(name), err)
				}
			}
		}
		return r.verdict, nil
	}
	return skip, nil
}

// Of linux/capability.h, struct vfs_ns_cap_data: magic and flags, two pairs of sets, and
// from revision 3 on the user id that is root of the namespace it is for.
const (
	capRevisionMask = 0xff000000
	capRevision2    = 0x02000000
	capRevision3    = 0x03000000
	capBytes2       = 20
	capBytes3       = 24
)

// checkCapability takes file capabilities that are for the zone's own root. Any other
// root id names a user namespace of the host, chosen by a stranger.
func checkCapability(v []byte) error {
	if len(v) < 4 {
		return fmt.Errorf("%d bytes are no file capability", len(v))
	}
	switch rev := binary.LittleEndian.Uint32(v) & capRevisionMask; {
	case rev == capRevision2 && len(v) == capBytes2:
		return nil
	case rev == capRevision3 && len(v) == capBytes3:
		if id := binary.LittleEndian.Uint32(v[capBytes2:]); id != 0 {
			return fmt.Errorf("it is for the user namespace whose root is %d", id)
		}
		return nil
	}
	return fmt.Errorf("unknown revision or length of a file capability")
}

// Of linux/posix_acl_xattr.h: a version, then entries of tag, permissions and id.
const (
	aclVersion    = 2
	aclHeadBytes  = 4
	aclEntryBytes = 8
	aclTagUser    = 0x02
	aclTagGroup   = 0x08
)

// checkACL takes access control lists whose ids are the zone's.
func checkACL(v []byte) error {
	if len(v) < aclHeadBytes || (len(v)-aclHeadBytes)%aclEntryBytes != 0 ||
		binary.LittleEndian.Uint32(v) != aclVersion {
		return fmt.Errorf("not an access control list")
	}
	for e := v[aclHeadBytes:]; len(e) > 0; e = e[aclEntryBytes:] {
		tag, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint32(e[4:])
		if (tag == aclTagUser || tag == aclTagGroup) && id > idMax {
			return ErrOwnerRange
		}
	}
	return nil
}

// readXattrs reads the attributes of an open file that are to be kept, and counts the rest.
func readXattrs(fd int) (kept []xattr, skipped int64, err error) {
	size, err := unix.Flistxattr(fd, nil)
	if err != nil || size == 0 {
		return nil, 0, ignoreUnsupported(err)
	}
	list := make([]byte, size+xattrListSlackBytes)
	if size, err = unix.Flistxattr(fd, list); err != nil {
		return nil, 0, fmt.Errorf("list attributes: %w", err)
	}
	value := make([]byte, xattrBytesMax)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:size]), "\x00"), "\x00") {
		n, err := unix.Fgetxattr(fd, name, value)
		if err == unix.ENODATA {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read attribute %s: %w", quote(name), err)
		}
		v, err := judgeXattr(name, value[:n])
		if err != nil {
			return nil, 0, err
		}
		if v == skip {
			skipped++
			continue
		}
		if len(kept) == xattrsMax {
			return nil, 0, fmt.Errorf("%w: more than %d of them", ErrXattr, xattrsMax)
		}
		kept = append(kept, xattr{name, append([]byte(nil), value[:n]...)})
	}
	return kept, skipped, nil
}

// xattrListSlackBytes: attributes may appear between asking for the size and the list.
const xattrListSlackBytes = 1024

func ignoreUnsupported(err error) error {
	if err == unix.ENOTSUP {
		return nil
	}
	return err
}
