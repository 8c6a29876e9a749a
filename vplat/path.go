package vplat

import (
	"errors"
	"path"
	"strconv"
	"strings"
)

// pathBytesMax is below the kernel's PATH_MAX, so that what we put before or behind a path
// of the configuration still fits.
const pathBytesMax = 1024

var (
	errNotAbsolute = errors.New("not an absolute path")
	errNotClean    = errors.New("has empty, . or .. components or a slash at the end; write the path without")
	errPathLong    = errors.New("is longer than " + strconv.Itoa(pathBytesMax) + " bytes")
	errPathBytes   = errors.New("holds a control character")
)

// checkHostPath holds for every path that the plan names: what is written is what is meant.
func checkHostPath(p string) error {
	switch {
	case !strings.HasPrefix(p, "/"):
		return errNotAbsolute
	case len(p) > pathBytesMax:
		return errPathLong
	case path.Clean(p) != p:
		return errNotClean
	case strings.ContainsFunc(p, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return errPathBytes
	}
	return nil
}

// below says that p is dir or lies in it. Both are clean.
func below(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

func quote(s string) string { return strconv.Quote(s) }
