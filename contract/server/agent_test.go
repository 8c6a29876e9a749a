package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// An agent is a process in the zone that makes single system calls as it is told, several at
// a time, so that a test can hold each answer against what must come.

// ask is one call.
type ask struct {
	ID   int
	Do   string
	Path string // below the file system's directory
	N    int    // a descriptor, flags, a size or a signal
	M    int
	Text string
	Argv []string
}

// told is its answer.
type told struct {
	ID    int
	Errno int
	N     int
	Text  string
}

func agentMain(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	a := &agentState{fs: fs, dir: args[0], out: json.NewEncoder(os.Stdout), children: map[int]*os.Process{}}
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR1) // handled: it interrupts
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		var q ask
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			return err
		}
		go a.answer(q)
	}
	return nil
}

type agentState struct {
	fs  *contract.FS
	dir string

	mu       sync.Mutex
	out      *json.Encoder
	children map[int]*os.Process
	template *contract.Template
}

func (a *agentState) answer(q ask) {
	t := a.do(q)
	t.ID = q.ID
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.out.Encode(t)
}

func failure(err error) told {
	var errno syscall.Errno
	switch {
	case err == nil:
		return told{}
	case errors.As(err, &errno):
		return told{Errno: int(errno), Text: err.Error()}
	}
	return told{Errno: int(unix.EIO), Text: err.Error()}
}

func (a *agentState) do(q ask) (t told) {
	path := a.dir + "/" + q.Path
	switch q.Do {
	case "open":
		fd, err := unix.Open(path, q.N|unix.O_CLOEXEC, 0)
		t = failure(err)
		t.N = fd
	case "close":
		t = failure(unix.Close(q.N))
	case "read":
		b := make([]byte, q.M)
		n, err := again(func() (int, error) { return unix.Read(q.N, b) })
		t = failure(err)
		t.N, t.Text = n, string(b[:max(n, 0)])
	case "pread":
		b := make([]byte, 64<<10)
		n, err := again(func() (int, error) { return unix.Pread(q.N, b, int64(q.M)) })
		t = failure(err)
		t.N, t.Text = n, string(b[:max(n, 0)])
	case "write":
		n, err := again(func() (int, error) { return unix.Write(q.N, []byte(q.Text)) })
		t = failure(err)
		t.N = n
	case "ioctl":
		t = failure(unix.IoctlSetInt(q.N, uint(q.M), 0))
	case "poll": // within M milliseconds
		p := []unix.PollFd{{Fd: int32(q.N), Events: unix.POLLIN | unix.POLLOUT | unix.POLLPRI}}
		_, err := again(func() (int, error) { return unix.Poll(p, q.M) })
		t = failure(err)
		t.N = int(p[0].Revents)
	case "stat":
		var st unix.Stat_t
		err := unix.Lstat(path, &st)
		t = failure(err)
		t.Text = fmt.Sprintf("%o %d %d %d %d %d", st.Mode, st.Uid, st.Gid, st.Nlink, st.Ino, st.Mtim.Nano())
	case "path": // what changes names and attributes
		t = failure(change(path, q.Argv))
	case "thread":
		t.N = unix.Gettid()
	case "pid":
		t.N = os.Getpid()
	default:
		return a.process(q)
	}
	return t
}

// again does a call until no signal ends it: Go's runtime sends its threads signals of its
// own, and a wait in FUSE ends with EINTR whatever SA_RESTART says.
func again(call func() (int, error)) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = call(); return })
	return n, err
}

