package image

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Removal says what Uninstall did.
type Removal struct {
	Entries int64
	// Left are names in the zonepath that are not a zone's, at most a few. Then the
	// zonepath itself is left too.
	Left []string
	// KeptZonePath says that the zonepath is empty but could not be removed, because a
	// file system is mounted on it.
	KeptZonePath bool
}

// Uninstall removes a zone's files and its zonepath. A zonepath that does not exist is
// success, so that an interrupted call can be repeated. Nothing outside is touched
// whatever the tree holds. ErrMounted, ErrMoved and ErrBusy say why it could not finish.
func Uninstall(ctx context.Context, zonepath string, progress func(Progress)) (Removal, error) {
	var done Removal
	zp, err := openForRemoval(zonepath)
	if err != nil || zp == nil {
		return done, err
	}
	defer zp.Close()
	if err := checkMounts(zonepath); err != nil {
		return done, zonePathError(zonepath, err)
	}
	r := &remover{m: newMeter(ctx, Limits{}, progress), buf: make([]byte, direntBufBytes)}
	for _, name := range ownNames {
		if err := r.removeSurely(zp, name); err != nil {
			done.Entries = r.m.now.Entries
			return done, fmt.Errorf("uninstall %s: %w", quote(zonepath), err)
		}
	}
	done.Entries = r.m.now.Entries
	return r.removeZonePath(zp, zonepath, done)
}

