package oci

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/vplat"
)

// scratchBytes bounds the tmpfs in which the root is put together. It holds mount points,
// and the links of our layer.
const scratchBytes = "256k"

// scratch is the directory in which the root of a zone is put together: a tmpfs of the
// private mount namespace.
type scratch struct {
	dir  string
	fd   *os.File
	ns   *namespaces // whose user namespace shifts the ids
	path string      // the zonepath, where the zone's own directories are made when missing
	root uint32      // the zone's root as the host knows it
	n    int         // layers made so far, which names their directories

	mounts Mounts // the supervisor's, to be placed
}

// scratchPlaces are where the scratch directory is mounted, in zrun's mount namespace: the
// first that is there. The root of a zone, an ordinary user of the host, must be able to walk
// there, so it can not lie below the 0700 state directory. What the host has in the place is
// out of reach for zrun and of the zone's file systems, hence the order.
var scratchPlaces = []string{"/dev/shm", "/dev/mqueue", "/media", "/mnt", "/srv"}

func scratchPlace() (string, error) {
	for _, p := range scratchPlaces {
		if st, err := os.Lstat(p); err == nil && st.IsDir() {
			return p, nil
		}
	}
	return "", fmt.Errorf("none of the directories %s is there", strings.Join(scratchPlaces, ", "))
}

