package configs

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The resource controls that are behind properties of other resources.
const (
	RctlCPUCap       = "zone.cpu-cap"
	RctlCPUShares    = "zone.cpu-shares"
	RctlMaxSwap      = "zone.max-swap"
	RctlLockedMemory = "zone.max-locked-memory"
)

// rctlNames are the controls that exist.
var rctlNames = []string{RctlCPUCap, RctlCPUShares, "zone.max-lofi", RctlLockedMemory, "zone.max-lwps", "zone.max-msg-ids",
	"zone.max-processes", "zone.max-sem-ids", "zone.max-shm-ids", "zone.max-shm-memory", RctlMaxSwap}

// RctlAlias is a property that is a short way to write a resource control.
type RctlAlias struct {
	// Name is the property: max-lwps.
	Name string
	// Rctl is the control: zone.max-lwps.
	Rctl string
	// Action is what the control does at its limit.
	Action string
	// Min is the least limit that leaves a zone able to boot.
	Min uint64
	// Memory: the limit is written with K, M, G or T.
	Memory bool
}

// rctlAliases are the properties in the order in which info shows them. swap, locked
// and ncpus of capped-memory and capped-cpu are aliases as well, but of a resource.
var rctlAliases = []RctlAlias{
	{Name: "max-lwps", Rctl: "zone.max-lwps", Action: "deny", Min: 100},
	{Name: "max-processes", Rctl: "zone.max-processes", Action: "deny", Min: 100},
	{Name: "max-shm-memory", Rctl: "zone.max-shm-memory", Action: "deny", Memory: true},
	{Name: "max-shm-ids", Rctl: "zone.max-shm-ids", Action: "deny"},
	{Name: "max-msg-ids", Rctl: "zone.max-msg-ids", Action: "deny"},
	{Name: "max-sem-ids", Rctl: "zone.max-sem-ids", Action: "deny"},
	{Name: "cpu-shares", Rctl: RctlCPUShares, Action: "none", Min: 1},
}

// RctlAliases lists the aliases that are properties of the zone itself.
func RctlAliases() []RctlAlias { return slices.Clone(rctlAliases) }

// LookupAlias finds an alias by its property's name.
func LookupAlias(name string) (RctlAlias, bool) {
	for _, a := range rctlAliases {
		if a.Name == name {
			return a, true
		}
	}
	return RctlAlias{}, false
}

// The aliases inside of resources.
var (
	AliasCPUCap = RctlAlias{Name: "ncpus", Rctl: RctlCPUCap, Action: "deny", Min: 1}
	AliasSwap   = RctlAlias{Name: "swap", Rctl: RctlMaxSwap, Action: "deny", Min: 50 << 20, Memory: true}
	AliasLocked = RctlAlias{Name: "locked", Rctl: RctlLockedMemory, Action: "deny", Memory: true}
)

// ErrAliasIncompatible: the control has values that the alias cannot express. The text
// is the original's.
var ErrAliasIncompatible = errors.New("An incompatible rctl already exists for this property")

// Alias reads a resource control through its alias. ok is false when the control is
// not set; ErrAliasIncompatible when it is set in a way that the alias cannot show.
func (z *Zone) Alias(a RctlAlias) (limit uint64, ok bool, err error) {
	i := z.findRctl(a.Rctl)
	if i < 0 {
		return 0, false, nil
	}
	v := z.Rctls[i].Values
	if len(v) != 1 || v[0].Priv != "privileged" || v[0].Action != a.Action {
		return 0, true, fmt.Errorf("%w: %s", ErrAliasIncompatible, a.Rctl)
	}
	return v[0].Limit, true, nil
}

