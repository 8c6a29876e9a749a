package door_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/repo/door/server"
)

// child is what a process of the tests' own does, by its role.
func child(as string) error {
	dir := os.Getenv("DOOR_TEST_DIR")
	switch as {
	case "user":
		return userMain(dir)
	case "serve":
		return serveMain(dir)
	}
	return errors.New("no such role: " + as)
}

// serveMain serves until it is killed, on a listener that it was given.
func serveMain(dir string) error {
	r, err := openRepo(dir)
	if err != nil {
		return err
	}
	s, err := server.New(server.Config{Repo: r, Listener: sys.Own(3)})
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println("serving")
	_, _ = os.Stdin.Read(make([]byte, 1)) // it ends with its parent, if nothing kills it
	return nil
}
