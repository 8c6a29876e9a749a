package server

import (
	"encoding/binary"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
)

func appendBools(b []byte, bits ...bool) []byte {
	var n byte
	for i, on := range bits {
		if on {
			n |= 1 << i
		}
	}
	return append(b, n)
}

func appendProc(b []byte, p table.Proc) []byte {
	b = binary.AppendUvarint(b, uint64(uint32(p.Pid)))
	b = binary.AppendUvarint(b, p.Start)
	return binary.AppendUvarint(b, uint64(uint32(p.ZPid)))
}

func appendPlaced(b []byte, c *birth) []byte {
	b = append(b, byte(c.mode))
	b = binary.AppendUvarint(b, uint64(c.until))
	return appendString(b, c.path)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBirth(b []byte, c *birth) []byte {
	b = binary.AppendUvarint(b, uint64(c.ct))
	b = appendProc(b, c.by.Proc)
	b = binary.AppendUvarint(b, uint64(c.by.UID))
	b = binary.AppendUvarint(b, uint64(c.by.CT))
	b = binary.AppendUvarint(b, c.unique)
	b = appendBools(b, c.by.InZone, c.placed, c.forked)
	return appendPlaced(b, c)
}

// decoder takes values off a text that somebody else may have written. After the first that
// is not there all are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) uint32() uint32 {
	n := d.uint()
	if n > 1<<32-1 {
		d.bad, d.b = true, nil
		return 0
	}
	return uint32(n)
}

// count is a number of things that follow, of a byte each at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bools(to ...*bool) {
	n := d.byte()
	for i, p := range to {
		*p = n&(1<<i) != 0
	}
	if n>>len(to) != 0 {
		d.bad = true
	}
}

func (d *decoder) proc() table.Proc {
	return table.Proc{Pid: int32(d.uint32()), Start: d.uint(), ZPid: int32(d.uint32())}
}

func (d *decoder) placed(c *birth) {
	c.mode = kernel.Mode(d.byte())
	c.until = int64(d.uint())
	c.path = d.string()
}

func (d *decoder) string() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) birth() *birth {
	c := &birth{ct: contract.ID(d.uint32())}
	c.by.Proc = d.proc()
	c.by.UID = d.uint32()
	c.by.CT = contract.ID(d.uint32())
	c.unique = d.uint()
	d.bools(&c.by.InZone, &c.placed, &c.forked)
	d.placed(c)
	return c
}
