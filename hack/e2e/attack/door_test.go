package attack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// repositoryDoor is where a zone's repository is served.
const repositoryDoor = "/etc/svc/volatile/repository_door"

// falseDoor takes the place of the zone's repository and answers whoever asks, in one of several
// ways, until its input ends.
func falseDoor(way string) error {
	temporary := repositoryDoor + "." + way
	_ = os.Remove(temporary)
	l, err := net.Listen("unix", temporary)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := os.Rename(temporary, repositoryDoor); err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go falsely(c, way)
		}
	}()
	fmt.Println(there)
	for !ended() {
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// ways of a door to answer.
var ways = []string{"garbage", "huge", "endless", "painted"}

func falsely(c net.Conn, way string) {
	defer c.Close()
	switch way { // it is the server that speaks first
	case "garbage":
		b := make([]byte, 1<<16)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		_, _ = c.Write(b)
	case "huge":
		_, _ = c.Write([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3})
		_, _ = c.Read(make([]byte, 1))
	case "endless": // frames of nothing, as long as anybody takes them
		b := make([]byte, 4+1<<16)
		binary.BigEndian.PutUint32(b, 1<<16)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	case "painted":
		text := []byte(paint)
		_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	case "deaf": // until the caller gives up
		time.Sleep(time.Hour)
	}
}

// misled: a zone puts a socket of its own where its repository is served. Who asks from the host
// ends, with an error of one line, whatever comes; and the zone is managed as before.
func misled(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "a")
	z.ServicesUp("a")
	for _, way := range ways {
		r := start(t, z, "a", as("falsedoor", way))
		for _, line := range []string{"svcs -z a", "svcprop -z a -p general/enabled cron:default", "svccfg -z a list", "svcadm -z a restart cron", "svcs -Z"} {
			words := strings.Fields(line)
			out, errs, exit, err := z.Try("", words[0], words[1:]...)
			if err != nil || exit == 0 || strings.Count(errs, "\n") != 1 && !strings.HasPrefix(line, "svcs") {
				t.Errorf("%s with a door that is %s: %v %v", line, way, err, said{out, errs, exit})
			}
			unpainted(t, line+" with a door that is "+way, errs)
		}
		r.stop()
	}
	// A door that says nothing holds its callers, and nobody else; who gives up is free.
	r := start(t, z, "a", as("falsedoor", "deaf"))
	cmd := z.Cmd("svcs", "-z", "a")
	must(t, cmd.Start())
	if out := z.In("a", "echo still here"); out != "still here\n" {
		t.Errorf("the zone says %q", out)
	}
	must(t, cmd.Process.Signal(unix.SIGINT))
	_ = cmd.Wait()
	z.Must("zoneadm", "list", "-v")
	halted(t, z, "a")
	_ = r
	boot(t, z, "a") // what it did to its repository's door was its own loss, until now
	z.ServicesUp("a")
	halted(t, z, "a")
}

// garbled: zrun is sent what is no request, or one that makes no sense: it says so and ends, and
// touches nothing.
func garbled(t *testing.T) {
	z := testenv.Instance(t)
	for name, request := range map[string]string{
		"nothing":            "",
		"no JSON":            "\x00\xff{{{",
		"another operation":  `{"op":"format"}`,
		"a list":             `[1,2]`,
		"a login of nothing": `{"op":"exec","zone":"a","state_dir":"` + t.TempDir() + `","slot":"x"}`,
		"mounts of nobody":   `{"op":"create","zone":"a","mounts":["ctfs","mnttab"]}`,
		"deep":               strings.Repeat("[", 100000),
	} {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		theirs := os.NewFile(uintptr(p[1]), "zrun")
		cmd := z.Cmd("zrun", "serve")
		cmd.ExtraFiles = []*os.File{theirs}
		cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		must(t, cmd.Start())
		theirs.Close()
		if request != "" {
			must(t, sys.Send(p[0], []byte(request)))
			var answer [1 << 16]byte
			n, fds, err := sys.Recv(p[0], answer[:])
			if sys.CloseAll(fds); err != nil || len(fds) > 0 || !strings.Contains(string(answer[:n]), `"error":"`) {
				t.Errorf("%s: answered %q with %d descriptors, %v", name, answer[:n], len(fds), err)
			}
		}
		must(t, unix.Close(p[0]))
		if err := cmd.Wait(); (err != nil) != (request == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
