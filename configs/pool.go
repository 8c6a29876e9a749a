package configs

import (
	"fmt"
	"strconv"
	"strings"
)

// Pools of a zone are attributes pool.NAME of type string, whose value is a list of processors: what a
// service of the zone names as its resource_pool. They are the host's administrator's to define, as
// poolcfg's are in the original.

// PoolPrefix begins the name of an attribute that defines a pool.
const PoolPrefix = "pool."

// Bounds of pools.
const (
	// PoolsMax is how many a zone may have: as many as one looks through.
	PoolsMax = 64
	// processorsBytesMax is the longest list, processorMax the largest number of a processor: what
	// Linux can be built for.
	processorsBytesMax = 1024
	processorMax       = 8191
)

// Pools are the zone's pools: lists of processors, as the kernel takes them, by name. An error names
// the attribute that is wrong.
func Pools(z *Zone) (map[string]string, error) {
	pools := map[string]string{}
	for _, a := range z.Attrs {
		name, is := strings.CutPrefix(a.Name, PoolPrefix)
		if !is {
			continue
		}
		if name == "" || !alphanumeric(name[0]) {
			return nil, fmt.Errorf("attr %s: what follows '%s' is the pool's name, and starts with a letter or a digit", a.Name, PoolPrefix)
		}
		if a.Type != "string" {
			return nil, fmt.Errorf("attr %s: its type is '%s'; string is wanted", a.Name, a.Type)
		}
		if _, twice := pools[name]; twice {
			return nil, fmt.Errorf("attr %s: it is there twice; remove one", a.Name)
		}
		if err := checkProcessors(a.Value); err != nil {
			return nil, fmt.Errorf("attr %s: %w", a.Name, err)
		}
		if pools[name] = a.Value; len(pools) > PoolsMax {
			return nil, fmt.Errorf("attr %s: a zone has at most %d pools", a.Name, PoolsMax)
		}
	}
	return pools, nil
}

// checkProcessors checks a list: numbers, and ranges of them, with commas between, as 0-3,8.
func checkProcessors(list string) error {
	wrong := fmt.Errorf("%.80q is no list of processors; one is like 0-3,8 with numbers up to %d", list, processorMax)
	if len(list) > processorsBytesMax {
		return wrong
	}
	for word := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, ok1 := processor(first)
		to, ok2 := processor(last)
		if !ok1 || !ok2 || from > to {
			return wrong
		}
	}
	return nil
}

// processor reads a number as the kernel writes it.
func processor(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && 0 <= n && n <= processorMax && strconv.Itoa(n) == text
}
