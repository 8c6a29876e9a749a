package repo

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// Every value is a checksum (CRC-32C, four bytes, little-endian) of its key and of what follows,
// a version, and the generation of the repository at which it was written; numbers are varints,
// strings have their length before them.
//
//	record   sum, 1, generation, number
//	group    sum, 1, generation, flags, type, properties: name, type, values
//
// The number of a record is nothing for services and instances, the content of a snapshot, the
// snapshots of a content. In a content the generation is 0: equal groups are equal bytes.
const (
	valueVersion = 1
	sumBytes     = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, body []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, body)
}

// seal puts the checksum into a value whose first bytes were left for it.
func seal(key, value []byte) []byte {
	binary.LittleEndian.PutUint32(value, checksum(key, value[sumBytes:]))
	return value
}

// begin starts a value.
func begin(b []byte, generation uint64) []byte {
	b = append(b[:0], 0, 0, 0, 0, valueVersion)
	return binary.AppendUvarint(b, generation)
}

// unseal checks a value and takes it apart: its generation, and what follows.
func unseal(key, value []byte) (generation uint64, body []byte, ok bool) {
	if len(value) <= sumBytes || binary.LittleEndian.Uint32(value) != checksum(key, value[sumBytes:]) ||
		value[sumBytes] != valueVersion {
		return 0, nil, false
	}
	body = value[sumBytes+1:]
	generation, n := binary.Uvarint(body)
	if n <= 0 {
		return 0, nil, false
	}
	return generation, body[n:], true
}

func appendRecord(key []byte, generation, number uint64) []byte {
	b := begin(make([]byte, 0, recordBytesMax), generation)
	return seal(key, binary.AppendUvarint(b, number))
}

func decodeRecord(key, value []byte) (generation, number uint64, ok bool) {
	generation, body, ok := unseal(key, value)
	if !ok {
		return 0, 0, false
	}
	number, n := binary.Uvarint(body)
	return generation, number, n > 0 && n == len(body)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// encodeGroup writes a group into b, whose content is lost. The name is the key's. Properties
// must be in the order of names.
func encodeGroup(b, key []byte, generation uint64, g *tree.Group) []byte {
	b = begin(b, generation)
	b = binary.AppendUvarint(b, uint64(g.Flags))
	b = appendString(b, g.Type)
	b = binary.AppendUvarint(b, uint64(len(g.Props)))
	for i := range g.Props {
		p := &g.Props[i]
		b = appendString(b, p.Name)
		b = append(b, byte(p.Type))
		b = binary.AppendUvarint(b, uint64(len(p.Values)))
		for _, v := range p.Values {
			b = appendString(b, v)
		}
	}
	return seal(key, b)
}

// decodeGroup reads a group. The result shares nothing with value. ErrCorrupt.
func decodeGroup(key, value []byte, name string) (g tree.Group, generation uint64, err error) {
	var d decoder
	return d.group(key, value, name)
}

// group is decodeGroup whose result is good until the next one.
func (d *decoder) group(key, value []byte, name string) (g tree.Group, generation uint64, err error) {
	generation, body, ok := unseal(key, value)
	if !ok || len(value) > groupBytesMax {
		return g, 0, &named{name, ErrCorrupt}
	}
	d.s, d.bad = string(body), false
	g.Name = name
	g.Flags = tree.Flags(d.number(uint64(tree.NonPersistent)))
	g.Type = d.str(fmri.NameBytesMax)
	g.Props = d.properties()
	if d.bad || d.s != "" || fmri.CheckName(g.Type) != nil {
		return tree.Group{}, 0, &named{name, ErrCorrupt}
	}
	return g, generation, nil
}

// decoder takes a text apart; the strings that it gives are parts of it.
type decoder struct {
	s   string
	bad bool
	// What was given last.
	props  []tree.Property
	values []string
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
		if c < 0x80 {
			if n > limit || i > 0 && c == 0 { // one number has one text
				break
			}
			d.s = d.s[i+1:]
			return n
		}
	}
	d.bad, d.s = true, ""
	return 0
}

// length reads how many there are of what takes a byte at least.
func (d *decoder) length(limit int) int { return int(d.number(uint64(min(limit, len(d.s))))) }

func (d *decoder) str(limit int) string {
	n := d.length(limit)
	if n > len(d.s) {
		d.bad, d.s = true, ""
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

func (d *decoder) properties() []tree.Property {
	n := d.length(propertiesMax)
	if n == 0 {
		return nil
	}
	if cap(d.props) < n {
		d.props, d.values = make([]tree.Property, 0, n), make([]string, 0, n)
	}
	props, values := d.props[:0], d.values[:0]
	last := ""
	for range n {
		p := tree.Property{Name: d.str(fmri.NameBytesMax), Type: prop.Type(d.number(255))}
		first := len(values)
		for range d.length(valuesMax) {
			values = append(values, d.str(prop.ValueBytesMax))
			if d.bad {
				return nil
			}
		}
		if len(values) > first {
			p.Values = values[first:len(values):len(values)]
		}
		if d.bad || p.Name <= last || fmri.CheckName(p.Name) != nil || !p.Type.Valid() {
			d.bad = true
			return nil
		}
		last = p.Name
		props = append(props, p)
	}
	d.props, d.values = props, values
	return props
}
