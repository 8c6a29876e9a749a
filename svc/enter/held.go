package enter

import (
	"os"
	"strconv"
	"syscall"
)

// heldVariable is the number of a pipe from which a byte comes when the supervisor has noted who
// this process is. Before, nothing of the caller's may happen: a supervisor that dies first leaves
// nobody who could tell how it ended, and its successor tells the caller that it was undone.
const heldVariable = "ZONES_LOGIN_HELD"

// neverRan is the exit status of a login that was not let go. A successor that is not sure whether
// one was (it never is for more than a moment) takes it for that.
const neverRan = 213

// awaitWord waits for the byte. The pipe's end without one is the supervisor's.
func awaitWord(number string) {
	os.Unsetenv(heldVariable)
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return
	}
	var b [1]byte
	for {
		n, err := syscall.Read(fd, b[:])
		if err == syscall.EINTR {
			continue
		}
		syscall.Close(fd)
		if err != nil || n == 1 {
			return // an error: it is not the pipe, and nobody waits to be asked
		}
		break
	}
	os.Exit(neverRan)
}
