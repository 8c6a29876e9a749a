package keeper

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// player is the supervisor's process: it does what the test says.
type player struct {
	conn   *net.UnixConn
	socket *sys.FD
	client *Client
	held   *Held
	deaths *os.File
	mu     sync.Mutex // guards heard
	heard  int
}

func supervisorMain() {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: filepath.Join(os.Getenv(dirVariable), controlName), Net: "unixpacket"})
	if err != nil {
		os.Exit(98)
	}
	p := &player{conn: conn, socket: sys.Own(SocketFD)}
	unix.CloseOnExec(SocketFD)
	p.reply(strconv.Itoa(os.Getpid()))
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			os.Exit(0) // the test is over
		}
		var fds []int
		msgs, _ := unix.ParseSocketControlMessage(oob[:oobn])
		for i := range msgs {
			nums, _ := unix.ParseUnixRights(&msgs[i])
			fds = append(fds, nums...)
		}
		text, give, err := p.obey(strings.Fields(string(buf[:n])), fds)
		if err != nil {
			text = "error: " + err.Error()
		}
		p.reply(text, give...)
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

func (p *player) reply(text string, fds ...int) {
	if text == "" {
		text = "ok"
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, _ = p.conn.WriteMsgUnix([]byte(text), oob, nil)
}

func (p *player) obey(f []string, fds []int) (string, []int, error) {
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	number, _ := strconv.Atoi(arg(1))
	switch f[0] {
	case "parent":
		pid, err := Parent(SocketFD)
		if err == ErrGone {
			return "gone", nil, nil
		}
		return strconv.Itoa(pid), nil, err
	case "hello":
		return p.hello()
	case "put":
		return "", nil, p.client.Put(arg(1), fds[0])
	case "put-and-die":
		_ = p.client.Put(arg(1), fds[0])
		suicide(syscall.SIGKILL)
	case "drop":
		return "", nil, p.client.Drop(arg(1))
	case "fd":
		return "", []int{p.held.Slots[arg(1)].Int()}, nil
	case "hold":
		return "", nil, p.client.Hold(number == 1)
	case "started":
		return "", nil, p.client.Started()
	case "quit":
		return "", nil, p.client.Quit()
	case "renew":
		a, err := p.client.Renew()
		return fmt.Sprintf("%d %d", a.Answer, a.Exit), nil, err
	case "append":
		return "", nil, p.client.Append([]byte(arg(1)))
	case "exit":
		os.Exit(number)
	case "die":
		suicide(syscall.Signal(number))
	case "heard":
		p.mu.Lock()
		defer p.mu.Unlock()
		return strconv.Itoa(p.heard), nil, nil
	case "raw":
		return p.raw(arg(1), arg(2), fds)
	case "flood":
		return p.flood(number)
	case "close":
		return "", nil, p.socket.Close()
	case "shutdown":
		return "", nil, unix.Shutdown(SocketFD, number)
	case "run": // a child that is not waited for, with the supervisor's socket when asked
		return p.run(f[1:])
	case "limit":
		var lim unix.Rlimit
		err := unix.Getrlimit(number, &lim)
		return strconv.FormatUint(lim.Cur, 10), nil, err
	case "follow":
		return "", nil, p.follow()
	default:
		return "", nil, fmt.Errorf("no command %q", f[0])
	}
	return "", nil, nil
}

// suicide dies of a signal. The runtime makes something else of most of them, so for those
// this becomes a shell.
func suicide(sig syscall.Signal) {
	if sig != syscall.SIGKILL {
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -" + strconv.Itoa(int(sig)) + " $$"}, nil)
	}
	_ = syscall.Kill(os.Getpid(), sig)
	select {}
}

func (p *player) hello() (string, []int, error) {
	var err error
	p.client, p.held, err = Dial(p.socket)
	if err != nil {
		return "", nil, err
	}
	var names []string
	for n, fd := range p.held.Slots {
		var st unix.Stat_t
		if err := unix.Fstat(fd.Int(), &st); err != nil {
			return "", nil, err
		}
		names = append(names, fmt.Sprintf("%s=%d:%d", n, st.Dev, st.Ino))
	}
	sort.Strings(names)
	p.deaths, err = os.OpenFile(filepath.Join(os.Getenv(dirVariable), fmt.Sprintf("deaths.%03d", p.held.Generation)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", nil, err
	}
	for _, d := range p.held.Deaths {
		p.death(d)
	}
	go func() {
		for {
			d, err := p.client.Next()
			if err != nil {
				return
			}
			p.death(d)
		}
	}()
	return fmt.Sprintf("generation %d crashes %d slots %s", p.held.Generation, p.held.Crashes, strings.Join(names, ",")), nil, nil
}

// death writes a death down and then says that it is taken care of.
func (p *player) death(d Death) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard++
	fmt.Fprintf(p.deaths, "%d %d %d\n", d.Pid, d.Start, d.Status)
	_ = p.client.Forget(d)
}

// raw sends a message in hexadecimal digits, or of "zero:N" N zero bytes, as often as asked.
func (p *player) raw(message, count string, fds []int) (string, []int, error) {
	var m []byte
	if digits, found := strings.CutPrefix(message, "zero:"); found {
		n, _ := strconv.Atoi(digits)
		m = make([]byte, n)
	} else if message != "empty" {
		var err error
		if m, err = hex.DecodeString(message); err != nil {
			return "", nil, err
		}
	}
	n, _ := strconv.Atoi(count)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for range max(1, n) {
		iov := [][]byte{m}
		if _, err := unix.SendmsgBuffers(SocketFD, iov, oob, nil, unix.MSG_NOSIGNAL); err != nil {
			return "", nil, err
		}
	}
	return "", nil, nil
}

// flood sends n messages of all kinds, good and bad.
func (p *player) flood(n int) (string, []int, error) {
	kinds := [][]byte{
		[]byte("?"), []byte("h\x01"), []byte("h\x09"), []byte("p"), []byte("pname"), []byte("x"), []byte("xnone"), []byte("f123"),
		appendForget(nil, 1, 2), []byte("k"), []byte("k\x07"), []byte("w"), []byte("A"), []byte("s"), []byte("aline\r\n"),
		append([]byte("a"), make([]byte, 8000)...), []byte("u?"), []byte("q?"), []byte("xdoor"), []byte("xring"), {0}, {255, 255},
	}
	for i := range n {
		if err := sys.Send(SocketFD, kinds[i%len(kinds)]); err != nil {
			return "", nil, err
		}
	}
	return "", nil, nil
}

func (p *player) run(argv []string) (string, []int, error) {
	var files []*os.File
	if argv[0] == "with-socket" {
		argv = argv[1:]
		n, err := unix.Dup(SocketFD)
		if err != nil {
			return "", nil, err
		}
		defer unix.Close(n)
		files = append(files, os.NewFile(uintptr(n), "socket"))
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	return strconv.Itoa(cmd.Process.Pid), nil, nil
}
