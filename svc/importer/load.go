package importer

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/manifest"
)

// finder finds what href names, in the document called from.
type finder func(from, href string) (name string, data []byte, err error)

// parse reads a document, and gives what it came from with all that it includes.
func parse(file string, data []byte, want manifest.Type, find finder) (*manifest.Bundle, *Source, error) {
	documents := [][]byte{data}
	b, err := manifest.Parse(file, data, manifest.Options{Want: want, Include: func(from, href string) (manifest.Document, error) {
		name, data, err := find(from, href)
		documents = append(documents, []byte(name), data)
		return manifest.Document{Name: name, Data: data}, err
	}})
	if err != nil {
		return nil, nil, err
	}
	return b, NewSource(file, documents...), nil
}

// includes says whether a document may include others: whether its own content is all of it.
func includes(data []byte) bool { return bytes.Contains(data, []byte("include")) }

// Load reads a document that a person names, who may read what they may read: it may be a link,
// and include what it likes. The source is nil unless the file is in one of the directories that
// are imported at boot: only those are tracked, as with the original.
func Load(file string, want manifest.Type) (*manifest.Bundle, *Source, error) {
	data, err := readNamed(file)
	if err != nil {
		return nil, nil, err
	}
	b, source, err := parse(file, data, want, func(from, href string) (string, []byte, error) {
		name := pathOf(from, href)
		data, err := readNamed(name)
		return name, data, err
	})
	if err != nil {
		return nil, nil, err
	}
	source.Path, err = filepath.Abs(file)
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range LateDirs {
		if strings.HasPrefix(source.Path, dir+"/") {
			return b, source, nil
		}
	}
	return b, nil, nil
}

// pathOf is the path that href names, in the document called from: itself, or that of a URI.
func pathOf(from, href string) string {
	for _, scheme := range []string{"file://localhost/", "file:///", "file:/"} {
		if rest, ok := strings.CutPrefix(href, scheme); ok {
			href = "/" + rest
			break
		}
	}
	if !path.IsAbs(href) {
		href = path.Join(path.Dir(from), href)
	}
	return path.Clean(href)
}

func readNamed(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return content(f, name)
}

// content reads an open file, which must be one.
func content(f *os.File, name string) ([]byte, error) {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, notFile(name, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", shown(name), err)
	case len(data) > fileBytesMax:
		return nil, &LimitError{name, "bytes", fileBytesMax}
	}
	return data, nil
}