func newScratch(ns *namespaces, p *vplat.Plan) (*scratch, error) {
	dir, err := scratchPlace()
	if err != nil {
		return nil, err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,size="+scratchBytes); err != nil {
		return nil, fmt.Errorf("mount the scratch directory %s: %w", dir, err)
	}
	for _, d := range []string{vplat.RootDir, vplat.StageDir, "layers"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	fd, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &scratch{dir: dir, fd: fd, ns: ns, path: p.ZonePath, root: p.IDBase}, nil
}

func (s *scratch) apply(steps []vplat.RootStep) error {
	for _, st := range steps {
		if err := s.step(st); err != nil {
			what := strings.Join(append(st.Lower, st.Source), " ")
			if st.Op == vplat.OpServed {
				what = st.FSType
			}
			return fmt.Errorf("%s %s on %s: %w", st.Op, what, st.Target, err)
		}
	}
	return nil
}

func (s *scratch) step(st vplat.RootStep) error {
	switch st.Op {
	case vplat.OpIDMap:
		return s.idmap(st)
	case vplat.OpOverlay:
		return s.overlay(st)
	case vplat.OpMount:
		return s.mountBlock(st)
	case vplat.OpServed:
		return s.serve(st)
	}
	return fmt.Errorf("unknown step %q", st.Op)
}

// target opens the mount point below the scratch directory. What is mounted there already
// may be a zone's own root, so no link is followed and nothing leads out. Stage mount points,
// which nobody but us writes, are made here: a directory, or a file for a file.
func (s *scratch) target(name string, dir bool) (*os.File, error) {
	if parent, _ := filepath.Split(name); filepath.Clean(parent) == vplat.StageDir {
		if err := s.makeStage(name, dir); err != nil {
			return nil, err
		}
	}
	flags := uint64(unix.O_PATH | unix.O_CLOEXEC)
	if dir {
		flags |= unix.O_DIRECTORY
	}
	fd, err := unix.Openat2(int(s.fd.Fd()), name, &unix.OpenHow{
		Flags:   flags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open mount point", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (s *scratch) makeStage(name string, dir bool) error {
	path := filepath.Join(s.dir, filepath.Clean(name))
	var err error
	if dir {
		err = os.Mkdir(path, 0o755)
	} else {
		err = os.WriteFile(path, nil, 0o644)
	}
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// clone gives a detached copy of the tree at the step's source, shifted into the zone's ids.
func (s *scratch) clone(st vplat.RootStep) (*os.File, error) {
	src, err := openSource(st)
	if err != nil {
		return nil, err
	}
	defer unix.Close(src)
	fd, err := unix.OpenTree(src, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return nil, &os.PathError{Op: "clone", Path: st.Source, Err: err}
	}
	tree := os.NewFile(uintptr(fd), st.Source)
	attr := unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_IDMAP,
		Propagation: unix.MS_PRIVATE,
		Userns_fd:   uint64(s.ns.user.Fd()),
	}
	flags, _ := st.MountFlags()
	for _, b := range attrBits {
		if flags&b.flag != 0 {
			attr.Attr_set |= b.attr
			attr.Attr_clr |= b.clear
		}
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		tree.Close()
		if errors.Is(err, unix.EINVAL) {
			return nil, fmt.Errorf("the file system of %s can not be shifted into the zone's ids (no idmapped mounts): put it on another one, such as ext4, xfs or btrfs: %w", st.Source, err)
		}
		return nil, &os.PathError{Op: "idmap", Path: st.Source, Err: err}
	}
	return tree, nil
}

// attrBits are mount flags as mount_setattr knows them. The access time's are one field.
var attrBits = []struct {
	flag        uintptr
	attr, clear uint64
}{
	{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, 0},
	{unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, 0},
	{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, 0},
	{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, 0},
	{unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, 0},
	{unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
	{unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME},
	{unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME},
}

func (s *scratch) idmap(st vplat.RootStep) error {
	if err := s.makeOwn(st.Source); err != nil {
		return err
	}
	tree, err := s.clone(st)
	if err != nil {
		return err
	}
	defer tree.Close()
	return s.attach(tree, st.Target)
}

// makeOwn makes a directory of the zone's own beside its root, where the host's root alone
// writes: a zone that asks for a writable /usr finds an empty one.
func (s *scratch) makeOwn(dir string) error {
	if filepath.Dir(dir) != s.path {
		return nil
	}
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

func (s *scratch) attach(tree *os.File, target string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(tree.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: tree.Name(), Err: err}
	}
	at, err := s.target(target, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	if err != nil {
		return err
	}
	defer at.Close()
	return moveMount(tree, at)
}

func moveMount(tree, at *os.File) error {
	err := unix.MoveMount(int(tree.Fd()), "", int(at.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	return os.NewSyscallError("move_mount", err)
}

// layer attaches a shifted clone of source below the scratch directory, where overlayfs can
// find it by path: a detached tree is refused as a layer by kernels before 6.15.
func (s *scratch) layer(source string, readOnly bool) (string, error) {
	dir, err := s.layerDir()
	if err != nil {
		return "", err
	}
	return dir, s.idmap(vplat.RootStep{Source: source, Target: filepath.Join("layers", filepath.Base(dir)), ReadOnly: readOnly})
}

func (s *scratch) layerDir() (string, error) {
	s.n++
	dir := filepath.Join(s.dir, "layers", strconv.Itoa(s.n))
	return dir, os.Mkdir(dir, 0o755)
}

// overlayWritable puts the zone's own upper layer above the others.
func (s *scratch) overlayWritable(st vplat.RootStep, lower []string) error {
	if err := s.makeOwn(st.Upper); err != nil {
		return err
	}
	for _, d := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(st.Upper, d), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	up, err := s.layer(st.Upper, false)
	if err != nil {
		return err
	}
	// Upper and work must be of one mount: the work directory lies beside the upper one.
	fd, err := s.ns.overlay(map[string]string{
		"lowerdir": strings.Join(lower, ":"),
		"upperdir": filepath.Join(up, "upper"),
		"workdir":  filepath.Join(up, "work"),
	})
	if err != nil {
		return err
	}
	defer fd.Close()
	return s.attach(fd, st.Target)
}

// overlay mounts from the initial user namespace, which serves for layers that are only
// read. A writable overlay must be mounted by a process of the zone's user namespace, else
// it silently becomes read-only: see overlayWritable.
func (s *scratch) overlay(st vplat.RootStep) error {
	var dirs []string
	for i, l := range st.Lower {
		var d string
		var err error
		if i < len(st.Lower)-1 {
			d, err = s.copyLayer(l)
		} else {
			d, err = s.layer(l, true)
		}
		if err != nil {
			return err
		}
		dirs = append(dirs, d)
	}
	if st.Upper != "" {
		return s.overlayWritable(st, dirs)
	}
	fd, err := openOverlay(map[string]string{"lowerdir": strings.Join(dirs, ":")}, false)
	if err != nil {
		return err
	}
	defer fd.Close()
	return s.attach(fd, st.Target)
}

func openOverlay(options map[string]string, userxattr bool) (*os.File, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsopen overlay", err)
	}
	defer unix.Close(fs)
	for _, k := range []string{"lowerdir", "upperdir", "workdir"} {
		if v, ok := options[k]; ok {
			if err := unix.FsconfigSetString(fs, k, v); err != nil {
				return nil, fmt.Errorf("overlay option %s=%s: %w", k, v, err)
			}
		}
	}
	if userxattr {
		if err := unix.FsconfigSetFlag(fs, "userxattr"); err != nil {
			return nil, fmt.Errorf("overlay option userxattr: %w", err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("make an overlay of %v: %w", options, err)
	}
	attrs := unix.MOUNT_ATTR_NODEV
	if _, writable := options["upperdir"]; !writable {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return nil, os.NewSyscallError("fsmount overlay", err)
	}
	return os.NewFile(uintptr(fd), "overlay"), nil
}

// mountBlock mounts a file system of a block device on a stage directory, whence a bind
// mount of the Spec takes it into the zone.
func (s *scratch) mountBlock(st vplat.RootStep) error {
	if st.Raw != "" {
		if err := fsck(st.FSType, st.Raw); err != nil {
			return err
		}
	}
	at, err := s.target(st.Target, true)
	if err != nil {
		return err
	}
	defer at.Close()
	flags, data := st.MountFlags()
	return os.NewSyscallError("mount", unix.Mount(st.Source, "/proc/self/fd/"+strconv.Itoa(int(at.Fd())), st.FSType, flags, strings.Join(data, ",")))
}

// fsck repairs what is safe to repair, as the host does at boot. Exit codes below 4 mean
// that the file system is clean now.
func fsck(fstype, device string) error {
	out, err := exec.Command("fsck."+fstype, "-p", device).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() < 4 && exit.ExitCode() >= 0 {
		return nil
	}
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("fsck.%s of %s: %w (%s)", fstype, device, err, line)
	}
	return nil
}
