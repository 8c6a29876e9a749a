package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestMain lets the test's own binary be zonecfg, for the stories.
func TestMain(m *testing.M) {
	testscript.Main(testenv.Checked(m), map[string]func(){"zonecfg": func() { os.Exit(run(os.Args[1:])) }})
}

// TestStories runs the stories of testdata, each with an instance of its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("ZONES_ROOT", e.WorkDir+"/root")
			return nil
		},
		UpdateScripts: os.Getenv("UPDATE_STORIES") != "",
	})
}
