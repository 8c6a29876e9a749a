// Package getopt reads command lines by the rules of POSIX utilities, which is what the
// fingers of an administrator know: -ab is -a -b, -ofile is -o file, options end at the
// first operand or at --. The standard library's flag package has other rules.
//
// It holds no state and prints nothing.
package getopt
