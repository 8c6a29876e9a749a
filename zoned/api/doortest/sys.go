package doortest

import (
	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

func parseFDs(oob []byte) []*sys.FD {
	var out []*sys.FD
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		nums, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, n := range nums {
			unix.CloseOnExec(n)
			out = append(out, sys.Own(n))
		}
	}
	return out
}

func rights(fds []int) []byte {
	if len(fds) == 0 {
		return nil
	}
	return unix.UnixRights(fds...)
}
