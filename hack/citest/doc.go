// Command citest runs the tests and says in few lines how they went.
//
//	citest -go 'go test -json ./...' -script 'vm=./hack/vm/test.sh bin'
//
// A -go command prints test2json events: citest shows one line for each package, and
// everything that a failing test printed. A -script command prints "--- PASS: NAME" and
// "--- FAIL: NAME" lines, as go test -v does: its output passes through as it comes. The
// commands run one after another, all of them, whatever fails.
//
// The last line is always "N passed, N failed, N skipped". Only leaves are counted: a test
// with subtests is its subtests. The exit status is 0 only when something ran and nothing
// failed; with CI=true in the environment a skipped test is a failure too, since there
// everything that a test can need is present.
//
// One goroutine; it holds nothing that outlives it but the command it waits for.
package main
