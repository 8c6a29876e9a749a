package remains

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
)

// markAttr is where a cgroup carries its mark. Names under trusted are for root of the host
// alone: root of a zone can neither read nor write one, though its directory be delegated.
const markAttr = "trusted.zones"

// markWord begins a mark; its number is the form's version.
const markWord = "zones1"

// markBytesMax bounds what is read of a mark. A device's alias, which is one too, holds 255.
const markBytesMax = 255

// Mark says whose a thing is. Number 0 is the zone's own, over all generations.
type Mark struct {
	Boot string // of the host
	ID   int
	Zone string
	root string // the instance, see rootHash
}

// rootHash stands for an instance: a path may be longer than an alias.
func rootHash(lay layout.Layout) string {
	sum := sha256.Sum256([]byte(lay.Root))
	return hex.EncodeToString(sum[:16])
}

// String is the mark as it is written.
func (m Mark) String() string {
	return strings.Join([]string{markWord, m.Boot, strconv.Itoa(m.ID), m.Zone, m.root}, " ")
}

// parseMark takes a mark apart. False: it is none, or names what can be no zone.
func parseMark(s string) (Mark, bool) {
	f := strings.Split(s, " ")
	if len(s) > markBytesMax || len(f) != 5 || f[0] != markWord {
		return Mark{}, false
	}
	id, err := strconv.Atoi(f[2])
	m := Mark{Boot: f[1], ID: id, Zone: f[3], root: f[4]}
	return m, err == nil && id >= 0 && configs.CheckName(m.Zone) == nil && m.String() == s
}

// Mark gives the mark of a generation of this instance.
func (h *Host) Mark(zone string, id int) Mark {
	return Mark{Boot: h.boot, ID: id, Zone: zone, root: rootHash(h.lay)}
}

// ours says whether a mark is of this instance and this boot.
func (h *Host) ours(m Mark) bool { return m.root == rootHash(h.lay) && m.Boot == h.boot }

// WriteMark marks a directory of a cgroup hierarchy.
func WriteMark(dir string, m Mark) error {
	return unix.Setxattr(dir, markAttr, []byte(m.String()), 0)
}

// readMark reads the mark of an open directory.
func readMark(fd int) (Mark, bool) {
	var b [markBytesMax + 1]byte
	n, err := unix.Fgetxattr(fd, markAttr, b[:])
	if err != nil || n <= 0 {
		return Mark{}, false
	}
	return parseMark(string(b[:n]))
}

// errReplaced: what was found is not there any more, or another thing is in its place.
var errReplaced = errors.New("it was replaced while it was looked at")
