package configs

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// secFlags are the process security flags.
var secFlags = []string{"aslr", "forbidnullmap", "noexecstack"}

func checkDevice(v string) error {
	if err := checkAbsolute(v); err != nil {
		return err
	}
	if !strings.HasPrefix(v, "/dev/") || len(v) == len("/dev/") {
		return fmt.Errorf("match %.80s is not below /dev", v)
	}
	return nil
}

func checkRctlName(v string) error {
	if !slices.Contains(rctlNames, v) {
		return fmt.Errorf("'%.80s' is not a valid zone rctl name, allowed are %s", v, strings.Join(rctlNames, ", "))
	}
	return nil
}

func checkAttrName(v string) error {
	if !wellNamed(v, nameBytes) {
		return fmt.Errorf("Invalid attr name %.80s: allowed are 1 to %d of A-Z a-z 0-9 _ . -, and it must start with an alpha-numeric character",
			v, nameBytesMax)
	}
	if strings.HasPrefix(v, "zone") {
		return fmt.Errorf("Invalid attr name %.80s: names that start with 'zone' are reserved", v)
	}
	return nil
}

// checkAttrValue checks a value against its type.
func checkAttrValue(typ, value string) error {
	var err error
	want := ""
	switch typ {
	case "boolean":
		want = "true or false"
		if value != "true" && value != "false" {
			err = strconv.ErrSyntax
		}
	case "int":
		want = "a whole number of 64 bits"
		_, err = strconv.ParseInt(value, 10, 64)
	case "uint":
		want = "a whole number of 64 bits without sign"
		_, err = strconv.ParseUint(value, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("invalid attr value for type=%s: %.40q, want %s", typ, value, want)
	}
	return nil
}

func checkDataset(v string) error {
	bad := len(v) > shortBytesMax || !alphanumeric(v[0])
	for _, c := range strings.Split(v, "/") {
		bad = bad || c == "" || c == "." || c == ".." || !consistsOf(c, nameBytes+": ")
	}
	if bad {
		return fmt.Errorf("name invalid: %.80q, want the name of a dataset, pool/path/name", v)
	}
	return nil
}

func checkUser(v string) error {
	if len(v) > nameBytesMax || v[0] == '-' || strings.ContainsAny(v, ":/, \"") || strings.ContainsFunc(v, func(r rune) bool { return r > 0x7e }) {
		return fmt.Errorf("user %.80s is not a valid username: allowed are up to %d characters without ':', '/', ',' or space", v, nameBytesMax)
	}
	return nil
}

func checkAuths(v string) error {
	seen := map[string]bool{}
	for _, a := range strings.Split(v, ",") {
		if !slices.Contains(Auths, a) {
			return fmt.Errorf("%.40q is not a valid authorization, allowed are %s, with commas", a, strings.Join(Auths, ", "))
		}
		if seen[a] {
			return fmt.Errorf("authorization %s stands twice", a)
		}
		seen[a] = true
	}
	return nil
}

// ParseCPURange reads the ncpus of dedicated-cpu: n or n-m.
func ParseCPURange(v string) (lo, hi uint64, err error) {
	first, last, ranged := strings.Cut(v, "-")
	if !ranged {
		last = first
	}
	lo, err1 := strconv.ParseUint(first, 10, 32)
	hi, err2 := strconv.ParseUint(last, 10, 32)
	if err1 != nil || err2 != nil || lo < 1 || lo > hi {
		return 0, 0, fmt.Errorf("ncpus property is out of range: %.40q, want a number from 1 or a range n-m", v)
	}
	return lo, hi, nil
}

// ParseCPUCap reads the ncpus of capped-cpu, a decimal number of processors, as percent
// of one processor.
func ParseCPUCap(v string) (percent uint64, err error) {
	whole, frac, point := strings.Cut(v, ".")
	err = fmt.Errorf("ncpus property is out of range: %.40q, want a decimal number of processors from 0.01", v)
	if len(v) > 12 || whole != "" && !digits(whole) || point && frac != "" && !digits(frac) || whole == "" && frac == "" {
		return 0, err
	}
	n, ok := new(big.Rat).SetString("0" + v)
	if !ok {
		return 0, err
	}
	n.Mul(n, new(big.Rat).SetInt64(100))
	percent = new(big.Int).Quo(n.Num(), n.Denom()).Uint64()
	if percent < 1 {
		return 0, err
	}
	return percent, nil
}

// parseSecFlags reads a list of security flags from left to right; - or ! takes one
// away, none and all stand for sets.
func parseSecFlags(v string) (map[string]bool, error) {
	set := map[string]bool{}
	for _, item := range strings.Split(v, ",") {
		name := strings.ToLower(strings.TrimSpace(item))
		take := name != "" && (name[0] == '-' || name[0] == '!')
		if take {
			name = name[1:]
		}
		flags := []string{name}
		switch {
		case name == "all":
			flags = secFlags
		case name == "none":
			flags = nil
		case !slices.Contains(secFlags, name):
			return nil, fmt.Errorf("%.40q is not a valid security flag, allowed are %s, none, all, with commas", item, strings.Join(secFlags, ", "))
		}
		for _, f := range flags {
			if take {
				delete(set, f)
			} else {
				set[f] = true
			}
		}
	}
	return set, nil
}

// checkRctlValue checks one value of a control.
func checkRctlValue(name string, v RctlValue) error {
	if v.Priv != "privileged" {
		return fmt.Errorf("Invalid rctl value specification: priv is %.40q, allowed is privileged", v.Priv)
	}
	want := []string{"deny", "none"}
	if name == RctlCPUShares {
		want = []string{"none"}
	}
	if !slices.Contains(want, v.Action) {
		return fmt.Errorf("Invalid rctl value specification: action of %s is %.40q, allowed are %s", name, v.Action, strings.Join(want, ", "))
	}
	if v.Limit > 1<<63-1 {
		return fmt.Errorf("Invalid rctl value specification: limit %d is out of range, the most is %d", v.Limit, uint64(1<<63-1))
	}
	return nil
}
