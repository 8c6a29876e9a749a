package global

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// enterVariable makes the test binary a program that enters the mount namespace whose name it
// holds, if the directory that is its argument is the same there.
const enterVariable = "GLOBAL_TEST_ENTER"

// The first thread is main's, as the program's that this one stands for.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if namespace := os.Getenv(enterVariable); namespace != "" {
		if err := enterMounts(namespace, os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		now, _ := os.Readlink("/proc/self/ns/mnt")
		fmt.Println(os.Getpid(), now)
		os.Exit(0)
	}
	runtime.UnlockOSThread()
	testenv.Main(m)
}
