package image

// Limits of one installation. A field that is zero takes the default of the constant
// that is named after it.
type Limits struct {
	BytesMax     int64 // of files' contents, holes included, and of the unpacked stream
	EntriesMax   int64 // directories that are only implied count too
	DepthMax     int   // components of a name
	NameBytesMax int   // bytes of a whole name in an archive
	RatioMax     int64 // unpacked bytes for each byte of the archive
}

const (
	// BytesMax: a desktop with everything is 30 GiB; beyond twice that, an archive is a
	// mistake or an attack on the host's disk.
	BytesMax = 64 << 30
	// EntriesMax: the largest distribution trees have about 500,000; ext4 makes about
	// 16 million inodes on a 256 GB disk, which one zone must not use up.
	EntriesMax = 2_000_000
	// DepthMax: real trees stay below 60. Each level of a directory source also costs
	// three descriptors.
	DepthMax = 256
	// NameBytesMax is PATH_MAX without its NUL: no program could open a longer name.
	NameBytesMax = 4095
	// RatioMax: root file systems expand 3 to 10 times. gzip cannot exceed 1032, xz and
	// zstd reach several thousand, on nothing but zeros.
	RatioMax = 256
)

// Limits that no option changes.
const (
	// ratioFloorBytes may be unpacked before the ratio counts: a small archive of a few
	// large empty files is harmless.
	ratioFloorBytes = 256 << 20
	// componentBytesMax is NAME_MAX.
	componentBytesMax = 255
	// linkTextBytesMax is the longest text that symlink(2) takes.
	linkTextBytesMax = 4095
	// xzDictBytesMax: `xz -9` asks for 64 MiB; the format allows 4 GiB.
	xzDictBytesMax = 128 << 20
	// zstdWindowBytesMax is what the zstd program itself accepts without --long=28.
	zstdWindowBytesMax = 128 << 20
	// xattrBytesMax is XATTR_SIZE_MAX.
	xattrBytesMax = 64 << 10
	// xattrsMax of one file: packages use one or two.
	xattrsMax = 64
	// dirTimesBytesMax bounds the memory for times of directories, which are set when
	// their contents are complete. Beyond it they are set early, and a directory that is
	// filled afterwards carries the time of installation.
	dirTimesBytesMax = 64 << 20
	// hardlinkBytesMax bounds the names remembered for files with several links in a
	// directory source.
	hardlinkBytesMax = 256 << 20
	// skippedNamesMax bounds the names of skipped devices, remembered so that further
	// links to them are skipped too.
	skippedNamesMax = 4096
	// etcFileBytesMax: the largest useful file in /etc is ld.so.cache with some MiB.
	etcFileBytesMax = 32 << 20
	// foundNamesMax top-level names are shown when a tree is no operating system.
	foundNamesMax = 8
	// shownNameBytesMax of a name that goes to a person.
	shownNameBytesMax = 200
	// openFramesMax directories are held open during a removal, however deep the tree.
	openFramesMax = 64
	// rescansMax times a directory is read again when it is not empty after all.
	rescansMax = 64
	// idMax: every zone has 65,536 ids.
	idMax = 65535
)

func (l Limits) withDefaults() Limits {
	if l.BytesMax == 0 {
		l.BytesMax = BytesMax
	}
	if l.EntriesMax == 0 {
		l.EntriesMax = EntriesMax
	}
	if l.DepthMax == 0 {
		l.DepthMax = DepthMax
	}
	if l.NameBytesMax == 0 {
		l.NameBytesMax = NameBytesMax
	}
	if l.RatioMax == 0 {
		l.RatioMax = RatioMax
	}
	return l
}