// openForRemoval opens a zonepath with fewer demands than an installation has: a mode
// that was changed must not keep a zone from being removed.
func openForRemoval(path string) (*desc, error) {
	d, err := walkParents(path, missingEnds)
	if err != nil || d == nil {
		return nil, zonePathError(path, err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(d.n, &st); err == nil && st.Uid != 0 {
		err = fmt.Errorf("%w but by user %d", ErrOwner, st.Uid)
	}
	if err != nil {
		d.Close()
		return nil, zonePathError(path, err)
	}
	return d, nil
}

func (r *remover) removeZonePath(zp *desc, path string, done Removal) (Removal, error) {
	var err error
	if done.Left, err = namesBeyond(zp, ownNames); err != nil || len(done.Left) > 0 {
		done.Left = done.Left[:min(len(done.Left), foundNamesMax)]
		return done, zonePathError(path, err)
	}
	_, base := splitName(path)
	parent, err := openAt(zp.n, "..", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return done, zonePathError(path, err)
	}
	defer parent.Close()
	if !sameFile(zp.n, parent.n, base) {
		return done, zonePathError(path, ErrMoved)
	}
	err = unix.Unlinkat(parent.n, base, unix.AT_REMOVEDIR)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		done.KeptZonePath, err = true, nil // a file system of its own, perhaps with lost+found
	}
	return done, zonePathError(path, err)
}

// frame is a directory on the way down to the one that is being emptied.
type frame struct {
	name    string   // in the directory above
	id      fileID   // to know it again on the way up
	dir     *desc    // nil when too many are open
	pending []string // directories that were read and not entered yet
	rescans int
}

// remover empties trees without recursion: the depth of a hostile tree costs memory for
// its names only. It holds the deepest openFramesMax directories open and comes back to
// the others by "..", where it checks that it arrives where it came from.
type remover struct {
	m     *meter
	buf   []byte
	stack []frame
}

// removeSurely removes a name with all that is below it; one that does not exist is fine.
func (r *remover) removeSurely(parent *desc, name string) error {
	for range rescansMax {
		if err := r.removeAt(parent, name); err != nil {
			return err
		}
		var st unix.Stat_t
		err := unix.Fstatat(parent.n, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("remove %s: %w", quote(name), ErrBusy)
}

func (r *remover) removeAt(parent *desc, name string) error {
	r.stack = r.stack[:0]
	defer func() {
		for i := range r.stack {
			r.stack[i].dir.Close()
		}
	}()
	isDir, err := r.unlink(parent, name)
	if err != nil || !isDir {
		return err
	}
	if err := r.descend(parent, name); err != nil {
		return err
	}
	for len(r.stack) > 0 {
		if err := r.step(parent); err != nil {
			return fmt.Errorf("remove %s: %w", quote(r.top().name), err)
		}
	}
	return nil
}

func (r *remover) top() *frame { return &r.stack[max(len(r.stack)-1, 0)] }

// step enters one directory, or empties and leaves one.
func (r *remover) step(parent *desc) error {
	if err := r.m.cancelled(); err != nil {
		return err
	}
	f := r.top()
	for len(f.pending) > 0 {
		name := f.pending[len(f.pending)-1]
		f.pending = f.pending[:len(f.pending)-1]
		gone, err := r.rmdir(f.dir, name)
		if err != nil {
			return err
		}
		if !gone {
			return r.descend(f.dir, name)
		}
	}
	list, err := readDirents(f.dir.n, r.buf)
	if err != nil {
		return fmt.Errorf("read directory: %w", err)
	}
	if len(list) == 0 {
		return r.leave(parent)
	}
	for _, e := range list {
		isDir := e.kind == unix.DT_DIR
		if !isDir {
			if isDir, err = r.unlink(f.dir, e.name); err != nil {
				return fmt.Errorf("%s: %w", quote(e.name), err)
			}
		}
		if isDir {
			f.pending = append(f.pending, e.name)
		}
	}
	return nil
}

// descend makes a directory the top of the stack.
func (r *remover) descend(dir *desc, name string) error {
	d, err := openAt(dir.n, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		// Exchanged since it was listed: whatever it is now is found when the directory
		// turns out not to be empty.
		return nil
	case errors.Is(err, unix.EXDEV):
		return mountedError(dir, name)
	case err != nil:
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		d.Close()
		return err
	}
	r.stack = append(r.stack, frame{name: name, id: idOf(&st), dir: d})
	if n := len(r.stack) - 1 - openFramesMax; n >= 0 {
		// What was listed there is listed again after the way up.
		r.stack[n].dir.Close()
		r.stack[n].dir, r.stack[n].pending = nil, nil
	}
	return nil
}

// leave removes the top directory, which has been read to its end, and returns to the
// one above.
func (r *remover) leave(parent *desc) error {
	f := r.top()
	above := parent
	if n := len(r.stack) - 2; n >= 0 {
		if err := r.reopenAbove(&r.stack[n], f.dir); err != nil {
			return err
		}
		above = r.stack[n].dir
	}
	gone, err := r.rmdir(above, f.name)
	if err != nil {
		return err
	}
	if !gone {
		if f.rescans++; f.rescans > rescansMax {
			return ErrBusy
		}
		_, err := unix.Seek(f.dir.n, 0, unix.SEEK_SET)
		return err
	}
	f.dir.Close()
	r.stack = r.stack[:len(r.stack)-1]
	return nil
}

// reopenAbove comes back to a directory whose descriptor was given up.
func (r *remover) reopenAbove(f *frame, below *desc) error {
	if f.dir != nil {
		return nil
	}
	d, err := openAt(below.n, "..", unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return fmt.Errorf("return to the directory above: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil || idOf(&st) != f.id {
		d.Close()
		return ErrMoved
	}
	f.dir = d
	return nil
}

// unlink removes a name that is no directory, and tells if it is one.
func (r *remover) unlink(dir *desc, name string) (isDir bool, err error) {
	err = unix.Unlinkat(dir.n, name, 0)
	if errors.Is(err, unix.EPERM) {
		if err := unprotect(dir, name); err != nil {
			return false, err
		}
		err = unix.Unlinkat(dir.n, name, 0)
	}
	switch {
	case err == nil:
		r.count(name)
		return false, nil
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case errors.Is(err, unix.EISDIR):
		return true, nil
	case errors.Is(err, unix.EBUSY):
		return false, mountedError(dir, name)
	}
	return false, err
}

// rmdir removes a directory if it is empty. One that was exchanged for something else
// counts as gone: what stands there now is found when the directory above turns out not
// to be empty.
func (r *remover) rmdir(dir *desc, name string) (gone bool, err error) {
	err = unix.Unlinkat(dir.n, name, unix.AT_REMOVEDIR)
	if errors.Is(err, unix.EPERM) {
		if err := unprotect(dir, name); err != nil {
			return false, err
		}
		err = unix.Unlinkat(dir.n, name, unix.AT_REMOVEDIR)
	}
	switch {
	case err == nil:
		r.count(name)
		return true, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return true, nil
	case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST):
		return false, nil
	case errors.Is(err, unix.EBUSY):
		return false, mountedError(dir, name)
	}
	return false, err
}

func (r *remover) count(name string) {
	r.m.now.Entries++
	r.m.show(name)
}

// unprotect takes immutable and append-only flags off a name and its directory.
func unprotect(dir *desc, name string) error {
	if err := clearProtection(dir); err != nil {
		return fmt.Errorf("clear flags: %w", err)
	}
	d, err := openAt(dir.n, name, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	if err != nil {
		return nil // the second attempt says what is wrong
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return nil
	}
	file, err := reopen(d, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := clearProtection(file); err != nil {
		return fmt.Errorf("clear flags: %w", err)
	}
	return nil
}
