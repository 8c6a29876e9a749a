package kernel

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroupMount is where the agent has its own mount of cgroup2.
const cgroupMount = "/tmp/cg"

// agentMain is root in the zone.
func agentMain() {
	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	a := &agent{}
	for in.Scan() {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			os.Exit(2)
		}
		_ = out.Encode(a.do(o))
	}
	os.Exit(0)
}

type agent struct {
	kept    []*os.File
	attacks sync.WaitGroup
	stop    chan struct{}
	mu      sync.Mutex
	won     map[string]int
	tries   int
}

func errnoOf(err error) int {
	var e syscall.Errno
	if errors.As(err, &e) {
		return int(e)
	}
	if err != nil {
		return int(unix.EIO)
	}
	return 0
}

func (a *agent) do(o order) answer {
	switch o.Do {
	case "mount":
		return answer{Errno: errnoOf(mountCgroup())}
	case "spawn":
		pid, err := spawn(o)
		return answer{Errno: errnoOf(err), Pid: pid}
	case "write":
		return answer{Errno: errnoOf(os.WriteFile(cgroupMount+o.Path, []byte(o.Text), 0))}
	case "open": // and keep
		f, err := os.OpenFile(cgroupMount+o.Path, os.O_WRONLY, 0)
		if err == nil {
			a.kept = append(a.kept, f)
		}
		return answer{Errno: errnoOf(err), N: len(a.kept) - 1}
	case "writeto":
		_, err := a.kept[o.N].WriteString(o.Text)
		return answer{Errno: errnoOf(err)}
	case "sh":
		out, err := exec.Command("/bin/sh", "-c", o.Text).CombinedOutput()
		var e *exec.ExitError
		if errors.As(err, &e) {
			return answer{N: e.ExitCode(), Text: string(out)}
		}
		return answer{Errno: errnoOf(err), Text: string(out)}
	case "kill":
		return answer{Errno: errnoOf(syscall.Kill(o.N, syscall.Signal(o.UID)))}
	case "attack":
		a.attack(o)
		return answer{}
	case "attacked":
		return a.attacked()
	}
	return answer{Errno: int(unix.ENOSYS)}
}

func mountCgroup() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/tmp", "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.Mkdir(cgroupMount, 0o755); err != nil {
		return err
	}
	return unix.Mount("cgroup", cgroupMount, "cgroup2", 0, "")
}

// spawn starts a command in a cgroup, as clone3 does it.
func spawn(o order) (int, error) {
	cmd := exec.Command(o.Argv[0], o.Argv[1:]...)
	cmd.Env = append(os.Environ(), o.Many...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: o.N != 0}
	if o.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(o.UID), Gid: uint32(o.UID)}
	}
	if o.Path != "" {
		fd, err := unix.Open(cgroupMount+o.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0, err
		}
		defer unix.Close(fd)
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, fd
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() { _ = cmd.Wait() }()
	return cmd.Process.Pid, nil
}

// attack has victims (Text, numbers in the zone) moved by every way there is, as fast as
// possible, until attacked is asked. Many are the directories that they are moved to.
func (a *agent) attack(o order) {
	a.stop, a.won = make(chan struct{}), map[string]int{}
	stop := a.stop
	try := func(how string, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.tries++
		if err == nil {
			a.won[how]++
		}
	}
	loop := func(f func()) {
		a.attacks.Go(func() {
			for { // once in any case
				f()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	n := 0
	loop(func() {
		n++
		text := strings.Fields(o.Text)[n%len(strings.Fields(o.Text))]
		for _, dir := range o.Many {
			for _, file := range []string{"cgroup.procs", "cgroup.threads"} {
				f, err := os.OpenFile(filepath.Join(cgroupMount, dir, file), os.O_WRONLY, 0)
				if err == nil {
					_, err = f.WriteString(text)
					a.mu.Lock()
					a.kept = append(a.kept, f)
					if len(a.kept) > 64 { // the oldest but one: windows that were long ago count too
						a.kept[1].Close()
						a.kept = append(a.kept[:1:1], a.kept[2:]...)
					}
					a.mu.Unlock()
				}
				try("write "+dir+"/"+file, err)
			}
		}
	})
	m := 0
	loop(func() {
		a.mu.Lock()
		kept := a.kept
		a.mu.Unlock()
		for _, f := range kept {
			m++
			_, err := f.WriteString(strings.Fields(o.Text)[m%len(strings.Fields(o.Text))])
			try("kept "+strings.TrimPrefix(f.Name(), cgroupMount), err)
		}
	})
	loop(func() {
		for _, dir := range o.Many {
			pid, err := spawn(order{Path: dir, Argv: []string{"/bin/true"}})
			_ = pid
			try("clone "+dir, err)
		}
	})
}

func (a *agent) attacked() answer {
	close(a.stop)
	a.attacks.Wait()
	b, _ := json.Marshal(a.won)
	return answer{N: a.tries, Text: string(b)}
}
