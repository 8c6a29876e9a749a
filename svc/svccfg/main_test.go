package svccfg

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svcprop"
)

// TestMain lets the test's own binary be svccfg and svcprop, for the stories.
func TestMain(m *testing.M) {
	testscript.Main(testenv.Checked(m), map[string]func(){
		"svccfg":  func() { os.Exit(Main(programEnv(), os.Args[1:])) },
		"svcprop": func() { os.Exit(svcprop.Main(context.Background(), propEnv(), os.Args[1:])) },
	})
}

// served opens the repository of a story as if it were served: with a place for what ends with the
// boot.
func served() (door.Store, error) {
	dir := os.Getenv("WORK")
	r, err := repo.Open(repo.Config{Path: dir + "/repository.db", VolatilePath: dir + "/volatile.db", BootID: "this boot"})
	if err != nil {
		return nil, err
	}
	return door.NewLocal(r), nil
}

func file(path string) (door.Store, error) {
	r, err := repo.Open(repo.Config{Path: path})
	if err != nil {
		return nil, err
	}
	return door.NewLocal(r), nil
}

func programEnv() *Env {
	return &Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Open: served, OpenFile: file, File: os.Getenv("SVCCFG_REPOSITORY"), Bundles: echo{}}
}

func propEnv() *svcprop.Env {
	return &svcprop.Env{Out: os.Stdout, Err: os.Stderr, Open: served}
}

// echo says what it is asked for.
type echo struct{}

func said(words ...string) ([]Note, error) {
	list := []Note{{Text: "done", Verbose: true}}
	for _, w := range words {
		if w == "" {
			continue
		}
		if w == "spoiled.xml" {
			return list, errors.New("couldn't parse document")
		}
		list = append(list, Note{Text: "note of " + w})
	}
	return list, nil
}

func flag(name string, is bool) string {
	if is {
		return name
	}
	return ""
}

func (echo) Import(_ door.Store, path string, o ImportOptions) ([]Note, error) {
	return said("import", path, flag("strictness", o.Strict), o.Out)
}
func (echo) Apply(_ door.Store, path string, look bool) ([]Note, error) {
	return said("apply", path, flag("looking", look))
}
func (echo) Restore(_ door.Store, path string) ([]Note, error) { return said("restore", path) }
func (echo) Forget(_ door.Store, path string, gone bool) ([]Note, error) {
	if _, err := os.Stat(path); err != nil && !gone {
		return nil, err
	}
	return said("forget", path)
}
func (echo) Cleanup(_ door.Store, all bool) ([]Note, error) { return said("cleanup", flag("all", all)) }

func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		Setup:         func(e *testscript.Env) error { e.Setenv("WORK", e.WorkDir); return nil },
		UpdateScripts: os.Getenv("UPDATE_STORIES") != "",
	})
}
