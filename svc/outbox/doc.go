// Package outbox is where svc.startd leaves what has become of instances, for the program that tells
// people of it (svc/smtpnotify).
//
//	svc.startd --Put--> DIR/NUMBER, one file each, on the zone's memory file system --Take--> who tells
//
// It promises:
//   - svc.startd waits for nobody: Put makes a small file in memory, and says ErrFull when ChangesMax of
//     them wait. What it could not leave is lost, which it counts and tells.
//   - A change is taken once at most, by however many, and whenever who takes it is killed: its file is
//     gone before Take gives it.
//   - They are taken in the order in which they were put, also those of a svc.startd before. Whoever is
//     killed in the midst of a Put leaves nothing that Take would see.
//   - What stands in a file that is not one of ours, or is another version's, is skipped with an error
//     that names it, and is gone then. Texts have no control characters, whoever wrote them.
//
// The directory is root's alone, and ends with the boot, as what is in it.
//
// Limits: ChangesMax, fileBytesMax, textBytesMax, namesMax. Goroutines and locks: none; one Box has one
// goroutine. Who may call: svc.startd, and what it has started to tell.
package outbox
