// Package vt takes what a program writes to a terminal apart: text, control characters, escape
// sequences. It draws nothing. Three uses it has: to find where a screenful of a console may
// begin (Screen), to let through only what paints (Filter), and to make plain text (Plain).
//
// A Parser promises:
//   - Each byte is in exactly one token, in order, whatever the bytes are.
//   - No memory but a fixed few hundred bytes: a sequence that is longer than any real one is
//     not waited for to its end.
//   - It believes UTF-8. The introducers of 8 bits (U+009B and its like) count in their UTF-8
//     form; as bare bytes they are no text, and neither Filter nor Plain passes them on, since
//     a terminal of another character set would obey them.
//
// It follows ECMA-48 and the state machine that VT500 terminals and xterm have; where terminals
// differ (a control character within a sequence) it takes the reading in which the sequence
// goes on, so that nothing that any terminal could obey is taken for text.
//
// Who may call it: anybody; everything given to it is hostile. No goroutine, no lock, no
// descriptor; a value belongs to one goroutine.
package vt
