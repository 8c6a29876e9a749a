package image

import "errors"

// Refusals of a zonepath.
var (
	ErrNotAbsolute  = errors.New("the path is not absolute and clean")
	ErrNotDirectory = errors.New("not a directory")
	ErrSymlink      = errors.New("the path passes through a symbolic link")
	ErrOwner        = errors.New("not owned by root")
	ErrMode         = errors.New("the mode is not 0700")
	ErrParent       = errors.New("others than root can change a directory above")
	ErrRemote       = errors.New("on a remote file system, which cannot hold a zone")
	ErrMountOption  = errors.New("the file system is mounted with an option that a zone cannot live with")
	ErrMounted      = errors.New("something is mounted there")
	ErrForeign      = errors.New("the zonepath holds files that are not a zone's")
	ErrNotEmpty     = errors.New("there are files of a zone already")
)

// Refusals of a source as a whole.
var (
	ErrNotRegular    = errors.New("not a regular file")
	ErrUnknownFormat = errors.New("not a tar archive, nor one compressed with gzip, xz or zstd")
	ErrCorrupt       = errors.New("the archive is damaged")
	ErrTruncated     = errors.New("the archive ends too early: it is truncated")
	ErrTrailing      = errors.New("something follows the end of the archive: it is damaged, or several archives in one file")
	ErrNested        = errors.New("source and zone contain one another")
	ErrNotOS         = errors.New("the tree is not that of an operating system")
	ErrMountpoint    = errors.New("cannot make a place for a mount")
)

// Refusals of a single entry.
var (
	ErrName           = errors.New("the name is empty or holds what no file system allows")
	ErrEscape         = errors.New("the name leads out of the zone's root")
	ErrThroughSymlink = errors.New("the name passes through a symbolic link")
	ErrThroughFile    = errors.New("the name passes through something that is not a directory")
	ErrHardlink       = errors.New("a hard link may only name a regular file that came earlier")
	ErrLinkTarget     = errors.New("the symbolic link's text is empty or too long")
	ErrDuplicate      = errors.New("the name came before with another type")
	ErrWhiteout       = errors.New("this is one layer of a container image, not a whole tree")
	ErrOwnerRange     = errors.New("the owner is outside of the zone's range of ids, 0 to 65535")
	ErrXattr          = errors.New("an extended attribute is not allowed")
	ErrType           = errors.New("this type of entry is not supported")
)

// Limits that were reached. Options.Limits overrides most of them.
var (
	ErrTooManyBytes   = errors.New("the tree is larger than the limit")
	ErrTooManyEntries = errors.New("the tree has more entries than the limit")
	ErrTooDeep        = errors.New("the directories are nested deeper than the limit")
	ErrNameTooLong    = errors.New("the name is longer than the limit")
	ErrRatio          = errors.New("the archive expands too much: it looks like a decompression bomb")
	ErrDecoderMemory  = errors.New("decompressing the archive needs more memory than the limit")
	ErrTooManyLinks   = errors.New("the tree has more hard links than can be kept track of")
)

// Ends of a removal.
var (
	ErrMoved = errors.New("a directory was moved while it was being removed: try again")
	ErrBusy  = errors.New("files keep appearing while the tree is being removed: a process still uses it")
)
