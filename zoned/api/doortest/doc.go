// Package doortest serves a zone's door from a test's script, so that clients can be shown
// a supervisor that leaves, dies, stalls or talks nonsense at any point. It is for tests
// only and linked into no program.
package doortest
