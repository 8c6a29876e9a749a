package image

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// othersRead and othersEnter are the bits without which a file of the host's is not
// everybody's to know.
const (
	othersRead  = 0o004
	othersEnter = 0o001
)

// etcNamesMax bounds one directory of the host's /etc: /etc/ssl/certs has about 300.
const etcNamesMax = 100_000

// choice about a name below the host's /etc.
type choice int

const (
	leave    choice = iota
	enter           // something below it may be listed
	take            // with all that is below it
	withhold        // listed, but denied
)

// choose decides by names alone.
func (s *sparse) choose(name string) choice {
	for _, p := range etcDenied {
		if matchTail(p, name) {
			return withhold
		}
	}
	best := leave
	for _, p := range s.allowed {
		switch {
		case matchHead(p, name):
			return take
		case leadsTo(name, p):
			best = enter
		}
	}
	return best
}

// matchTail reads a pattern as etcDenied explains it.
func matchTail(pattern, name string) bool {
	if top, ok := strings.CutPrefix(pattern, "/"); ok {
		return matchHead(top, name)
	}
	if strings.Contains(pattern, "/") {
		return matchHead(pattern, name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if ok, _ := path.Match(pattern, part); ok {
			return true
		}
	}
	return false
}

// matchHead tells whether a pattern fits a name or one of its parents.
func matchHead(pattern, name string) bool {
	n := strings.Count(pattern, "/") + 1
	parts := strings.Split(name, "/")
	if len(parts) < n {
		return false
	}
	ok, _ := path.Match(pattern, strings.Join(parts[:n], "/"))
	return ok
}

// leadsTo tells whether a name is a parent of what a pattern may fit.
func leadsTo(name, pattern string) bool {
	n := strings.Count(name, "/") + 1
	parts := strings.Split(pattern, "/")
	if len(parts) <= n {
		return false
	}
	ok, _ := path.Match(strings.Join(parts[:n], "/"), name)
	return ok
}

// etc copies what is allowed of the host's /etc.
func (s *sparse) etc() error {
	d, err := openAt(s.host.n, "etc", unix.O_RDONLY|unix.O_DIRECTORY, inRoot)
	if err != nil {
		return fmt.Errorf("open the host's /etc: %w", err)
	}
	defer d.Close()
	return s.etcDir(d, "")
}

func (s *sparse) etcDir(d *desc, name string) error {
	if strings.Count(name, "/") > s.m.lim.DepthMax {
		return fmt.Errorf("/etc/%s: %w of %d", sanitise(name), ErrTooDeep, s.m.lim.DepthMax)
	}
	list, err := listDir(d)
	if err != nil {
		return fmt.Errorf("read the host's /etc/%s: %w", sanitise(name), err)
	}
	for _, base := range list {
		child := joinName(name, base)
		what := s.choose(child)
		if name == "" && slices.ContainsFunc(sparseFiles, func(f sparseFile) bool { return f.path == "etc/"+base }) {
			continue
		}
		switch what {
		case withhold:
			s.report.Withheld++
		case enter, take:
			if err := s.etcEntry(d, base, child, what); err != nil {
				return fmt.Errorf("copy /etc/%s: %w", sanitise(child), err)
			}
		}
	}
	return nil
}

// etcEntry copies one name. A name that is only on the way to something is entered if it
// is a directory, kept if it is a link, since the way may lead through it, and else left.
func (s *sparse) etcEntry(dir *desc, base, child string, what choice) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir.n, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case isDir(&st):
		return s.etcSubdir(dir, base, child)
	case isLink(&st):
		text, err := readLinkAt(dir.n, base)
		if err != nil {
			return err
		}
		return s.link("etc/"+child, text)
	case what != take:
		return nil
	}
	return s.copyPlain(dir, base, child, "etc/"+child)
}

func (s *sparse) etcSubdir(dir *desc, base, child string) error {
	d, err := openAt(dir.n, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	if errors.Is(err, unix.EXDEV) {
		s.report.MountsSkipped++
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return err
	}
	if st.Mode&(othersRead|othersEnter) != othersRead|othersEnter {
		s.report.Withheld++
		return nil
	}
	if err := s.place("etc/"+child, 0o755, 0); err != nil {
		return err
	}
	return s.etcDir(d, child)
}

// copyPlain copies a regular file that everybody can read and that looks like no secret.
// It becomes root's, without setuid bits and without write permission for others.
func (s *sparse) copyPlain(dir *desc, base, child, to string) error {
	d, err := openAt(dir.n, base, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	if st.Mode&othersRead == 0 || s.choose(child) == withhold {
		s.report.Withheld++
		return nil
	}
	content, _, err := readPlain(d)
	if errors.Is(err, ErrTooManyBytes) || err == nil && looksSecret(content) {
		s.report.Withheld++
		return nil
	}
	if err != nil {
		return err
	}
	return s.write(to, content, meta{mode: st.Mode & 0o755, mtime: st.Mtim})
}

func looksSecret(content []byte) bool {
	return slices.ContainsFunc(secretMarks, func(m string) bool { return bytes.Contains(content, []byte(m)) })
}

// listDir gives a directory's names in order, so that two installations are alike.
func listDir(d *desc) ([]string, error) {
	var names []string
	buf := make([]byte, direntBufBytes)
	for {
		list, err := readDirents(d.n, buf)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			slices.Sort(names)
			return names, nil
		}
		for _, e := range list {
			names = append(names, e.name)
		}
		if len(names) > etcNamesMax {
			return nil, ErrTooManyEntries
		}
	}
}