func change(path string, how []string) error {
	switch how[0] {
	case "mkdir":
		return unix.Mkdir(path, 0o755)
	case "rmdir":
		return unix.Rmdir(path)
	case "unlink":
		return unix.Unlink(path)
	case "create":
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
		if err == nil {
			unix.Close(fd)
		}
		return err
	case "symlink":
		return unix.Symlink("x", path)
	case "link":
		return unix.Link(path, path+"x")
	case "rename":
		return unix.Rename(path, path+"x")
	case "chmod":
		return unix.Chmod(path, 0o777)
	case "chown":
		return unix.Chown(path, 1, 1)
	case "utimes":
		return unix.Utimes(path, []unix.Timeval{{Sec: 1}, {Sec: 1}})
	case "truncate":
		return unix.Truncate(path, 0)
	case "truncate1":
		return unix.Truncate(path, 1)
	case "mknod":
		return unix.Mknod(path, unix.S_IFREG|0o644, 0)
	case "setxattr":
		return unix.Setxattr(path, "user.x", []byte("x"), 0)
	case "getxattr":
		_, err := unix.Getxattr(path, "user.x", nil)
		return err
	case "access-x":
		return unix.Access(path, unix.X_OK)
	case "exec":
		return exec.Command(path).Run()
	}
	return unix.ENOSYS
}

// process makes contracts and processes.
func (a *agentState) process(q ask) (t told) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch q.Do {
	case "start": // TERMS in Text, a command
		if a.template == nil {
			tmpl, err := a.fs.Template()
			if err != nil {
				return failure(err)
			}
			a.template = tmpl
		}
		terms, err := parseTerms(q.Text)
		if err == nil {
			err = a.template.Set(terms)
		}
		if err != nil {
			return failure(err)
		}
		ct, p, err := a.template.Start(q.Argv[0], q.Argv, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nil, os.Stderr, os.Stderr}})
		if err != nil {
			return failure(err)
		}
		a.children[p.Pid] = p
		return told{N: int(ct.ID), Text: fmt.Sprint(p.Pid)}
	case "fork": // a command, in the cgroup N or our own
		attr := &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nil, os.Stderr, os.Stderr}, Sys: &syscall.SysProcAttr{}}
		if q.Text != "" {
			fd, err := unix.Open(a.dir[:len(a.dir)-len("contract")]+"cgroup"+q.Text, unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				return failure(err)
			}
			defer unix.Close(fd)
			attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, fd
		}
		p, err := os.StartProcess(q.Argv[0], q.Argv, attr)
		if err != nil {
			return failure(err)
		}
		a.children[p.Pid] = p
		return told{N: p.Pid}
	case "kill":
		return failure(a.children[q.N].Signal(syscall.Signal(q.M)))
	case "wait":
		p := a.children[q.N]
		a.mu.Unlock()
		st, err := p.Wait()
		a.mu.Lock()
		t = failure(err)
		if err == nil {
			t.N = int(st.Sys().(syscall.WaitStatus))
		}
		return t
	}
	return told{Errno: int(unix.ENOSYS)}
}

// agent is one, as a test sees it.
type agent struct {
	t   testing.TB
	r   *rig
	cmd *exec.Cmd
	in  *json.Encoder
	end io.Closer

	mu   sync.Mutex
	next int
	asks map[int]chan told
}

// agent starts one in init's contract, with a user of the zone.
func (r *rig) agent(uid int) *agent { return r.agentOf(r.client(uid, "agent")) }

func (r *rig) agentOf(c *exec.Cmd) *agent {
	t := r.t
	t.Helper()
	a := &agent{t: t, r: r, cmd: c, asks: map[int]chan told{}}
	in, err := c.StdinPipe()
	check(t, err)
	out, err := c.StdoutPipe()
	check(t, err)
	c.Stderr = os.Stderr
	a.in, a.end = json.NewEncoder(in), in
	check(t, c.Start())
	f := &follower{t: t, cmd: c, lines: make(chan string)}
	r.followers = append(r.followers, f)
	go func() {
		defer close(f.lines)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var w told
			if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
				continue
			}
			a.mu.Lock()
			if ch := a.asks[w.ID]; ch != nil {
				ch <- w
				delete(a.asks, w.ID)
			}
			a.mu.Unlock()
		}
		_ = c.Wait()
	}()
	return a
}

