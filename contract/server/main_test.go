package server

import (
	"fmt"
	"os"
	"testing"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// roleVariable makes the test's program something else: a part of a zone, or a client in it.
const roleVariable = "SERVER_TEST_ROLE"

var roles = map[string]func(args []string) error{
	"stage":   stageMain,
	"init":    initMain,
	"server":  serverMain,
	"stalled": stalledMain,
}

func TestMain(m *testing.M) {
	windowLimit = testenv.Deadline(windowLimit)
	if len(os.Args) > 1 && os.Args[1] == contract.GateWord {
		os.Exit(contract.Gate(os.Args[2:]))
	}
	contract.GateProgram, _ = os.Executable()
	role := os.Getenv(roleVariable)
	if role == "" {
		testenv.Main(m)
		return
	}
	os.Unsetenv(roleVariable)
	f := roles[role]
	if f == nil {
		f = clients[role]
	}
	if f == nil {
		fmt.Fprintln(os.Stderr, "no such role:", role)
		os.Exit(2)
	}
	if err := f(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
