package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

func contractID(n int) contract.ID { return contract.ID(n) }

// hoardClient opens a file as often as it can, and holds on: FILE TIMES.
func hoardClient(args []string) error {
	times, _ := strconv.Atoi(args[2])
	limit := unix.Rlimit{Cur: uint64(times + 100), Max: uint64(times + 100)}
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	held := 0
	var why error
	for range times {
		if _, err := unix.Open(args[0]+"/"+args[1], unix.O_RDONLY, 0); err != nil {
			why = err
			break
		}
		held++
	}
	fmt.Printf("hoard %d %v\n", held, why)
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// floodClient makes requests without end: WHAT.
func floodClient(args []string) error {
	dir := args[0] + "/process/"
	bundle, err := unix.Open(dir+"bundle", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	template, err := unix.Open(dir+"template", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	fmt.Println("ready", unix.Getpid(), unix.Getpid())
	huge := []byte(strings.Repeat("x", 1<<20))
	buf := make([]byte, 1)
	for {
		switch args[1] {
		case "stat":
			var st unix.Stat_t
			_ = unix.Stat(dir+"1/status", &st)
		case "open":
			if fd, err := unix.Open(dir+"1/status", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
				unix.Close(fd)
			}
		case "read":
			_, _ = unix.Read(bundle, buf)
		case "activate":
			_, _ = unix.Write(template, []byte("activate"))
			_, _ = unix.Write(template, []byte("clear"))
		case "huge":
			_, _ = unix.Write(template, huge)
		case "list":
			_, _ = os.ReadDir(dir)
		case "poll":
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(bundle), Events: unix.POLLIN}}, 1)
		case "births":
			fs, err := contract.OpenAt(args[0])
			if err != nil {
				return err
			}
			t, err := fs.Template()
			if err != nil {
				return err
			}
			if _, p, err := t.Start("/bin/true", []string{"true"}, nil); err == nil {
				_, _ = p.Wait()
			}
			t.Close()
		}
	}
}
