package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/term"

	"github.com/linuxzones/zones/internal/prompt"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg"
	"github.com/linuxzones/zones/svc/svccfg/bundles"
)

// svccfgMain gives svccfg what it works with.
func svccfgMain(args []string) int {
	env := &svccfg.Env{
		In: os.Stdin, Out: forPerson(os.Stdout), Err: forPerson(os.Stderr), Open: open, Zone: openZone, OpenFile: openFile,
		File: os.Getenv("SVCCFG_REPOSITORY"), Edit: edit, Bundles: bundles.Bundles{},
	}
	if term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) {
		env.Terminal = func(complete func(string) (string, []string)) svccfg.Terminal {
			return terminal{prompt.New(os.Stdin, os.Stdout, complete)}
		}
	}
	return svccfg.Main(env, args)
}

// terminal is the prompt, in svccfg's words.
type terminal struct{ *prompt.Terminal }

func (t terminal) ReadLine(text string) (string, error) {
	line, err := t.Terminal.ReadLine(text)
	if errors.Is(err, prompt.ErrInterrupted) {
		err = svccfg.ErrInterrupted
	}
	return line, err
}

// openFile opens a repository that nobody serves. It has no volatile file.
func openFile(path string) (door.Store, error) {
	r, err := repo.Open(repo.Config{Path: path})
	if err != nil {
		return nil, err
	}
	return &file{door.NewLocal(r), r}, nil
}

// file closes what it has opened.
type file struct {
	*door.Local
	r *repo.Repo
}

func (f *file) Close() error { return errors.Join(f.Local.Close(), f.r.Close()) }

// edit has a person edit a file.
func edit(path string) error {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	// As everywhere, the variable may hold arguments: the shell takes it apart.
	cmd := exec.Command("/bin/sh", "-c", editor+` "$1"`, "sh", path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", editor, err)
	}
	return nil
}
