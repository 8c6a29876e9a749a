package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
)

// FuzzReplies: what a supervisor of another version, or one that lost its mind, sends is replies and
// an error at the end, and never more replies than frames.
func FuzzReplies(f *testing.F) {
	frames := func(list ...Reply) (b []byte) {
		for _, r := range list {
			p, err := json.Marshal(r)
			if err != nil {
				f.Fatal(err)
			}
			b = wire.Append(b, p)
		}
		return b
	}
	f.Add(frames(Reply{Type: ReplyMessage, Text: "x"}, Reply{Type: ReplyResult, Rval: -1}))
	f.Add(frames(Reply{Type: ReplyTTY}, Reply{Type: ReplyStarted, Pid: 5}, Reply{Type: ReplyResult, Exited: true, Status: 256}))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, '{'})
	f.Add(append(frames(Reply{Type: ReplyLine, Text: "half"}), 0, 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<15 {
			return // the socket's buffer: nobody reads while it is written
		}
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := newConn(sys.Own(p[0]))
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if len(in) > 0 {
			if n, err := unix.Write(p[1], in); err != nil || n != len(in) {
				t.Fatal(n, err)
			}
		}
		_ = unix.Close(p[1])
		for n := 0; ; n++ {
			_, err := c.receive()
			if err != nil {
				if !errors.Is(err, ErrProtocol) && !errors.Is(err, errLost) {
					t.Fatalf("an error of another kind: %v", err)
				}
				break
			}
			if n > len(in)/wire.HeaderBytes {
				t.Fatalf("more replies than frames in %q", in)
			}
		}
		if fds := c.takeFDs(); len(fds) > 0 {
			t.Fatal("descriptors of nobody")
		}
	})
}

// FuzzStatus: a status file that anything has written is a status of this boot, none, or an error.
func FuzzStatus(f *testing.F) {
	boot, err := sys.BootID()
	if err != nil {
		f.Fatal(err)
	}
	const mark = "BOOT" // the corpus is of no boot
	for _, s := range []string{
		`{"version":1,"zone":"web","state":"running","boot_id":"BOOT","id":3,"zsched":{"pid":5,"start":9},"init":{"pid":-1}}`,
		`{"boot_id":"BOOT","state":"\u001b[2J","note":"` + "\xff" + `"}`, `{"boot_id":"another"}`, `[]`, ``, `{"id":1e400}`, `null`,
	} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "status")
	f.Fuzz(func(t *testing.T, in []byte) {
		in = bytes.ReplaceAll(in, []byte(mark), []byte(boot))
		if err := os.WriteFile(path, in, 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := ReadStatus(path)
		switch {
		case err != nil && st != nil:
			t.Fatalf("%+v, and yet %v", st, err)
		case st != nil && st.BootID != boot:
			t.Fatalf("a status of boot %q", st.BootID)
		case st == nil:
			return
		}
		_ = st.Effective() // of whatever processes it names
		if st.Zoned.Pid <= 0 && st.Zoned.Alive() {
			t.Fatalf("process %d is alive", st.Zoned.Pid)
		}
	})
}
