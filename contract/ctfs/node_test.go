package ctfs

import (
	"math/rand/v2"
	"testing"

	"github.com/linuxzones/zones/contract"
)

// Every node that can be given is understood again, and no other number is.
func TestNodes(t *testing.T) {
	seen := map[node]bool{}
	for k := rootDir; k < kinds; k++ {
		for _, id := range []contract.ID{0, 1, 63, 1 << 20, idMax} {
			perCT := k >= allLink && k != ctlsFile
			if perCT != (id != 0) {
				continue
			}
			n := fixed(k)
			if perCT {
				n = ofCT(k, id)
			}
			if seen[n] {
				t.Errorf("kind %d of contract %d has another's number", k, id)
			}
			seen[n] = true
			if gotKind, gotID := n.split(); gotKind != k || gotID != id {
				t.Errorf("%#x: kind %d of contract %d, want %d of %d", uint64(n), gotKind, gotID, k, id)
			}
			if looks[k].mode == 0 || looks[k].up == noKind {
				t.Errorf("kind %d has no look", k)
			}
		}
	}
	if fixed(rootDir) != 1 {
		t.Error("the root's number is the protocol's")
	}
	for _, n := range []node{0, node(allLink), node(kinds), ofCT(allLink, 0), ofCT(rootDir, 5), ofCT(kinds, 5), ofCT(ctlsFile, 5), 1 << 63, ^node(0)} {
		if k, id := n.split(); k != noKind || id != 0 {
			t.Errorf("%#x is kind %d of contract %d", uint64(n), k, id)
		}
	}
	for range 100_000 {
		n := node(rand.Uint64() >> rand.IntN(64))
		if k, id := n.split(); k >= kinds || k == noKind && id != 0 {
			t.Errorf("%#x is kind %d of contract %d", uint64(n), k, id)
		}
	}
}

// What a directory lists is what is found in it, in both directions.
func TestFind(t *testing.T) {
	for k := rootDir; k < kinds; k++ {
		names, contracts := k.names()
		if !k.isDir() && (names != nil || contracts != noKind) {
			t.Errorf("kind %d is no directory and has names", k)
		}
		id := contract.ID(0)
		if k == contractDir {
			id = 7
		}
		for _, n := range names {
			got, gotID := find(k, id, n.name).split()
			if got != n.kind || gotID != id || looks[n.kind].up != k {
				t.Errorf("%s in kind %d is kind %d of contract %d", n.name, k, got, gotID)
			}
		}
		if contracts == noKind {
			continue
		}
		if got, gotID := find(k, 0, "4711").split(); got != contracts || gotID != 4711 || looks[contracts].up != k {
			t.Errorf("a contract in kind %d is kind %d", k, got)
		}
	}
	for _, name := range []string{"", "0", "01", "+1", "-1", "1 ", " 1", "1x", "0x1", "2147483648", "4294967297", "99999999999999999999", "1_0", "١"} {
		if n := find(allDir, 0, name); n != 0 {
			t.Errorf("%q is node %#x", name, uint64(n))
		}
	}
	if n := above(statusFile, 5); n != ofCT(contractDir, 5) {
		t.Errorf("a status is in %#x", uint64(n))
	}
	if n := above(contractDir, 5); n != fixed(processDir) {
		t.Errorf("a contract is in %#x", uint64(n))
	}
}
