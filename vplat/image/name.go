package image

import (
	"fmt"
	"strconv"
	"strings"
)

// whiteoutPrefix begins the names by which a layer of a container image says that a
// file of the layer below is gone.
const whiteoutPrefix = ".wh."

// cleanName turns the name of an archive's entry into a relative name without empty and
// "." components. The root itself is the empty string. Names that lead elsewhere are
// refused rather than repaired: whoever wrote them meant something that is not done here.
func cleanName(raw string, lim Limits) (string, error) {
	if raw == "" || strings.IndexByte(raw, 0) >= 0 {
		return "", ErrName
	}
	if raw[0] == '/' {
		return "", ErrEscape
	}
	if len(raw) > lim.NameBytesMax {
		return "", fmt.Errorf("%w of %d bytes", ErrNameTooLong, lim.NameBytesMax)
	}
	parts := make([]string, 0, 16)
	for part := range strings.SplitSeq(raw, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return "", ErrEscape
		case len(part) > componentBytesMax:
			return "", fmt.Errorf("%w of %d bytes for a part between slashes", ErrNameTooLong, componentBytesMax)
		case strings.HasPrefix(part, whiteoutPrefix):
			return "", ErrWhiteout
		}
		parts = append(parts, part)
	}
	if len(parts) > lim.DepthMax {
		return "", fmt.Errorf("%w of %d", ErrTooDeep, lim.DepthMax)
	}
	return strings.Join(parts, "/"), nil
}

// splitName separates the last component of a clean name.
func splitName(name string) (dir, base string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// joinName is for names that are shown or remembered, never for opening.
func joinName(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}

// quote makes bytes of a stranger fit for a terminal and a log: control characters,
// invalid UTF-8 and characters that change the direction of text are escaped, and long
// names lose their middle.
func quote(name string) string {
	if len(name) > shownNameBytesMax {
		const half = shownNameBytesMax / 2
		name = name[:half] + "..." + name[len(name)-half:]
	}
	return strconv.Quote(name)
}

// sanitise is quote without the quotation marks, for progress lines.
func sanitise(name string) string {
	q := quote(name)
	return q[1 : len(q)-1]
}
