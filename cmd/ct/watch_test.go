package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// event is one of ctwatch -o json.
type event struct {
	CTID     int    `json:"ctid"`
	EVID     uint64 `json:"evid"`
	Zone     string `json:"zone"`
	Critical bool   `json:"critical"`
	Event    string `json:"event"`
	Pid      int    `json:"pid"`
	PPid     int    `json:"ppid"`
	Status   int    `json:"status"`
	Signal   int    `json:"signal"`
	Count    int    `json:"count"`
	Sender   *struct {
		Kind    string `json:"kind"`
		Pid     int    `json:"pid"`
		UID     *int   `json:"uid"`
		Command string `json:"command"`
		Zone    string `json:"zone"`
	} `json:"sender"`
}

// sink is what a program prints, while it runs.
type sink struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// watch starts ctwatch and returns when it watches.
func (r *rig) watch(args ...string) (*background, *sink) {
	r.t.Helper()
	out := &sink{}
	cmd := r.Cmd("ctwatch", args...)
	cmd.Stdout = out
	b := r.start(cmd)
	r.awaitOpen(b.Process.Pid, "bundle", "events")
	return b, out
}

// awaitOpen waits until a process has one of these files of contracts open.
func (r *rig) awaitOpen(pid int, names ...string) {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		fds, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
		for _, fd := range fds {
			to, _ := os.Readlink(fd)
			for _, name := range names {
				if strings.HasPrefix(to, r.Run+"/contract/") && filepath.Base(to) == name {
					return true
				}
			}
		}
		return false
	}, "process "+strconv.Itoa(pid)+" to watch")
}

// events are those of what was printed, of which a last line may be on its way yet.
func events(t *testing.T, text string) (list []event) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

