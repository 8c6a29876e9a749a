package build

import (
	"strconv"
	"strings"
)

// Version is this program's: three numbers with dots between them.
var Version = "0.1.0"

// ExitOlder is the exit code of a program that will not take over what a newer build has.
const ExitOlder = 18

// partsMax and partMax bound what is taken for a version: it may be another program's word.
const (
	partsMax = 3
	partMax  = 1 << 20
)

// Parse takes a version apart. False: it is none.
func Parse(v string) (n [partsMax]int, ok bool) {
	parts := strings.Split(v, ".")
	if len(v) > 32 || len(parts) != partsMax {
		return n, false
	}
	for i, p := range parts {
		k, err := strconv.Atoi(p)
		if err != nil || k < 0 || k > partMax || strconv.Itoa(k) != p {
			return n, false
		}
		n[i] = k
	}
	return n, true
}

// Older says whether a is of an older build than b. What is no version is older than any.
func Older(a, b string) bool {
	na, oka := Parse(a)
	nb, okb := Parse(b)
	if !oka || !okb {
		return !oka && okb
	}
	for i := range na {
		if na[i] != nb[i] {
			return na[i] < nb[i]
		}
	}
	return false
}
