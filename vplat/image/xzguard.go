package image

import (
	"encoding/binary"
	"fmt"
	"io"
)

// xzGuard passes an xz file on and looks at the dictionary size of every block before
// the decoder sees it: the decoder allocates the dictionary at once, whatever its size,
// and the format allows 4 GiB. The framing can be followed without decoding, because
// LZMA2 chunks carry their compressed sizes. Format: tukaani.org/xz/xz-file-format.txt.
type xzGuard struct {
	r   io.Reader
	max int64
	err error

	pass int64              // bytes that need no look
	need int                // bytes to gather in buf for then
	buf  []byte             //
	then func([]byte) error // sets what comes next
	size int64              // bytes of the block's data, or of the index, so far
	sum  int64              // bytes of the check behind each block
}

const (
	xzHeaderBytes  = 12
	xzFooterBytes  = 12
	xzFilterLZMA2  = 0x21
	xzFiltersMask  = 0x03
	xzHasPacked    = 0x40
	xzHasUnpacked  = 0x80
	xzVarintMax    = 9
	xzDictBitsMax  = 40 // the code for 4 GiB - 1
	lzma2End       = 0x00
	lzma2PlainMax  = 0x02
	lzma2Packed    = 0x80
	lzma2NewProps  = 0xc0
	xzAlign        = 4
	xzMagicAndFlag = 8
)

// xzCheckBytes by the id of the check.
var xzCheckBytes = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

func newXZGuard(r io.Reader, max int64) *xzGuard {
	g := &xzGuard{r: r, max: max}
	g.gather(xzHeaderBytes, g.header)
	return g
}

// Read gives bytes out only when all of them have been looked at.
func (g *xzGuard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.r.Read(p)
	if bad := g.look(p[:n]); bad != nil {
		g.err = bad
		return 0, bad
	}
	return n, err
}

func (g *xzGuard) look(p []byte) error {
	for len(p) > 0 {
		if g.pass > 0 {
			n := min(g.pass, int64(len(p)))
			g.pass -= n
			p = p[n:]
			continue
		}
		n := min(g.need-len(g.buf), len(p))
		g.buf = append(g.buf, p[:n]...)
		p = p[n:]
		if len(g.buf) == g.need {
			if err := g.then(g.buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather has the next n bytes, after those that pass, given to then.
func (g *xzGuard) gather(n int, then func([]byte) error) {
	g.need, g.then, g.buf = n, then, g.buf[:0]
}

func (g *xzGuard) header(b []byte) error {
	if b[0] == 0 {
		// Padding between streams comes in fours: look for the header after it.
		copy(b, b[xzAlign:])
		g.buf = g.buf[:xzHeaderBytes-xzAlign]
		return nil
	}
	g.sum = xzCheckBytes[b[xzMagicAndFlag-1]&0x0f]
	g.gather(1, g.blockOrIndex)
	return nil
}

func (g *xzGuard) blockOrIndex(b []byte) error {
	if b[0] == 0 {
		g.size = 1
		g.varint(func(records uint64) error { return g.records(records) })
		return nil
	}
	g.gather((int(b[0])+1)*xzAlign-1, g.blockHeader)
	return nil
}

// blockHeader has everything but the size byte; its last four bytes are a checksum.
func (g *xzGuard) blockHeader(b []byte) error {
	flags, rest := b[0], b[1:len(b)-4]
	for _, bit := range []byte{xzHasPacked, xzHasUnpacked} {
		if flags&bit != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return errXZ("block header")
			}
			rest = rest[n:]
		}
	}
	for range int(flags&xzFiltersMask) + 1 {
		id, n := binary.Uvarint(rest)
		if n <= 0 {
			return errXZ("filter")
		}
		size, m := binary.Uvarint(rest[n:])
		if m <= 0 || size > uint64(len(rest)-n-m) {
			return errXZ("filter")
		}
		props := rest[n+m:][:size]
		rest = rest[n+m+int(size):]
		if id == xzFilterLZMA2 {
			if err := g.dictionary(props); err != nil {
				return err
			}
		}
	}
	g.size = 0
	g.gather(1, g.chunk)
	return nil
}

func (g *xzGuard) dictionary(props []byte) error {
	if len(props) != 1 || props[0] > xzDictBitsMax {
		return errXZ("dictionary size")
	}
	bits := int64(props[0])
	if size := (2 | bits&1) << (bits/2 + 11); size > g.max {
		return fmt.Errorf("%w: an xz dictionary of %d MiB, and %d MiB are allowed",
			ErrDecoderMemory, size>>20, g.max>>20)
	}
	return nil
}

// chunk has the control byte of an LZMA2 chunk.
func (g *xzGuard) chunk(b []byte) error {
	g.size++
	switch c := b[0]; {
	case c == lzma2End:
		pad := (xzAlign - g.size%xzAlign) % xzAlign
		g.pass = pad + g.sum
		g.gather(1, g.blockOrIndex)
	case c <= lzma2PlainMax:
		g.gather(2, func(b []byte) error { return g.chunkData(2, 0, b) })
	case c >= lzma2NewProps:
		g.gather(5, func(b []byte) error { return g.chunkData(5, 2, b) })
	case c >= lzma2Packed:
		g.gather(4, func(b []byte) error { return g.chunkData(4, 2, b) })
	default:
		return errXZ("chunk")
	}
	return nil
}

// chunkData passes a chunk's data, whose size less one stands at b[at].
func (g *xzGuard) chunkData(head int64, at int, b []byte) error {
	g.pass = int64(binary.BigEndian.Uint16(b[at:])) + 1
	g.size += head + g.pass
	g.gather(1, g.chunk)
	return nil
}

// records passes the index: two numbers a record, padding, a checksum, then the footer.
func (g *xzGuard) records(n uint64) error {
	if n == 0 {
		pad := (xzAlign - g.size%xzAlign) % xzAlign
		g.pass = pad + 4 + xzFooterBytes
		g.gather(xzHeaderBytes, g.header)
		return nil
	}
	g.varint(func(uint64) error {
		g.varint(func(uint64) error { return g.records(n - 1) })
		return nil
	})
	return nil
}

// varint gathers a number of the index byte by byte.
func (g *xzGuard) varint(then func(uint64) error) {
	var value uint64
	var shift uint
	var next func(b []byte) error
	next = func(b []byte) error {
		g.size++
		value |= uint64(b[0]&0x7f) << shift
		if shift += 7; b[0] < 0x80 {
			return then(value)
		}
		if shift == 7*xzVarintMax {
			return errXZ("index")
		}
		g.gather(1, next)
		return nil
	}
	g.gather(1, next)
}

func errXZ(what string) error { return fmt.Errorf("%w: xz %s", ErrCorrupt, what) }
