package repo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"strconv"
)

// The format of a file of bbolt's, as far as it must be known to say that its pages are sound.
// bbolt trusts what it maps: a damaged page is a panic or a fault there, and its own check is
// made of the same accesses. So the pages are read and checked here before bbolt sees the file.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderBytes = 16
	elementBytes    = 16
	metaBytes       = 56 // without its checksum
	bucketBytes     = 16

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	pageSizeMin, pageSizeMax = 1024, 64 << 10
	noFreelist               = ^uint64(0)
)

// pages walks the tree of a file.
type pages struct {
	f        io.ReaderAt
	size     uint64 // of a page
	high     uint64 // pages from here on are not in use
	seen     []uint64
	freelist uint64
	root     uint64
	rooms    [treeDepthMax + 1][]byte // for a page of each depth
}

var native = binary.NativeEndian

// checkPages says what is wrong with a file of so many bytes, if anything is. It reads each page
// once, and holds as many as the tree is deep.
func checkPages(f io.ReaderAt, size int64) error {
	p := &pages{f: f}
	if size < 4*pageSizeMin {
		return errors.New("it has " + strconv.FormatInt(size, 10) + " bytes")
	}
	if !p.meta(size) {
		return errors.New("it does not begin as a repository does")
	}
	if p.high > uint64(size)/p.size {
		return errors.New("it ends before its last page: cut off at " + strconv.FormatInt(size, 10) + " bytes")
	}
	p.seen = make([]uint64, p.high/64+1)
	p.mark(0)
	p.mark(1)
	if err := p.page(p.root, nil, nil, 0); err != nil {
		return err
	}
	return p.free()
}

// meta finds the newer of the two meta pages that is sound: the other is that which was written,
// or would have been, when the power went.
func (p *pages) meta(size int64) bool {
	newest, found := uint64(0), false
	for at := int64(0); at <= pageSizeMax; at = max(at*2, pageSizeMin) {
		b := make([]byte, pageHeaderBytes+metaBytes+8)
		if _, err := p.f.ReadAt(b, at); err != nil {
			break
		}
		m := b[pageHeaderBytes:]
		sum := fnv.New64a()
		sum.Write(m[:metaBytes])
		pageSize := uint64(native.Uint32(m[8:]))
		if native.Uint32(m) != boltMagic || native.Uint32(m[4:]) != boltVersion || native.Uint64(m[metaBytes:]) != sum.Sum64() ||
			pageSize < pageSizeMin || pageSize > pageSizeMax || at != 0 && uint64(at) != pageSize {
			continue
		}
		if txid := native.Uint64(m[48:]); !found || txid > newest {
			newest, found = txid, true
			p.size, p.root, p.freelist, p.high = pageSize, native.Uint64(m[16:]), native.Uint64(m[32:]), native.Uint64(m[40:])
		}
	}
	return found
}

func (p *pages) mark(id uint64) (again bool) {
	again = p.seen[id/64]&(1<<(id%64)) != 0
	p.seen[id/64] |= 1 << (id % 64)
	return again
}

func damaged(id uint64, what string) error {
	return errors.New("page " + strconv.FormatUint(id, 10) + " " + what)
}

// room is memory for a page of so many bytes, until the next one of the depth.
func (p *pages) room(depth int, bytes uint64) []byte {
	if uint64(len(p.rooms[depth])) < bytes {
		p.rooms[depth] = make([]byte, bytes)
	}
	return p.rooms[depth][:bytes]
}

// read gives a page with its overflow.
func (p *pages) read(id uint64, depth int) (b []byte, err error) {
	if id < 2 || id >= p.high {
		return nil, damaged(id, "is out of range")
	}
	head := p.room(depth, p.size)
	if _, err := p.f.ReadAt(head, int64(id*p.size)); err != nil {
		return nil, damaged(id, "cannot be read: "+err.Error())
	}
	overflow := uint64(native.Uint32(head[12:]))
	if native.Uint64(head) != id || overflow >= p.high-id {
		return nil, damaged(id, "is not what it should be")
	}
	for i := range overflow + 1 {
		if p.mark(id + i) {
			return nil, damaged(id+i, "is used twice")
		}
	}
	if overflow == 0 {
		return head, nil
	}
	b = p.room(depth, (overflow+1)*p.size)
	if _, err := p.f.ReadAt(b, int64(id*p.size)); err != nil {
		return nil, damaged(id, "cannot be read: "+err.Error())
	}
	return b, nil
}

