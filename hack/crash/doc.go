// Crash runs the tests of hack/e2e/crash, which kill every program of the product at each of its
// steps, and prints what they found as tables.
//
//	crash [-full] [-seed N] [-run REGEXP]
//	crash -from FILE...
//
// With -full every point is taken, which takes about an hour, and when all tests have passed the
// tables are written to docs/CRASHES.md. Otherwise a part is taken, by a seed that is printed.
// With -from the page is made of what such runs have said (go test -json -full), each of a part of the
// tests: they take less time side by side.
//
// # What it owns
//
// The page docs/CRASHES.md: nobody writes it by hand. What is in it the tests have said of
// themselves, with
//
//	t.Attr("crash", "program|signal|during|point|outcome")
//	t.Attr("figure", "what|value")
//
// # What it promises
//
// A test that fails, or is skipped, makes no row: its exit status is 1, and the page stays as it is.
// That the page names every step of the supervisor is looked at by a test of hack/e2e/crash, which
// reads the sources.
//
// # Limits
//
// A line of a test's output and the time that all may take are bounded: lineMax, runLimit. One
// goroutine beside the main one's, of os/exec.
package main