// send asks without waiting.
func (a *agent) send(q ask) chan told {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	q.ID = a.next
	ch := make(chan told, 1)
	a.asks[q.ID] = ch
	check(a.t, a.in.Encode(q))
	return ch
}

// take waits for an answer.
func (a *agent) take(ch chan told) told {
	a.t.Helper()
	select {
	case w := <-ch:
		return w
	case <-time.After(testenv.Deadline(20 * time.Second)):
		a.t.Fatal("the agent does not answer")
		return told{}
	}
}

func (a *agent) ask(q ask) told { a.t.Helper(); return a.take(a.send(q)) }

// stays says that there is no answer for a while.
func (a *agent) stays(ch chan told, what string) {
	a.t.Helper()
	select {
	case w := <-ch:
		a.t.Fatalf("%s was answered: %+v", what, w)
	case <-time.After(50 * time.Millisecond):
	}
}

// must makes a call that may not fail.
func (a *agent) must(q ask) told {
	a.t.Helper()
	w := a.ask(q)
	if w.Errno != 0 {
		a.t.Fatalf("%+v: %v %s", q, unix.Errno(w.Errno), w.Text)
	}
	return w
}

func (a *agent) open(path string, flags int) int {
	a.t.Helper()
	return a.must(ask{Do: "open", Path: path, N: flags}).N
}

func (a *agent) write(fd int, text string) unix.Errno {
	a.t.Helper()
	w := a.ask(ask{Do: "write", N: fd, Text: text})
	if w.Errno == 0 && w.N != len(text) {
		a.t.Fatalf("%d bytes of %q were written", w.N, text)
	}
	return unix.Errno(w.Errno)
}

func (a *agent) text(fd int) string {
	a.t.Helper()
	return a.must(ask{Do: "pread", N: fd}).Text
}

// read reads what is there, or gives the errno.
func (a *agent) read(fd, size int) (string, unix.Errno) {
	a.t.Helper()
	w := a.ask(ask{Do: "read", N: fd, M: size})
	return w.Text, unix.Errno(w.Errno)
}

// start starts a command in a contract, and gives both numbers.
func (a *agent) start(terms string, argv ...string) (ct, pid int) {
	a.t.Helper()
	w := a.must(ask{Do: "start", Text: terms, Argv: argv})
	_, err := fmt.Sscan(w.Text, &pid)
	check(a.t, err)
	return w.N, pid
}

// leave ends the agent in order.
func (a *agent) leave() {
	a.t.Helper()
	a.end.Close()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(20*time.Second))
	defer cancel()
	for ctx.Err() == nil && a.cmd.ProcessState == nil {
		time.Sleep(time.Millisecond)
	}
}

// status reads one line of a contract's status.
func (r *rig) status(ct int, key string) string {
	r.t.Helper()
	out, code := r.sh(0, fmt.Sprintf("sed -n 's/^%s //p' process/%d/status", key, ct))
	if code != 0 {
		return ""
	}
	return strings.TrimSpace(out)
}

// await waits for a line of a status.
func (r *rig) await(ct int, key, want string) {
	r.t.Helper()
	defer func() {
		if r.t.Failed() {
			out, _ := r.sh(0, "ls -l process; cat process/*/status")
			r.t.Log(out)
		}
	}()
	testenv.Eventually(r.t, func() bool { return r.status(ct, key) == want }, fmt.Sprintf("contract %d's %s to be %q", ct, key, want))
}

// memberOf is an agent in a contract of the zone's.
func (r *rig) memberOf(ct, uid int) *agent {
	r.t.Helper()
	return r.memberIn(fmt.Sprintf("%s/ct/%d/d", r.root, ct), uid)
}

// memberIn is one in the directory of a contract.
func (r *rig) memberIn(dir string, uid int) *agent {
	r.t.Helper()
	c := r.client(uid, "agent")
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(r.t, err)
	r.t.Cleanup(func() { unix.Close(fd) })
	c.SysProcAttr.CgroupFD = fd
	return r.agentOf(c)
}