// page checks a page of the tree and what is below it: its keys are from low on, and below high
// when there is one.
func (p *pages) page(id uint64, low, high []byte, depth int) error {
	if depth > treeDepthMax {
		return damaged(id, "is too deep")
	}
	b, err := p.read(id, depth)
	if err != nil {
		return err
	}
	return p.elements(id, b, low, high, depth)
}

func (p *pages) elements(id uint64, b, low, high []byte, depth int) error {
	flags, count := native.Uint16(b[8:]), int(native.Uint16(b[10:]))
	branch := flags == branchPage
	if !branch && flags != leafPage || pageHeaderBytes+count*elementBytes > len(b) || branch && count == 0 {
		return damaged(id, "is no page of a tree")
	}
	next := func(i int) (key, value []byte, child uint64, err error) { return element(id, b, i, branch) }
	last := low
	for i := range count {
		key, value, child, err := next(i)
		if err != nil {
			return err
		}
		if order := bytes.Compare(key, last); order < 0 || order == 0 && i > 0 || high != nil && bytes.Compare(key, high) >= 0 {
			return damaged(id, "has its keys in disorder")
		}
		last = key
		switch {
		case branch:
			end := high
			if i+1 < count {
				if end, _, _, err = next(i + 1); err != nil {
					return err
				}
			}
			err = p.page(child, key, end, depth+1)
		case value != nil && child == bucketFlag:
			err = p.bucket(id, value, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element takes one apart. Of a leaf, child is its flags.
func element(id uint64, b []byte, i int, branch bool) (key, value []byte, child uint64, err error) {
	at := uint64(pageHeaderBytes + i*elementBytes)
	e := b[at:]
	var pos, ksize, vsize uint64
	if branch {
		pos, ksize, child = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])), native.Uint64(e[8:])
	} else {
		child, pos = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:]))
		ksize, vsize = uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
	}
	start := at + pos
	if start+ksize+vsize > uint64(len(b)) || pos < elementBytes || ksize == 0 {
		return nil, nil, 0, damaged(id, "has an element that reaches outside of it")
	}
	return b[start : start+ksize], b[start+ksize : start+ksize+vsize], child, nil
}

// bucket checks what a bucket's value leads to: a tree, or a page within the value.
func (p *pages) bucket(id uint64, value []byte, depth int) error {
	if len(value) < bucketBytes {
		return damaged(id, "has a bucket without a head")
	}
	if root := native.Uint64(value); root != 0 {
		return p.page(root, nil, nil, depth+1)
	}
	inline := value[bucketBytes:]
	if len(inline) < pageHeaderBytes || native.Uint16(inline[8:]) != leafPage || depth >= treeDepthMax {
		return damaged(id, "has a bucket without a page")
	}
	return p.elements(id, inline, nil, nil, depth+1)
}

// free checks that no page is both in the tree and free.
func (p *pages) free() error {
	if p.freelist == noFreelist {
		return nil
	}
	b, err := p.read(p.freelist, 0)
	if err != nil {
		return err
	}
	if native.Uint16(b[8:]) != freelistPage {
		return damaged(p.freelist, "is no list of free pages")
	}
	count, ids := uint64(native.Uint16(b[10:])), b[pageHeaderBytes:]
	if count == 0xFFFF && len(ids) >= 8 {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return damaged(p.freelist, "is a list longer than itself")
	}
	for i := range count {
		id := native.Uint64(ids[i*8:])
		if id < 2 || id >= p.high {
			return damaged(id, "is free and out of range")
		}
		if p.mark(id) {
			return damaged(id, "is free and in use")
		}
	}
	return nil
}
