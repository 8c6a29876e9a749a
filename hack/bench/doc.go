// Bench measures the programs that were built into bin/ with real zones, and prints a JSON
// line a figure: name, unit, number of runs, median, least, greatest, and the ratio to a
// limit measured in the same run. It asserts nothing: figures of a busy machine are not
// verdicts.
//
//	go run ./hack/bench -bin bin [-runs 20] [-zones 20] [-only name,...]
//
// The limits are what no supervisor can be faster than: fork+exec of a program (for zlogin),
// a process in the same new namespaces made by unshare(1) (for a cold boot), a round trip on
// a unix socket through a process that starts and ends (for commands), a loop of fork, exec and
// wait (for the restart of a service), a bare terminal (for a console). Supervisors of others that are installed (s6, runit, dinit)
// do the same in the same zone, in turn with ours; of one that is not there the line says why.
package main
