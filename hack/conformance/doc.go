// Conformance holds the table of docs/CONFORMANCE.md: each rule of the original's restarter, and the
// test that shows that it holds here. The table is made from the tests and not beside them.
//
//	conformance        runs the tests that claim rules, where that takes no zone, and writes the table
//	conformance -all   runs all of them: as root, with what tests of zones need
//
// # What it owns
//
// The catalogue (rules31.go to rules36.go): a line and a name for each rule, by the sections of the
// description of svc.startd. The rules are facts; their words are ours. A rule may be one that is
// otherwise on purpose, which says where that stands, or one that is not met, which says why.
//
// A test claims rules above its function, for itself or one of its subtests; claims may also stand
// anywhere in their room's tests, and name the test:
//
//	//shows:3.3/ends 3.3/retry
//	//shows:3.3/exit-95 by exit 95/start/contract
//	func TestEnds(t *testing.T)
//
//	//shows:3.3/tokens by TestTokens
//
// A matrix is a test whose subtests each say what they have found right, with
//
//	t.Attr("cell", "3.3/ends|exit 95|start/contract|fatal")
//
// which is grid, row, column and word. A grid has the name of the rule that it shows.
//
// # What it promises
//
// Its test fails when the file is not what the tests say, when a rule has neither a test nor a reason
// for having none, when a test claims a rule that there is not, when a claimed test or subtest is not
// there, is skipped or fails, when a grid has a hole or a word that nobody explains, and when a
// difference points to words that do not stand there any more.
//
// # Limits
//
// Tests of runRooms are run by its own test; of the others, which need root, contracts or zones, only
// the sources are read: that they pass is what the whole suite says. What `go test` may say and
// how long a run may take is bounded: outputMax, runLimit. No goroutines of its own.
package main
