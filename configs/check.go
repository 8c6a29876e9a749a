package configs

import (
	"fmt"
	"strings"
)

const (
	nameBytesMax = 63
	pathBytesMax = 1024
)

// CheckName checks the name of a zone other than the host.
func CheckName(name string) error {
	const allowed = "a name has 1 to 63 of the characters A-Z a-z 0-9 _ . - and starts with a letter or digit"
	switch {
	case name == "" || len(name) > nameBytesMax || !alphanumeric(name[0]):
		return fmt.Errorf("invalid zone name %q: %s", name, allowed)
	case strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f || !alphanumeric(byte(r)) && !strings.ContainsRune("_.-", r) }):
		return fmt.Errorf("invalid zone name %q: %s", name, allowed)
	case name == GlobalName:
		return fmt.Errorf("invalid zone name %q: it is the host's own", name)
	case strings.HasPrefix(name, "SUNW"):
		return fmt.Errorf("invalid zone name %q: names that start with SUNW are reserved for templates", name)
	}
	return nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
