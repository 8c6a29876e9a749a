package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const modulePath = "github.com/linuxzones/zones"

// runRooms are those whose tests take no more than a Go compiler.
var runRooms = []string{
	"svc/graph", "svc/graphcfg", "svc/instance", "svc/method", "svc/record", "svc/svcadm/actions",
}

const (
	// outputMax bounds one line of `go test -json`: a test may print a whole tree.
	outputMax = 16 << 20
	// saidMax bounds what is kept of one test until it has ended.
	saidMax = 64 << 10
	// runLimit is for compiling and running on a busy machine; zones take longer.
	runLimit, runLimitAll = 10 * time.Minute, time.Hour
)

// cell is a field of a grid, which a test has found right.
type cell struct{ grid, row, column, word, test string }

// results is what a run of tests has said.
type results struct {
	ended map[string]string // room and test to pass, fail or skip
	cells []cell
	said  bytes.Buffer // by what failed
}

func key(room, test string) string { return room + " " + strings.ReplaceAll(test, " ", "_") }

// runTests runs the tests that claims name, in these rooms.
func runTests(root string, claims []claim, rooms []string, limit time.Duration) (*results, error) {
	r := &results{ended: map[string]string{}}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	for _, room := range rooms {
		var names []string
		for _, c := range claims {
			if c.room == room && !slices.Contains(names, c.function()) {
				names = append(names, c.function())
			}
		}
		if len(names) == 0 {
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-json", "-vet=off", "-timeout", limit.String(), "-run", "^("+strings.Join(names, "|")+")$", "./"+room)
		cmd.Dir = root
		cmd.WaitDelay = 5 * time.Second
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		var loud bytes.Buffer // another goroutine's until the end
		cmd.Stderr = &loud
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("test %s: %w", room, err)
		}
		readErr := r.read(out)
		if readErr != nil {
			stop() // it may have more to say than anybody reads
		}
		err = cmd.Wait()
		r.said.Write(loud.Bytes())
		var exit *exec.ExitError
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil, fmt.Errorf("the tests of %s are not over after %s", room, limit)
		case readErr != nil:
			return nil, fmt.Errorf("tests of %s: %w", room, readErr)
		case err != nil && !errors.As(err, &exit):
			return nil, err
		}
	}
	return r, nil
}

// read takes the events of test2json.
func (r *results) read(from io.Reader) error {
	s := bufio.NewScanner(from)
	s.Buffer(nil, outputMax)
	said := map[string]string{} // by tests that have not ended
	for s.Scan() {
		var e struct{ Action, Package, Test, Output, Key, Value string }
		if json.Unmarshal(s.Bytes(), &e) != nil {
			fmt.Fprintf(&r.said, "%s\n", s.Bytes())
			continue
		}
		room := strings.TrimPrefix(e.Package, modulePath+"/")
		switch e.Action {
		case "pass", "fail", "skip":
			r.ended[key(room, e.Test)] = e.Action
			if e.Action == "fail" {
				r.said.WriteString(said[e.Test])
			}
			delete(said, e.Test)
		case "build-output":
			r.said.WriteString(e.Output)
		case "output":
			if text := strings.TrimSpace(e.Output); strings.Contains(text, "_test.go:") && len(said[e.Test]) < saidMax {
				said[e.Test] += room + ": " + text + "\n"
			}
		case "attr":
			if e.Key != "cell" {
				continue
			}
			f := strings.Split(e.Value, "|")
			if len(f) != 4 {
				return fmt.Errorf("%s: %q is not grid, row, column and word", e.Test, e.Value)
			}
			r.cells = append(r.cells, cell{f[0], f[1], f[2], f[3], key(room, e.Test)})
		}
	}
	return s.Err()
}

// checkRun says which claims do not hold.
func (r *results) checkRun(claims []claim) (wrong []string) {
	for i, c := range claims {
		if i > 0 && c.test == claims[i-1].test && c.at == claims[i-1].at {
			continue // of the same line
		}
		switch ended := r.ended[key(c.room, c.test)]; ended {
		case "pass":
		case "":
			wrong = append(wrong, fmt.Sprintf("%s: %s is not there, or did not run", c.at, c.test))
		default:
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s", c.at, c.test, ended))
		}
	}
	for _, c := range r.cells {
		if r.ended[c.test] != "pass" {
			wrong = append(wrong, fmt.Sprintf("%s: the cell %s, %s is not right", c.test, c.row, c.column))
		}
	}
	return wrong
}
