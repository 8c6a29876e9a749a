package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// roleVariable makes this program an attacker rather than a test.
const roleVariable = "ZONES_HOSTILE_ROLE"

func play(role string, args []string) int {
	var err error
	switch role {
	case "verbs":
		err = sayVerbs(args[0])
	case "console":
		err = sayConsole(args[0])
	case "crowd":
		err = crowd(args[0], args[1])
	case "graft":
		err = graft(args[0], args[1], args[2])
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Println("attacker:", err)
		return 1
	}
	return 0
}

// verbs are all that the door knows, with what they need to be taken seriously.
var verbs = []map[string]any{
	{"verb": "ping"},
	{"verb": "halt"},
	{"verb": "ready"},
	{"verb": "boot"},
	{"verb": "reboot"},
	{"verb": "shutdown"},
	{"verb": "note_uninstalling"},
	{"verb": "login", "login": map[string]any{"args": []string{"touch", "/var/tmp/was-here"}, "tty": true}},
	{"verb": "wait", "target": "0123456789abcdef0123456789abcdef"},
	{"verb": "signal", "target": "0123456789abcdef0123456789abcdef", "signal": 9},
}

// sayVerbs asks for everything, and prints this process's number and every frame.
func sayVerbs(socket string) error {
	fmt.Println("pid", os.Getpid())
	for i, v := range verbs {
		v["version"], v["id"] = 1, fmt.Sprintf("%032x", time.Now().UnixNano()+int64(i))
		body, err := json.Marshal(v)
		if err != nil {
			return err
		}
		conn, err := dial(socket)
		if err != nil {
			return err
		}
		_, _ = conn.Write(frame(body))
		for _, f := range replies(conn) {
			fmt.Println("frame", v["verb"], string(f))
		}
		conn.Close()
	}
	return nil
}

// sayConsole asks for the console and prints what it says.
func sayConsole(socket string) error {
	conn, err := dial(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Println("pid", os.Getpid())
	_, _ = fmt.Fprintf(conn, "IDENT %d C 0\n", os.Getpid())
	_ = conn.SetReadDeadline(time.Now().Add(patience()))
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	fmt.Printf("console %q %v\n", buf[:n], err)
	return nil
}

// crowd connects many times, says nothing, and holds what it got until its input ends.
func crowd(socket, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	for range n {
		conn, err := dial(socket)
		if err != nil {
			return err
		}
		defer conn.Close()
	}
	fmt.Println("there")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// graft mounts a file of the host over a file in the mount namespace of another process.
func graft(source, pid, target string) error {
	runtime.LockOSThread() // the thread ends with the process
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("clone %s: %w", source, err)
	}
	ns, err := os.Open("/proc/" + pid + "/ns/mnt")
	if err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the mount namespace: %w", err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount on %s: %w", target, err)
	}
	return nil
}

// dial connects to a unix socket, whatever the length of its path.
func dial(socket string) (*net.UnixConn, error) {
	dir, err := unix.Open(filepath.Dir(socket), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	name := fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(socket))
	for end := time.Now().Add(patience()); ; time.Sleep(time.Millisecond) {
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
		// The queue of those that were not yet accepted is full.
		if !errors.Is(err, unix.EAGAIN) || time.Now().After(end) {
			return c, err
		}
	}
}
