package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/linuxzones/zones/svc/repo"
)

const restoreUsage = `usage: restore_repository           list the backups, the newest first
       restore_repository FILE      put this one in the repository's place
`

// restoreMain is restore_repository: what the text of a damaged repository says to run.
func restoreMain(args []string) int {
	cfg := repo.Config{Path: repo.DefaultPath}
	if path := os.Getenv("SVCCFG_REPOSITORY"); path != "" {
		cfg.Path = path
	}
	switch {
	case len(args) > 1 || len(args) == 1 && len(args[0]) > 0 && args[0][0] == '-':
		fmt.Fprint(os.Stderr, restoreUsage)
		return 2
	case len(args) == 0:
		return listBackups(cfg.Path)
	}
	err := repo.Restore(cfg, args[0])
	switch {
	case errors.Is(err, repo.ErrLocked):
		fmt.Fprintf(os.Stderr, "restore_repository: %v: svc.startd has it open, so it is not damaged\n", err)
		return 1
	case err != nil:
		fmt.Fprintf(os.Stderr, "restore_repository: %v\n", err)
		return 1
	}
	fmt.Printf("%s is now what %s was; what was there is kept beside it, as a backup named replaced\n", cfg.Path, args[0])
	return 0
}

func listBackups(path string) int {
	list, err := repo.Backups(path)
	if err != nil {
		fmt.Fprintf(os.Stderr, "restore_repository: %v\n", err)
		return 1
	}
	if len(list) == 0 {
		fmt.Fprintf(os.Stderr, "restore_repository: %s has no backups\n", path)
		return 1
	}
	for _, b := range list {
		state := "good"
		if err := repo.Check(b.Path); err != nil {
			state = err.Error()
		}
		fmt.Printf("%s  %s  %s\n", b.Taken.Local().Format("2006-01-02 15:04:05"), b.Path, state)
	}
	return 0
}
