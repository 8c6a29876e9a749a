package door

import (
	"encoding/binary"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

func appendNumber(b []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func appendString(b []byte, strings ...string) []byte {
	for _, s := range strings {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func appendStrings(b []byte, list []string) []byte {
	return appendString(binary.AppendUvarint(b, uint64(len(list))), list...)
}

func appendBool(b []byte, is bool) []byte {
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendProperty writes a property.
func AppendProperty(b []byte, p *tree.Property) []byte {
	b = append(appendString(b, p.Name), byte(p.Type))
	return appendStrings(b, p.Values)
}

// withheldFlag stands beside a group's own flags.
const withheldFlag = 1 << 32

// AppendGroup writes a group that was read.
func AppendGroup(b []byte, g *Group) []byte {
	flags := uint64(g.Flags)
	if g.Withheld {
		flags |= withheldFlag
	}
	b = appendNumber(b, g.Generation, flags)
	b = appendString(b, g.Name, g.Type)
	b = appendNumber(b, uint64(len(g.Props)))
	for i := range g.Props {
		b = AppendProperty(b, &g.Props[i])
	}
	return b
}

// decoder takes a message apart; the strings that it gives are parts of it.
type decoder struct {
	s      string
	bad    bool
	opsMax int
	strs   int // strings taken, of whatever length
}

// done says whether the message was sound and is used up.
func (d *decoder) done() bool { return !d.bad && d.s == "" }

func (d *decoder) fail() { d.bad, d.s = true, "" }

func (d *decoder) byte() byte {
	if d.s == "" {
		d.fail()
		return 0
	}
	c := d.s[0]
	d.s = d.s[1:]
	return c
}

func (d *decoder) bool() bool {
	c := d.byte()
	if c > 1 {
		d.fail()
	}
	return c == 1
}

// number reads a varint that is at most limit.
func (d *decoder) number(limit uint64) uint64 {
	var n uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c >= 0x80 {
			continue
		}
		if n > limit || i > 0 && c == 0 { // one number has one text
			break
		}
		d.s = d.s[i+1:]
		return n
	}
	d.fail()
	return 0
}

// count reads how many there are of what takes at least so many bytes each.
func (d *decoder) count(limit, eachBytes int) int {
	n := d.number(uint64(limit))
	if n > uint64(len(d.s)/eachBytes) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) str(limit int) string {
	d.strs++
	n := d.count(limit, 1)
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

// strings reads a list; nil when it is empty.
func (d *decoder) strings(limit, eachMax int) []string {
	n := d.count(limit, 1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.str(eachMax)
	}
	if d.bad {
		return nil
	}
	return list
}

func (d *decoder) entity() repo.Entity {
	return repo.Entity{Service: d.str(nameBytesMax), Instance: d.str(nameBytesMax)}
}

// More than the repository takes, so that it is the repository which refuses, in its words.
const (
	groupsMax = 1 << 11
	propsMax  = 1 << 13
	valuesMax = 1 << 11
)

func (d *decoder) property() tree.Property {
	return tree.Property{
		Name: d.str(nameBytesMax), Type: prop.Type(d.byte()), Values: d.strings(valuesMax, valueBytesMax),
	}
}

func (d *decoder) group() Group {
	var g Group
	g.Generation = d.number(1<<64 - 1)
	flags := d.number(withheldFlag | (1<<32 - 1))
	g.Flags, g.Withheld = tree.Flags(flags&(1<<32-1)), flags&withheldFlag != 0
	g.Name, g.Type = d.str(nameBytesMax), d.str(nameBytesMax)
	// A property takes three bytes: two lengths and a type.
	if n := d.count(propsMax, 3); n > 0 {
		g.Props = make([]tree.Property, n)
		for i := range g.Props {
			g.Props[i] = d.property()
		}
	}
	return g
}

func (d *decoder) groups() []tree.Group {
	// Two numbers, two strings, a count.
	n := d.count(groupsMax, 5)
	if n == 0 {
		return nil
	}
	list := make([]tree.Group, n)
	for i := range list {
		list[i] = d.group().Group
	}
	return list
}

func appendGroups(b []byte, groups []tree.Group) []byte {
	b = appendNumber(b, uint64(len(groups)))
	for i := range groups {
		b = AppendGroup(b, &Group{Group: groups[i]})
	}
	return b
}
