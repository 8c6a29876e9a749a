package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// layerEntriesMax bounds our layer above the host's software: it has one link for each program
// of ours and the directories to them.
const layerEntriesMax = 1000

// errLayer: the installed layer holds what it must not.
var errLayer = errors.New("the layer of the zone's programs holds something else than directories and links")

// copyLayer copies our layer (directories and symbolic links) into the scratch directory,
// owned by the zone's root. overlayfs refuses a layer that lies below another one, and where
// we are installed below /usr ours would.
func (s *scratch) copyLayer(source string) (string, error) {
	dir, err := s.layerDir()
	if err != nil {
		return "", err
	}
	n := 0
	err = filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > layerEntriesMax {
			return fmt.Errorf("%s has more than %d entries", source, layerEntriesMax)
		}
		rel, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		switch {
		case d.IsDir() && rel == ".":
		case d.IsDir():
			err = os.Mkdir(to, 0o755)
		case d.Type() == fs.ModeSymlink:
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, to)
			}
		default:
			err = fmt.Errorf("%w: %s", errLayer, path)
		}
		if err != nil {
			return err
		}
		return os.Lchown(to, int(s.root), int(s.root))
	})
	return dir, err
}
