// Package helper is how the supervisor has zrun do what only libcontainer can: the words
// that pass between them, and the supervisor's side of the conversation.
//
// zrun is short-lived. It is started with a SOCK_SEQPACKET socket as descriptor 3, is sent
// one Request, answers with one Reply (descriptors attached) and exits. What it leaves
// behind is the kernel's: processes, which become the keeper's children, and namespaces.
// The supervisor starts each one in a cgroup of helpers of its own generation, so that a
// successor can end those of a dead predecessor before it reads the state of things.
package helper
