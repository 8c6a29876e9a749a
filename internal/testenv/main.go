package testenv

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// settleTime is how long what is on its way out may take after the last test.
var settleTime = 60 * time.Second

// Main runs a package's tests and ends the process. It fails the package when it leaves
// behind a descriptor, goroutine, child, zombie, daemon, mount, cgroup or network device
// of its own, and says which. What can be removed is removed.
func Main(m *testing.M) { os.Exit(runMain(m)) }

// Checked is Main for a package whose tests are run by something else, such as
// testscript.Main: its Run does what Main does, and gives the exit code.
func Checked(m *testing.M) interface{ Run() int } { return checked{m} }

type checked struct{ m *testing.M }

func (c checked) Run() int { return runMain(c.m) }

func runMain(m *testing.M) int {
	flag.Parse()
	hearHangups()
	dir := ownDir()
	if fuzzing() {
		// The fuzzer's coordinator and its workers have goroutines and children of their own.
		code := m.Run()
		removeTree(dir)
		return code
	}
	before := takeSnapshot()
	code := m.Run()
	leaks := before.leaks()
	poll(Deadline(settleTime), func() bool {
		leaks = before.leaks()
		return len(leaks) == 0
	})
	for _, l := range leaks {
		fmt.Printf("testenv: leaked: %s\n", l.what)
		if l.remove != nil {
			l.remove()
		}
		code = max(code, 1)
	}
	for _, s := range before.strangers() {
		fmt.Printf("testenv: note: appeared meanwhile, not provably ours: %s\n", s)
	}
	if err := removeTree(dir); err != nil {
		fmt.Printf("testenv: leaked: %v\n", err)
		code = max(code, 1)
	}
	return code
}

// hearHangups: under nohup(1) SIGHUP is ignored, which every child would inherit, and what tests
// do with it would do nothing. With a handler it is as nohup wants it here, and not so there.
func hearHangups() {
	if signal.Ignored(unix.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	}
}

func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}
