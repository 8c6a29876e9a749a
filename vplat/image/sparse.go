package image

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// sparse makes one sparse zone's private part.
type sparse struct {
	*tree
	host     *desc // the host's root
	hostname string
	allowed  []string
	accounts accounts
}

// installSparse makes the tree from the tables. It reads the host's files as root, so
// what it copies is decided by the tables and by what every user of the host can read.
func installSparse(t *tree, _ Source, opt Options) error {
	hostRoot := opt.HostRoot
	if hostRoot == "" {
		hostRoot = "/"
	}
	host, err := openAt(unix.AT_FDCWD, hostRoot, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("open host root %s: %w", quote(hostRoot), err)
	}
	defer host.Close()
	s := &sparse{tree: t, host: host, hostname: opt.Hostname, allowed: slices.Concat(etcAllowed, opt.EtcInclude)}
	for _, p := range s.allowed {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pattern %s below /etc: %w", quote(p), err)
		}
	}
	passwd, err := s.readHost("etc/passwd")
	if err != nil {
		return err
	}
	groups, err := s.readHost("etc/group")
	if err != nil {
		return err
	}
	s.accounts = newAccounts(passwd, groups)
	for _, step := range []func() error{s.places, s.links, s.etc, s.files, s.rootHome} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sparse) places() error {
	for _, p := range sparsePlaces {
		if err := s.place(p.path, p.mode, s.accounts.gid(p.group)); err != nil {
			return fmt.Errorf("make /%s: %w", p.path, err)
		}
	}
	return nil
}

func (s *sparse) place(name string, mode uint32, gid int) error {
	if err := s.m.entry(name); err != nil {
		return err
	}
	parent, base, err := s.parent(name)
	if err != nil {
		return err
	}
	d, err := makeDir(parent, base)
	if errors.Is(err, unix.EEXIST) {
		return nil // a directory of the tables that was included from the host's /etc too
	}
	if err != nil {
		return err
	}
	defer d.Close()
	s.report.Directories++
	return setMeta(d.n, meta{gid: gid, mode: mode}, timeLater)
}

// links makes the zone's own links, and those by which the host's programs are found.
func (s *sparse) links() error {
	for _, l := range sparseLinks {
		if err := s.link(l.path, l.text); err != nil {
			return err
		}
	}
	for _, name := range sparseHostLinks {
		var st unix.Stat_t
		err := unix.Fstatat(s.host.n, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case errors.Is(err, unix.ENOENT):
			continue
		case err != nil:
			return fmt.Errorf("stat the host's /%s: %w", name, err)
		case isLink(&st):
			text, err := readLinkAt(s.host.n, name)
			if err == nil {
				err = s.link(name, text)
			}
			if err != nil {
				return fmt.Errorf("link /%s: %w", name, err)
			}
		case isDir(&st):
			if err := s.place(name, 0o755, 0); err != nil {
				return fmt.Errorf("make /%s: %w", name, err)
			}
			s.report.HostDirs = append(s.report.HostDirs, name)
		}
	}
	return nil
}

func (s *sparse) link(name, text string) error {
	if err := s.m.entry(name); err != nil {
		return err
	}
	parent, base, err := s.parent(name)
	if err != nil {
		return err
	}
	s.report.Symlinks++
	return unix.Symlinkat(text, parent, base)
}

// files makes what is made for the zone. A file of the host's of the same name was not
// copied: these names win.
func (s *sparse) files() error {
	for _, f := range sparseFiles {
		content, err := f.make(s)
		if err == nil {
			err = s.write(f.path, content, meta{gid: s.accounts.gid(f.group), mode: f.mode})
		}
		if err != nil {
			return fmt.Errorf("make /%s: %w", f.path, err)
		}
	}
	return nil
}

func (s *sparse) write(name string, content []byte, mt meta) error {
	if err := s.m.entry(name); err != nil {
		return err
	}
	if err := s.m.reserve(int64(len(content))); err != nil {
		return err
	}
	parent, base, err := s.parent(name)
	if err != nil {
		return err
	}
	d, err := createFile(parent, base)
	if err != nil {
		return err
	}
	defer d.Close()
	s.report.Files++
	if err := pwriteAll(d.n, content, 0); err != nil {
		return err
	}
	when := timeNow
	if mt.mtime == (unix.Timespec{}) {
		when = timeLater
	}
	if err := setMeta(d.n, mt, when); err != nil {
		return err
	}
	return s.m.copied(int64(len(content)))
}

// readHost reads one of the host's files, following links below its root; nil if it does
// not exist, or if not every user of the host may read it.
func (s *sparse) readHost(name string) ([]byte, error) {
	d, err := openAt(s.host.n, name, unix.O_PATH, inRoot)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the host's /%s: %w", name, err)
	}
	defer d.Close()
	content, st, err := readPlain(d)
	if st != nil && st.Mode&othersRead == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the host's /%s: %w", name, err)
	}
	return content, nil
}

// readPlain reads what an O_PATH descriptor names if it is a regular file of a sane size.
func readPlain(d *desc) ([]byte, *unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return nil, nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &st, ErrNotRegular
	}
	f, err := reopen(d, unix.O_RDONLY)
	if err != nil {
		return nil, &st, err
	}
	defer f.Close()
	content, err := readAll(f, etcFileBytesMax)
	return content, &st, err
}

// rootHome gives root the dotfiles that a new user of the host would get.
func (s *sparse) rootHome() error {
	skel, err := openAt(s.host.n, "etc/skel", unix.O_RDONLY|unix.O_DIRECTORY, inRoot)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the host's /etc/skel: %w", err)
	}
	defer skel.Close()
	list, err := listDir(skel)
	if err != nil {
		return fmt.Errorf("read the host's /etc/skel: %w", err)
	}
	for _, name := range list {
		if !strings.HasPrefix(name, ".") {
			continue
		}
		if err := s.copyPlain(skel, name, "skel/"+name, "root/"+name); err != nil {
			return err
		}
	}
	return nil
}
