package importer

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// tracking is the service that holds a group for each file. Source: manifest_hash.c.
var tracking = repo.Entity{Service: "smf/manifest"}

const (
	propSum     = "md5sum"
	propFile    = "manifestfile"
	propSupport = "support"
	// supportMax is how many values a property may have. A file with more instances is tracked by
	// its services alone.
	supportMax = 1024
)

// Source is a file that a bundle came from: its path as the system knows it, and the MD5 of its
// content and of all that it includes. The sum tells a change, and guards against nobody.
type Source struct {
	Path string
	Sum  string // hexadecimal
}

// NewSource is the source of a document and of those that it includes, in their order.
func NewSource(path string, documents ...[]byte) *Source {
	h := md5.New()
	for _, d := range documents {
		h.Write(d)
	}
	return &Source{path, hex.EncodeToString(h.Sum(nil))}
}

// groupName is the name that the original gives the group of a file: its path without the first
// slash, of a long one the beginning and the end, and what names do not have made '_'.
func groupName(path string) string {
	name := strings.TrimPrefix(path, "/")
	if len(name) > fmri.NameBytesMax {
		piece := (fmri.NameBytesMax - 3) / 2
		name = name[:piece] + "__" + name[len(name)-piece:]
	}
	b := []byte(name)
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		switch {
		case i == 0 && !letter:
			b[i] = 'A'
		case letter || c >= '0' && c <= '9' || c == '_' || c == '-':
		default:
			b[i] = '_'
		}
	}
	if len(b) == 0 {
		return "A"
	}
	return string(b)
}

// otherName is for a file whose group's name is another file's.
func otherName(path string) string {
	sum := md5.Sum([]byte(path))
	name := groupName(path)
	return name[:min(len(name), fmri.NameBytesMax-2-2*len(sum))] + "__" + hex.EncodeToString(sum[:])
}

// tracked finds the group of a file, and what it is or would be named.
func tracked(r Reader, path string) (name string, g tree.Group, found bool, err error) {
	for _, name = range []string{groupName(path), otherName(path)} {
		g, _, err = r.Group(tracking, name)
		if errors.Is(err, repo.ErrNotFound) {
			return name, g, false, nil
		}
		if err != nil {
			return name, g, false, err
		}
		if file, _ := single(g.Prop(propFile)); file == path {
			return name, g, true, nil
		}
	}
	return name, g, false, nil // of three files of one name the third takes the second's place
}

// note has the draft note the file, in its own group and in the services that it describes.
func (s *Source) note(d *draft, b *manifest.Bundle) {
	name, was, _, err := tracked(d.r, s.Path)
	if err != nil {
		d.fail(err)
		return
	}
	var services, support []string
	for i := range b.Services {
		e := repo.Entity{Service: b.Services[i].Config.Name}
		services = append(services, e.String())
		support = append(support, e.String())
		for _, in := range b.Services[i].Config.Instances {
			support = append(support, fmri.Of(e.Service, in.Name))
		}
	}
	if len(support) > supportMax {
		support = services
	}
	if b.Type == manifest.Manifest {
		s.noteServices(d, name, &was, services)
	} else {
		support = nil
	}
	slices.Sort(support)
	want := tree.Group{Name: name, Type: typeFramework, Props: []tree.Property{
		{Name: propFile, Type: prop.AString, Values: []string{s.Path}},
		{Name: propSum, Type: prop.Opaque, Values: []string{s.Sum}},
	}}
	if support != nil {
		want.Props = append(want.Props, tree.Property{Name: propSupport, Type: prop.FMRI, Values: support})
	}
	if !was.Equal(&want) {
		d.extra = append(d.extra, repo.Op{Verb: repo.Ensure, On: tracking}, repo.Op{Verb: repo.PutGroup, On: tracking, Tree: &want})
	}
}

// untrackable says whether a batch was refused because no more files can be noted.
func untrackable(err error) bool {
	var op *repo.OpError
	return errors.As(err, &op) && op.On == tracking && errors.Is(err, repo.ErrLimit)
}

// noteServices lists the file with those that it describes, and no longer with those that it did.
func (s *Source) noteServices(d *draft, name string, was *tree.Group, services []string) {
	if p := was.Prop(propSupport); p != nil {
		for _, text := range p.Values {
			if e, ok := entityOf(text); ok && e.Instance == "" && !slices.Contains(services, text) {
				d.unset(e, groupFiles, name)
			}
		}
	}
	for _, text := range services {
		if e, ok := entityOf(text); ok && d.exists(e) {
			d.set(e, groupFiles, typeFramework, tree.Property{Name: name, Type: prop.AString, Values: []string{s.Path}})
		}
	}
}

// sums are the sums of all files that are tracked, by their paths.
func sums(s Store) (map[string]string, error) {
	var known map[string]string
	err := s.View(func(r Reader) error {
		known = map[string]string{}
		t, err := r.Service(tracking.Service)
		if errors.Is(err, repo.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range t.Groups {
			path, ok := single(t.Groups[i].Prop(propFile))
			sum, has := single(t.Groups[i].Prop(propSum))
			if ok && has {
				known[path] = sum
			}
		}
		return nil
	})
	return known, err
}

// Tracked says whether a file was imported or applied.
func Tracked(s Store, path string) (bool, error) {
	known, err := sums(s)
	_, ok := known[path]
	return ok, err
}

// Known are the files that were imported or applied, and the sums of what they held. Of one that
// has not changed Source.Sum is its.
func Known(s Store) (map[string]string, error) { return sums(s) }

// Forget makes the next import take a file for a new one: svccfg delhash. A directory stands for
// all files below it. It gives those that were tracked.
func Forget(s Store, path string) (files []string, err error) {
	path = strings.TrimRight(path, "/")
	err = commit(s, func(r Reader) (*repo.Batch, error) {
		files = nil
		t, err := r.Service(tracking.Service)
		if errors.Is(err, repo.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		b := &repo.Batch{}
		b.ExpectRepository(r.Generation())
		for i := range t.Groups {
			file, ok := single(t.Groups[i].Prop(propFile))
			if ok && (file == path || strings.HasPrefix(file, path+"/")) {
				b.DeleteGroup(tracking, t.Groups[i].Name)
				files = append(files, file)
			}
		}
		if len(files) == 0 {
			return nil, nil
		}
		return b, nil
	})
	slices.Sort(files)
	return files, err
}
