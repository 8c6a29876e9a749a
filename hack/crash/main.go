package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// page is what is made, below the module's root; room is where the tests are.
	page = "docs/CRASHES.md"
	room = "./hack/e2e/crash"
	// runLimit is for all tests on a busy machine.
	runLimit = 4 * time.Hour
	// lineMax bounds one line of `go test -json`: a test may print a whole tree.
	lineMax = 16 << 20
)

func main() {
	full := flag.Bool("full", false, "take every point, and write "+page)
	seed := flag.Uint64("seed", 0, "which part is taken; 0: another one each time")
	run := flag.String("run", "", "the tests that are run, all of them by default")
	from := flag.Bool("from", false, "make "+page+" of what full runs have said, which the files hold")
	flag.Parse()
	if (flag.NArg() > 0) != *from {
		fmt.Fprintln(os.Stderr, "usage: crash [-full] [-seed N] [-run REGEXP] | -from FILE...")
		os.Exit(2)
	}
	var err error
	if *from {
		err = merge(flag.Args())
	} else {
		err = matrix(*full, *seed, *run)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "crash: %v\n", err)
		os.Exit(1)
	}
}

func matrix(full bool, seed uint64, run string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	found, err := test(root, full, seed, run)
	if err != nil {
		return err
	}
	return found.write(root, full && run == "", head)
}

// merge makes the page of several runs, each of which took a part of the tests.
func merge(files []string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	f := &found{}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = f.read(file)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	// Runs that went apart may be of different moments, and of fewer rounds: who reads is to know.
	parts := fmt.Sprintf("This page was put together of %d runs, each of a part of the tests; those of random kills and of\nmany rounds say how many they were.\n\n", len(files))
	return f.write(root, true, head+parts)
}

// write prints the tables; if nothing has failed and they are of all tests, they are the page.
func (f *found) write(root string, whole bool, head string) error {
	text := f.tables()
	fmt.Print(text)
	if len(f.failed) > 0 {
		return fmt.Errorf("%d tests have failed: %q", len(f.failed), f.failed)
	}
	if !whole {
		return nil
	}
	return os.WriteFile(filepath.Join(root, page), []byte(head+text), 0o644)
}

// test runs the tests and takes what they say.
func test(root string, full bool, seed uint64, run string) (*found, error) {
	ctx, stop := context.WithTimeout(context.Background(), runLimit)
	defer stop()
	args := []string{"test", "-json", "-count=1", "-timeout", runLimit.String()}
	if run != "" {
		args = append(args, "-run", run)
	}
	args = append(args, room, "-args", "-seed", strconv.FormatUint(seed, 10))
	if full {
		args = append(args, "-full")
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	var loud bytes.Buffer
	cmd.Stderr = &loud
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run the tests: %w", err)
	}
	f := &found{told: os.Stderr}
	readErr := f.read(out)
	if readErr != nil {
		stop() // it may have more to say than anybody reads
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil && readErr == nil:
		return nil, fmt.Errorf("the tests are not over after %s", runLimit)
	case readErr != nil:
		return nil, readErr
	case err != nil && len(f.failed) == 0:
		return nil, fmt.Errorf("run the tests: %w\n%s", err, loud.String())
	}
	return f, nil
}

// moduleRoot is the next directory upwards that has a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no go.mod here or above: run it in the repository")
		}
	}
	return "", err
}
