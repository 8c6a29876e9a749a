package session

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/handover"
)

// The shell's convention for a command that could not be started.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// Exec becomes the command, looked for in path as execvp(3) does; it returns only why not.
// A script without "#!" is the shell's.
func Exec(argv, env []string, path string) error {
	name := argv[0]
	if strings.Contains(name, "/") {
		return execFile(name, argv, env)
	}
	if name == "" {
		return unix.ENOENT
	}
	var denied bool
	for dir := range strings.SplitSeq(path, ":") {
		err := execFile(dir+"/"+name, argv, env)
		switch {
		case errors.Is(err, unix.EACCES):
			denied = true
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		default:
			return err
		}
	}
	if denied {
		return unix.EACCES
	}
	return unix.ENOENT
}

func execFile(file string, argv, env []string) error {
	err := handover.Exec(file, argv, env)
	if errors.Is(err, unix.ENOEXEC) {
		return handover.Exec("/bin/sh", append([]string{"sh", file}, argv[1:]...), env)
	}
	return err
}

// ExitStatus is the status of a command that could not be started.
func ExitStatus(err error) int {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || os.IsNotExist(err) {
		return ExitNotFound
	}
	return ExitNotExecutable
}
