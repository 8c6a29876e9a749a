// Package logfile is a zone's console on disk: ZONE.console and its older pieces ZONE.console.1,
// .2 and so on, which are written from the console's ring by a supervisor that may be killed at
// any line, and read by zoneadm console-log.
//
//	[console log 1 of zone web from 0123456789abcdef:4711 on, 2026-11-30T14:00:00Z]\n
//	the console's bytes, as they came, ...
//
// The position in the console's output is not written anywhere: it is the one in the first line
// and the number of bytes after that line. A file appears under its name with that line in it,
// whole; afterwards it only grows. A writer that is killed within a write has written what the
// file's size says. So there is nothing that could be written before or after the bytes, and
// disagree with them.
//
// Where bytes are missing (the disk was full, or too slow), a text of ours stands in the file,
// which is no output. It is announced beside the file first, in ZONE.console.gap: at this
// offset comes a text for so many bytes, and the position after it is this. A writer that is
// killed between the two, or within the text, is succeeded by one that writes the rest of it.
//
// A file that has reached its size is put aside. The pieces move up one after the other, from
// the oldest on, into the one name that is free; so at any moment at most one name is missing,
// and a successor goes on at that one.
//
// It promises: no byte is in the files twice, none is missing between two that are there without
// a text that says how many, and no older piece goes but for a newer one. Against the death of
// the process, that is; when the machine dies, the ring is lost too, and the next boot of the
// zone begins a new file. Nothing is flushed to the disk by this package.
//
// Whoever truncates a file, or edits it, breaks the count: a file without its first line is put
// aside, and a new one begins with the oldest byte that the ring has. One that is removed is
// replaced by a new one.
//
// Who may call it: the supervisor's console (Writer), zoneadm (Reader). A value belongs to one
// goroutine; every call may block as long as the disk does. No lock: there is one supervisor.
package logfile
