package importer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// entriesAtOnce is how many names of a directory are read at once.
const entriesAtOnce = 512

// Dir is a directory of documents. Its files are reached from its descriptor, whatever becomes of
// its path.
type Dir struct {
	path string // as the system knows it
	root *os.Root
}

// OpenDir opens a directory. root is where the system's files are; empty for this one. An
// alternative root is another's: no path leads out of it.
func OpenDir(root, dir string) (*Dir, error) {
	dir = path.Clean("/" + dir)
	if root == "" || root == "/" {
		r, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		return &Dir{dir, r}, nil
	}
	top, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	r, err := top.OpenRoot("." + dir)
	if err != nil {
		return nil, err
	}
	return &Dir{dir, r}, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.root.Close() }

// File is what is wrong with a file, or what became of it.
type File struct {
	Path   string // as the system knows it
	State  State
	Events []Event
	Err    error
}

// Walk finds all files whose names end with .xml, in the order of their paths, and tells of what
// has such a name and is no file. An error means that nothing was found: a limit, or what the
// kernel said of a directory.
func (d *Dir) Walk() (files []string, strange []File, err error) {
	w := &walk{dir: d}
	if err := w.directory(".", 0); err != nil {
		return nil, nil, err
	}
	slices.Sort(w.files)
	slices.SortFunc(w.strange, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return w.files, w.strange, nil
}

// walk is a directory being walked.
type walk struct {
	dir     *Dir
	flat    bool // without what is below
	entries int
	files   []string
	strange []File
}

func (w *walk) directory(name string, depth int) error {
	if depth > depthMax {
		return &LimitError{w.dir.full(name), "directories below each other", depthMax}
	}
	f, err := w.dir.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(entriesAtOnce)
		for _, e := range list {
			if err := w.entry(path.Join(name, e.Name()), e.Type(), depth); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", shown(w.dir.full(name)), err)
		}
	}
}

func (w *walk) entry(name string, kind fs.FileMode, depth int) error {
	if w.entries++; w.entries > entriesMax {
		return &LimitError{w.dir.path, "names", entriesMax}
	}
	if kind.IsDir() && w.flat {
		return nil
	}
	if kind.IsDir() {
		err := w.directory(name, depth+1)
		if errors.Is(err, fs.ErrNotExist) { // it has gone meanwhile
			return nil
		}
		return err
	}
	if !strings.HasSuffix(name, ".xml") {
		return nil
	}
	if !kind.IsRegular() {
		info, err := w.dir.root.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && kind&fs.ModeSymlink == 0:
			return nil
		case err != nil || !info.Mode().IsRegular():
			w.strange = append(w.strange, File{Path: w.dir.full(name), State: Failed, Err: notFile(w.dir.full(name), err)})
			return nil
		}
	}
	if w.files = append(w.files, name); len(w.files) > filesMax {
		return &LimitError{w.dir.path, "files", filesMax}
	}
	return nil
}

func notFile(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w: %w", shown(name), ErrNotFile, err)
	}
	return fmt.Errorf("%s: %w", shown(name), ErrNotFile)
}

// full is the path of a name within the directory, as the system knows it.
func (d *Dir) full(name string) string { return path.Join(d.path, name) }

// read gives a file's content. What is no file is not opened, unless it becomes one between two
// calls: then the open does not wait, and what was opened is looked at again.
func (d *Dir) read(name string) ([]byte, error) {
	info, err := d.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notFile(d.full(name), nil)
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return content(f, d.full(name))
}

// missing says whether there is surely no such file.
func (d *Dir) missing(name string) bool {
	_, err := d.root.Lstat(name)
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

// within is the name of a path in the directory.
func (d *Dir) within(full string) (name string, ok bool) {
	name, err := filepath.Rel(d.path, path.Clean(full))
	return name, err == nil && name != "." && filepath.IsLocal(name)
}

// include finds what href names, in a document of the directory: a path, or a URI of one. Only
// what is within the directory is found.
func (d *Dir) include(from, href string) (name string, data []byte, err error) {
	name, ok := d.within(pathOf(from, href))
	if !ok {
		return "", nil, fmt.Errorf("%s: %w", shown(href), fs.ErrNotExist)
	}
	data, err = d.read(name)
	return d.full(name), data, err
}
