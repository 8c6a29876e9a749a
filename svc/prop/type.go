package prop

// Type is a property's type. The numbers are written to repositories, and never change.
type Type uint8

// The types.
const (
	Invalid Type = iota
	Boolean
	Count   // 0 to 2^64-1
	Integer // -2^63 to 2^63-1
	Time    // seconds and nanoseconds since 1970
	Opaque  // bytes, as hexadecimal digits
	AString // bytes
	UString // UTF-8
	URI
	FMRI
	Host // a host's name or address
	Hostname
	NetAddress // of either family
	NetAddressV4
	NetAddressV6
	typeCount
)

// types are the types' words and what each is a kind of.
var types = [typeCount]struct {
	name   string
	parent Type
}{
	Boolean:      {"boolean", Invalid},
	Count:        {"count", Invalid},
	Integer:      {"integer", Invalid},
	Time:         {"time", Invalid},
	Opaque:       {"opaque", Invalid},
	AString:      {"astring", Invalid},
	UString:      {"ustring", AString},
	URI:          {"uri", UString},
	FMRI:         {"fmri", UString},
	Host:         {"host", UString},
	Hostname:     {"hostname", Host},
	NetAddress:   {"net_address", Host},
	NetAddressV4: {"net_address_v4", NetAddress},
	NetAddressV6: {"net_address_v6", NetAddress},
}

// String is the type's word, as manifests and commands have it.
func (t Type) String() string {
	if t >= typeCount || t == Invalid {
		return "invalid"
	}
	return types[t].name
}

// Valid says whether it is one of the types.
func (t Type) Valid() bool { return t > Invalid && t < typeCount }

// ParseType finds a type by its word.
func ParseType(word string) (Type, bool) {
	for t := Boolean; t < typeCount; t++ {
		if types[t].name == word {
			return t, true
		}
	}
	return Invalid, false
}

// Parent is the type that t is a kind of; Invalid where there is none.
func (t Type) Parent() Type {
	if !t.Valid() {
		return Invalid
	}
	return types[t].parent
}

// Is says whether a value of t is one of the other type too.
func (t Type) Is(other Type) bool {
	for ; t.Valid(); t = t.Parent() {
		if t == other {
			return true
		}
	}
	return false
}
