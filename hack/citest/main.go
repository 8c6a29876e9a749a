package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// stage is one command and how its output is read.
type stage struct {
	name    string
	command []string
	read    func(*tally, io.Reader, string) error
}

func main() {
	var stages []stage
	flag.Func("go", "`command` that prints test2json events", func(v string) error {
		stages = append(stages, stage{name: "go", command: strings.Fields(v), read: readEvents})
		return nil
	})
	flag.Func("script", "`name=command` that prints --- PASS: and --- FAIL: lines", func(v string) error {
		name, command, found := strings.Cut(v, "=")
		if !found {
			return errors.New("want name=command")
		}
		stages = append(stages, stage{name: name, command: strings.Fields(command), read: readScript})
		return nil
	})
	flag.Parse()
	if len(stages) == 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	t := &tally{out: os.Stdout, strict: os.Getenv("CI") == "true"}
	for _, s := range stages {
		runStage(t, s)
	}
	os.Exit(t.finish())
}

// runStage runs one command to its end. A command that fails without naming a failed test
// is a failure of its own, so that a crash is never an empty success.
func runStage(t *tally, s stage) {
	failedBefore := t.failed
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.fail(s.name, fmt.Sprintf("start %s: %v\n", s.command[0], err))
		return
	}
	readErr := s.read(t, stdout, s.name)
	waitErr := cmd.Wait()
	if readErr != nil {
		t.fail(s.name, fmt.Sprintf("read its output: %v\n", readErr))
	}
	if waitErr != nil && t.failed == failedBefore {
		t.fail(s.name, fmt.Sprintf("%s: %v, and no test failed\n", s.command[0], waitErr))
	}
}
