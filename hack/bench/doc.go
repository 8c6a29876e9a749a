// Bench measures the programs that were built into bin/ with real zones, and prints a JSON
// line a figure: name, unit, number of runs, median, least, greatest, and the ratio to a
// limit measured in the same run. It asserts nothing: figures of a busy machine are not
// verdicts.
//
//	go run ./hack/bench -bin bin [-runs 20] [-zones 20] [-only name,...]
//
// The limits are what no supervisor can be faster than: fork+exec of a program (for zlogin),
// a process in the same new namespaces made by unshare(1) (for a cold boot), a round trip on
// a unix socket through a process that starts and ends (for commands).
package main
