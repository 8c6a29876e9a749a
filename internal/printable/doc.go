// Package printable makes others' text fit for a person's terminal: a message, a file's name, a
// zone's word. What could be more than text there (control characters of ASCII and of Unicode,
// ends of lines, marks that turn the direction of writing, what is no UTF-8) is a question mark.
//
// No state. It is for one line: what may have several is split before.
package printable
