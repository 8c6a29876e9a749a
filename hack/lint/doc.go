// Package lint holds the house rules: which room may import which, what the small programs
// may link, how long files and functions are, what every package has, and which calls stay
// in one place. Its test checks the whole module, so that `go test ./...` does.
//
// The rules are tables: arrows and links in imports.go, forbidden calls in calls.go, sizes
// in shape.go. A rule about a room that does not exist holds. Each rule is tried on planted
// code that it must catch and on code that it must let pass.
//
// Where a rule and clarity disagree, a comment on the line, or the line above it, says
//
//	//lint:allow RULE why
//
// and an exception without a reason is itself a finding.
//
// It reads files and runs `go list`; nothing else.
package lint
