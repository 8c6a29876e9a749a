// Package atomicfile replaces a file so that a reader, or a machine whose power went,
// finds the old content or the new one, never a mixture and never nothing.
//
// Write makes a temporary file beside the target, flushes it, renames it over the
// target and flushes the directory: when it returns, the new content survives a power
// cut. A process that is killed in between leaves its temporary file behind; Sweep
// removes such files, and must only be called where no writer can be at work.
//
// Two writers at once do not mix, but the later rename wins: whoever must not lose the
// other's change holds a lock of its own around reading and writing.
//
// Disk is the seam: tests record each step, and build from any prefix of them what a
// disk may hold after a power cut.
package atomicfile
