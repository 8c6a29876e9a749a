package door

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Random fills p. It is the kernel's, without crypto/rand, which would be the largest thing that
// small commands link. It fails on no kernel that zones run on; where it does, numbers would
// repeat, so that it ends the process.
func Random(p []byte) {
	for n := 0; n < len(p); {
		err := sys.Retry(func() error {
			m, err := unix.Getrandom(p[n:], 0)
			n += max(m, 0)
			return err
		})
		if err != nil {
			panic("getrandom: " + err.Error())
		}
	}
}
