// Package ctfs is the file system /system/contract: what its files are called, who may open
// them, and what a request of the kernel for one of them means to the table of contracts.
//
//	/all/ID             -> ../process/ID
//	/process/template   rw  terms of a contract to be, and the commands that make it
//	/process/latest     r   the status of the contract that the opener's process made last
//	/process/bundle     r   the events of all contracts that the opener may see
//	/process/pbundle    r   the events of the contracts that the opener's process owns
//	/process/ID/ctl     w   abandon, ack, adopt, ...
//	/process/ID/status  r
//	/process/ID/events  r
//
// It is a translation: a fuse.Request comes in, an Answer goes out, and in between a question
// to the table, an Op for it, or a call of Host. Nothing is kept but the texts of open status
// files, in memory that a successor is given too. Of more than ArenaBytes the oldest go, and who
// reads on in such a one is told ESTALE. Numbers of nodes mean themselves, so that no table of them is needed and a supervisor's successor
// understands its predecessor's.
//
// Attributes are told with ids of the host, and nothing is valid for longer than its answer:
// the kernel asks for each name and each attribute again. Directories belong to the zone's
// root, a contract's files to its author. Errors are those of contract(4) and ctfs(7FS).
//
// It refuses every change of a name, owner or mode. What may be written is a template's text
// and a contract's commands, each write a whole of at most textMax bytes.
//
// A FS belongs to the server's goroutine. No goroutines, no locks, no system calls.
package ctfs