// What ctwatch tells is what the workload has noted of itself.
func TestWatchTells(t *testing.T) {
	r := newRig(t)
	_, out := r.watch("-r", "-o", "json", "process")
	const children = 100
	log := filepath.Join(t.TempDir(), "log")
	script := `i=0; while test $i -lt $1; do i=$((i+1)); sh -c 'echo $$ $2 >>$1; exit $2' x $0 $i; done; echo $$ 0 >>$0`
	_, errs, code := r.ctrun("-i", "fork,exit,core", "-f", "none", "sh", "-c", script, log, fmt.Sprint(children))
	if code != 0 || errs != "" {
		t.Fatalf("%d, %s", code, errs)
	}
	var got []event
	testenv.Eventually(t, func() bool {
		got = events(t, out.String())
		return len(got) > 0 && got[len(got)-1].Event == "empty"
	}, "the end of the events")
	text, err := os.ReadFile(log)
	must(t, err)
	want := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var pid, exit int
		_, err := fmt.Sscan(line, &pid, &exit)
		must(t, err)
		want[fmt.Sprintf("fork %d", pid)] = true
		want[fmt.Sprintf("exit %d %d", pid, exit<<8)] = true
	}
	var last uint64
	for i, e := range got {
		if e.EVID <= last || e.Zone != "global" || e.CTID != got[0].CTID {
			t.Errorf("event %d out of order: %+v after %d", i, e, last)
		}
		last = e.EVID
		key := fmt.Sprintf("fork %d", e.Pid)
		switch e.Event {
		case "exit":
			key = fmt.Sprintf("exit %d %d", e.Pid, e.Status)
		case "empty":
			if i != len(got)-1 || !e.Critical {
				t.Errorf("%+v is event %d of %d", e, i, len(got))
			}
			continue
		}
		if !want[key] {
			t.Errorf("nobody did this, or it is told twice: %+v", e)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
}

// Who killed is told: pid, command, user and zone.
func TestWatchNamesTheKiller(t *testing.T) {
	r := newRig(t)
	_, jsonOut := r.watch("-r", "-o", "json")
	_, out := r.watch("-rv")
	file := filepath.Join(t.TempDir(), "pid")
	b := r.start(r.Cmd("ctrun", "-i", "signal", "sh", "-c", "echo $$ >$0; exec sleep 1000", file))
	pid := number(t, file)
	kill(t, pid, unix.SIGTERM)
	if code := b.exit(); code != 123 {
		t.Errorf("%d", code)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	must(t, err)
	var told []event
	testenv.Eventually(t, func() bool { told = events(t, jsonOut.String()); return len(told) == 2 }, "two events")
	e := told[0]
	if e.Event != "signal" || e.Pid != pid || e.Signal != 15 || e.Sender == nil || e.Sender.Pid != os.Getpid() || e.Sender.Command != strings.TrimSpace(string(comm)) ||
		e.Sender.UID == nil || *e.Sender.UID != 0 || e.Sender.Zone != "global" {
		t.Errorf("%+v\n%s", e, jsonOut)
	}
	for _, want := range []string{
		fmt.Sprintf("process %d received a fatal signal\n", pid), "\tsignal:                15 (SIGTERM)\n", fmt.Sprintf("\tsender pid:            %d\n", os.Getpid()),
		"\tsender uid:            0\n", "\tsender zone:           global\n", "\tsender command:        " + string(comm), " contract empty\n",
	} {
		testenv.Eventually(t, func() bool { return strings.Contains(out.String(), want) }, fmt.Sprintf("%q", want))
	}
}

// ctwatch of one contract ends with it; -f shows what was before.
func TestWatchOne(t *testing.T) {
	r := newRig(t)
	_, others := r.watch()
	file := filepath.Join(t.TempDir(), "pid")
	b := r.start(r.Cmd("ctrun", "-l", "none", "-c", "exit", "sh", "-c", "echo $$ >$0; sh -c 'exit 4'; echo >$0.forked; exec sleep 1000 >/dev/null 2>&1", file))
	pid := number(t, file)
	st := r.of(pid)
	b.exit()
	testenv.Eventually(t, func() bool { _, err := os.Stat(file + ".forked"); return err == nil }, "the first child")
	// What was told to others is not told to who comes after.
	testenv.Eventually(t, func() bool { return strings.Contains(others.String(), " exited") }, "the first child's end to be told")
	w, out := r.watch(fmt.Sprint(st.CTID))
	kill(t, pid, unix.SIGKILL)
	if code := w.exit(); code != 0 || strings.Count(out.String(), "\n") != 3 || !strings.Contains(out.String(), "contract empty") || !strings.Contains(out.String(), fmt.Sprintf("process %d exited", pid)) {
		t.Errorf("%d, %s, %s", code, out, w.err.String())
	}
	if _, errs, code := r.RunInput("", "ctwatch", fmt.Sprint(st.CTID)); code != 1 || errs != fmt.Sprintf("ctwatch: contract %d: no such contract\n", st.CTID) {
		t.Errorf("of a contract that is gone: %d, %q", code, errs)
	}
}

// Who reads our output may go: ctwatch ends then, ctrun does not.
func TestReaderGone(t *testing.T) {
	r := newRig(t)
	read, write, err := os.Pipe()
	must(t, err)
	cmd := r.Cmd("ctwatch")
	cmd.Stdout = write
	w := r.start(cmd)
	write.Close()
	r.awaitOpen(w.Process.Pid, "bundle")
	read.Close()

	read, write, err = os.Pipe()
	must(t, err)
	read.Close()
	cmd = r.Cmd("ctrun", "-V", "-i", "fork,exit", "-r", "3", "-f", "core", "sh", "-c", "kill -SEGV $$")
	cmd.Stdout, cmd.Stderr = write, write
	b := r.start(cmd)
	write.Close()
	if code := b.exit(); code != 123 {
		t.Errorf("ctrun without a reader: %d", code)
	}
	if code := w.exit(); code != 128+int(syscall.SIGPIPE) && code != 1 {
		t.Errorf("ctwatch without a reader: %d, %s", code, w.err.String())
	}
	for args, want := range map[string]int{"ctstat -v >/dev/full": 1, "ctrun sh -c 'exit 3' <&- >&- 2>&-": 3, "ctrun -V sh -c 'exit 3' 2>/dev/full": 3} {
		b := r.start(r.shell(args))
		if code := b.exit(); code != want {
			t.Errorf("%s: %d, %s", args, code, b.err.String())
		}
	}
}