// SetAlias sets a resource control through its alias; ErrAliasIncompatible as Alias.
func (z *Zone) SetAlias(a RctlAlias, limit uint64) error {
	if _, _, err := z.Alias(a); err != nil {
		return err
	}
	if limit < a.Min {
		least := decimal(a.Min)
		if a.Memory {
			least = FormatMemory(a.Min)
		}
		return fmt.Errorf("%s property is out of range: %d, the least is %s", a.Name, limit, least)
	}
	z.ClearAlias(a)
	z.Rctls = append(z.Rctls, Rctl{Name: a.Rctl, Values: []RctlValue{{Priv: "privileged", Limit: limit, Action: a.Action}}})
	return nil
}

// ClearAlias removes the control behind an alias, and says whether there was one.
func (z *Zone) ClearAlias(a RctlAlias) bool {
	i := z.findRctl(a.Rctl)
	if i < 0 {
		return false
	}
	z.Rctls = slices.Delete(slices.Clone(z.Rctls), i, i+1)
	return true
}

func (z *Zone) findRctl(name string) int {
	return slices.IndexFunc(z.Rctls, func(r Rctl) bool { return r.Name == name })
}

// Limit gives the limit that is enforced for a control: the least of those with action
// deny, or for controls without denial (cpu-shares) the first. ok is false for none.
func (z *Zone) Limit(rctl string) (limit uint64, ok bool) {
	i := z.findRctl(rctl)
	if i < 0 {
		return 0, false
	}
	for _, v := range z.Rctls[i].Values {
		if v.Action == "deny" || rctl == RctlCPUShares {
			if !ok || v.Limit < limit {
				limit, ok = v.Limit, true
			}
		}
	}
	return limit, ok
}

// CappedCPU gives the limit of processor time, nil for none.
func (z *Zone) CappedCPU() *CappedCPU {
	if n, ok := z.Limit(RctlCPUCap); ok {
		return &CappedCPU{Percent: n}
	}
	return nil
}

// CappedMemory gives the limits of memory, nil when none is set.
func (z *Zone) CappedMemory() *CappedMemory {
	swap, hasSwap := z.Limit(RctlMaxSwap)
	locked, hasLocked := z.Limit(RctlLockedMemory)
	if z.PhysicalMemory == 0 && !hasSwap && !hasLocked {
		return nil
	}
	return &CappedMemory{Physical: z.PhysicalMemory, Swap: swap, Locked: locked}
}

const memoryUnits = "BKMGT"

// ParseMemory reads a quantity of memory: a number, decimals allowed, with the letter
// B, K, M, G or T, of either case. The letter is required, as in the original: a bare
// number would be read as bytes by one and as megabytes by the next.
func ParseMemory(s string) (uint64, error) {
	err := fmt.Errorf("A positive number with a required scale suffix (K, M, G or T) was expected here, not %.40q", s)
	if len(s) < 2 || len(s) > 24 {
		return 0, err
	}
	unit := strings.IndexByte(memoryUnits, strings.ToUpper(s)[len(s)-1])
	whole, frac, point := strings.Cut(s[:len(s)-1], ".")
	if unit < 0 || !digits(whole) || point && !digits(frac) || len(whole) > 20 || len(frac) > 6 {
		return 0, err
	}
	n, ok := new(big.Rat).SetString(s[:len(s)-1])
	if !ok {
		return 0, err
	}
	n.Mul(n, new(big.Rat).SetInt64(1<<(10*unit)))
	bytes := new(big.Int).Quo(n.Num(), n.Denom())
	if !bytes.IsUint64() {
		return 0, fmt.Errorf("%.40q is more than 64 bits can count", s)
	}
	return bytes.Uint64(), nil
}

// FormatMemory is the shortest text that ParseMemory reads back as n: 1.5G, 1300K.
func FormatMemory(n uint64) string {
	for unit := len(memoryUnits) - 1; unit > 0; unit-- {
		size := uint64(1) << (10 * unit)
		if n < size {
			continue
		}
		if n%size == 0 {
			return decimal(n/size) + memoryUnits[unit:unit+1]
		}
		if tenths := n % size * 10; tenths%size == 0 {
			return decimal(n/size) + "." + decimal(tenths/size) + memoryUnits[unit:unit+1]
		}
	}
	return decimal(n) + "B"
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
