package ctfs

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// node is the number of a file: what it is, and of which contract. Nothing is remembered of
// numbers that the kernel was given, so it need not tell when it forgets them, and a new
// supervisor understands those that its predecessor gave.
type node uint64

// kind is what a node is.
type kind uint8

// The files that are always there have the numbers of their kinds; of the others the kind
// stands above the contract's number. The root's number is the protocol's.
const (
	noKind       kind = iota
	rootDir           // /
	allDir            // /all
	processDir        // /process
	templateFile      // /process/template
	latestFile        // /process/latest
	bundleFile        // /process/bundle
	pbundleFile       // /process/pbundle
	allLink           // /all/ID
	contractDir       // /process/ID
	ctlFile           // /process/ID/ctl
	statusFile        // /process/ID/status
	eventsFile        // /process/ID/events
	ctlsFile          // /process/ctl, which came later than the others: their numbers are those of predecessors
	kinds
)

// kindShift is above any contract's number.
const kindShift = 32

func fixed(k kind) node                { return node(k) }
func ofCT(k kind, id contract.ID) node { return node(k)<<kindShift | node(id) }

// split takes a node's number apart; noKind for one that was never given. The contract need
// not exist.
func (n node) split() (kind, contract.ID) {
	if n>>kindShift == 0 {
		if k := kind(n); n < node(allLink) && k != noKind || n == node(ctlsFile) {
			return k, 0
		}
		return noKind, 0
	}
	k, id := n>>kindShift, contract.ID(n)
	if k < node(allLink) || k >= node(ctlsFile) || id == 0 {
		return noKind, 0
	}
	return kind(k), id
}

// look is how a kind of file looks (2.5 of contracts.md, after ctfs(7FS) of the original).
type look struct {
	mode  uint32
	links uint32
	up    kind // its directory
}

var looks = [kinds]look{
	rootDir:      {unix.S_IFDIR | 0o555, 4, rootDir},
	allDir:       {unix.S_IFDIR | 0o555, 2, rootDir},
	processDir:   {unix.S_IFDIR | 0o555, 2, rootDir},
	templateFile: {unix.S_IFREG | 0o666, 1, processDir},
	latestFile:   {unix.S_IFREG | 0o444, 1, processDir},
	bundleFile:   {unix.S_IFREG | 0o444, 1, processDir},
	pbundleFile:  {unix.S_IFREG | 0o444, 1, processDir},
	allLink:      {unix.S_IFLNK | 0o777, 1, allDir},
	contractDir:  {unix.S_IFDIR | 0o555, 2, processDir},
	ctlFile:      {unix.S_IFREG | 0o222, 1, contractDir},
	statusFile:   {unix.S_IFREG | 0o444, 1, contractDir},
	eventsFile:   {unix.S_IFREG | 0o444, 1, contractDir},
	ctlsFile:     {unix.S_IFREG | 0o222, 1, processDir},
}

// named is one name in a directory.
type named struct {
	name string
	kind kind
}

// Names that do not come and go.
var (
	rootNames     = []named{{"all", allDir}, {"process", processDir}}
	processNames  = []named{{"template", templateFile}, {"latest", latestFile}, {"bundle", bundleFile}, {"pbundle", pbundleFile}, {"ctl", ctlsFile}}
	contractNames = []named{{"ctl", ctlFile}, {"status", statusFile}, {"events", eventsFile}}
)

// names are the fixed names of a directory, and what kind the contracts in it have (noKind:
// it has none).
func (k kind) names() (fixed []named, contracts kind) {
	switch k {
	case rootDir:
		return rootNames, noKind
	case allDir:
		return nil, allLink
	case processDir:
		return processNames, contractDir
	case contractDir:
		return contractNames, noKind
	}
	return nil, noKind
}

func (k kind) isDir() bool { return k != noKind && looks[k].mode&unix.S_IFMT == unix.S_IFDIR }

// above is the directory that a node of this kind and contract is in.
func above(k kind, id contract.ID) node {
	up := looks[k].up
	if up == contractDir {
		return ofCT(contractDir, id)
	}
	return fixed(up)
}

// find is the node of a name in a directory; 0 when there is none of that form. Whether the
// contract exists is not looked at.
func find(k kind, id contract.ID, name string) node {
	fixedNames, contracts := k.names()
	for _, f := range fixedNames {
		if f.name != name {
			continue
		}
		if k == contractDir {
			return ofCT(f.kind, id)
		}
		return fixed(f.kind)
	}
	if contracts == noKind {
		return 0
	}
	if child, ok := parseID(name); ok {
		return ofCT(contracts, child)
	}
	return 0
}

// idMax is the largest number of a contract (INT_MAX, as the original's).
const idMax = 1<<31 - 1

// parseID understands a contract's name: decimal, in its only form, so that one contract has
// one name.
func parseID(name string) (contract.ID, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil || n == 0 || n > idMax || strconv.FormatUint(n, 10) != name {
		return 0, false
	}
	return contract.ID(n), true
}
