package prop

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
)

// hostBytesMax and labelBytesMax are those of RFC 1035.
const (
	hostBytesMax  = 255
	labelBytesMax = 63
)

// hostname is labels of letters, digits and inner hyphens (RFC 1123), with a dot at the end or
// without. One that is all digits and dots would be an address that is none.
func hostname(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > hostBytesMax {
		return false
	}
	numeric := true
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > labelBytesMax || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			if !alphanumeric(label[i]) && label[i] != '-' {
				return false
			}
		}
		numeric = numeric && decimal(label)
	}
	return !numeric
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// address is one of the family, 4 or 6, with an optional prefix length: 192.0.2.0/24.
func address(s string, family int) bool {
	addr, length, has := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" || a.Is4() != (family == 4) {
		return false
	}
	if !has {
		return true
	}
	n, err := strconv.Atoi(length)
	return err == nil && decimal(length) && len(length) <= 3 && n <= a.BitLen()
}

// isFMRI is what a dependency may name: an FMRI in full.
func isFMRI(s string) bool {
	_, err := fmri.Parse(s)
	return err == nil
}

// uri is the characters and the shape of RFC 3986: an optional scheme, and what may follow it.
func uri(s string) bool {
	colon := strings.IndexByte(s, ':')
	if slash := strings.IndexAny(s, "/?#"); colon >= 0 && (slash < 0 || colon < slash) {
		if !scheme(s[:colon]) {
			return false
		}
		s = s[colon+1:]
	}
	fragment := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) || !hexDigit(s[i+1]) || !hexDigit(s[i+2]) {
				return false
			}
			i += 2
		case c == '#':
			if fragment {
				return false
			}
			fragment = true
		case !alphanumeric(c) && strings.IndexByte("-._~:/?[]@!$&'()*+,;=", c) < 0:
			return false
		}
	}
	return s != ""
}

func scheme(s string) bool {
	for i := 0; i < len(s); i++ {
		if !alphanumeric(s[i]) && strings.IndexByte("+-.", s[i]) < 0 {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9') && alphanumeric(s[0])
}
