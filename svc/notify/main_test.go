package notify

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestMain is also the program that tests have send a message, which ends at once.
func TestMain(m *testing.M) {
	if path, is := os.LookupEnv("TEST_SEND_TO"); is {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Sendto(fd, []byte(os.Getenv("TEST_SEND")), 0, &unix.SockaddrUnix{Name: path})
		}
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m)
}
