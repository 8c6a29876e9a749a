package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// direntBufBytes of directory entries are read at a time.
const direntBufBytes = 32 << 10

// checkOS refuses a tree that cannot be booted because it is none: most often the right
// tree one directory further down.
func checkOS(root *desc) error {
	if isDirInRoot(root, "etc") && (isDirInRoot(root, "usr") || isDirInRoot(root, "bin")) {
		return nil
	}
	names, err := topNames(root)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: it is empty", ErrNotOS)
	}
	for _, name := range names {
		if isDirInRoot(root, name+"/etc") {
			return fmt.Errorf("%w: /etc and /usr are missing, and there is %s: pack or name that directory itself",
				ErrNotOS, quote(name+"/etc"))
		}
	}
	shown := make([]string, 0, foundNamesMax)
	for _, name := range names[:min(len(names), foundNamesMax)] {
		shown = append(shown, quote(name))
	}
	if len(names) > foundNamesMax {
		shown = append(shown, fmt.Sprintf("and %d more", len(names)-foundNamesMax))
	}
	return fmt.Errorf("%w: /etc, and /usr or /bin, are missing; found %s", ErrNotOS, strings.Join(shown, ", "))
}

func isDirInRoot(root *desc, name string) bool {
	d, err := openAt(root.n, name, unix.O_PATH|unix.O_DIRECTORY, inRoot)
	d.Close()
	return err == nil
}

// topNamesMax names of the root are looked at.
const topNamesMax = 64

func topNames(root *desc) ([]string, error) {
	d, err := openAt(root.n, ".", unix.O_RDONLY|unix.O_DIRECTORY, beneath)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var names []string
	buf := make([]byte, direntBufBytes)
	for len(names) < topNamesMax {
		list, err := readDirents(d.n, buf)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			names = append(names, e.name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// mountpoint is a place of the root over which the platform mounts.
type mountpoint struct {
	path string
	kind uint32
	mode uint32
}

// wholeMountpoints are made in every whole tree where it lacks them. On the way there,
// links are followed inside of the root (/lib may lead to /usr/lib); the place itself
// must be no link, or the mount would land somewhere else.
var wholeMountpoints = []mountpoint{
	{"proc", unix.S_IFDIR, 0o555},
	{"sys", unix.S_IFDIR, 0o555},
	{"dev", unix.S_IFDIR, 0o755},
	{"run", unix.S_IFDIR, 0o755},
	{"tmp", unix.S_IFDIR, 0o1777},
	{"etc/svc/volatile", unix.S_IFDIR, 0o755},
	{"system/contract", unix.S_IFDIR, 0o555},
	{"etc/mnttab", unix.S_IFREG, 0o444},
	{"lib/svc", unix.S_IFDIR, 0o755},
}

// prepareMountpoints makes them in a tree that may be hostile, but that nobody changes now.
func prepareMountpoints(root *desc) error {
	for _, mp := range wholeMountpoints {
		if err := makeMountpoint(root, mp); err != nil {
			return fmt.Errorf("%w: /%s: %w", ErrMountpoint, mp.path, err)
		}
	}
	return nil
}

func makeMountpoint(root *desc, mp mountpoint) error {
	dir, base := splitName(mp.path)
	parent, err := makeInRoot(root, dir)
	if err != nil {
		return err
	}
	if parent != root {
		defer parent.Close()
	}
	d, err := openAt(parent.n, base, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	if errors.Is(err, unix.ENOENT) {
		return makePlace(parent.n, base, mp)
	}
	if errors.Is(err, unix.ELOOP) {
		return ErrSymlink
	}
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return err
	}
	switch have := st.Mode & unix.S_IFMT; {
	case have == mp.kind:
		return nil
	case have == unix.S_IFLNK:
		return ErrSymlink
	case mp.kind == unix.S_IFDIR:
		return ErrNotDirectory
	}
	return ErrNotRegular
}

// makePlace makes a mount point that is missing.
func makePlace(dir int, base string, mp mountpoint) error {
	make := makeDir
	if mp.kind == unix.S_IFREG {
		make = createFile
	}
	d, err := make(dir, base)
	if err != nil {
		return err
	}
	defer d.Close()
	return setMeta(d.n, meta{mode: mp.mode}, timeLater)
}

// makeInRoot opens a directory, following links inside of the root, and makes what is
// missing of it. A link that leads nowhere is refused: what it means is not known.
func makeInRoot(root *desc, name string) (*desc, error) {
	at, done := root, ""
	for part := range strings.SplitSeq(name, "/") {
		if part == "" {
			continue
		}
		done = joinName(done, part)
		next, err := openAt(root.n, done, unix.O_RDONLY|unix.O_DIRECTORY, inRoot)
		if errors.Is(err, unix.ENOENT) {
			if next, err = makeDir(at.n, part); err == nil {
				err = setMeta(next.n, meta{mode: 0o755}, timeLater)
			} else if errors.Is(err, unix.EEXIST) {
				err = fmt.Errorf("%w that leads nowhere: %s", ErrSymlink, quote(done))
			}
		}
		if at != root {
			at.Close()
		}
		if err != nil {
			next.Close()
			return nil, err
		}
		at = next
	}
	return at, nil
}
