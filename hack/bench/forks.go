package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// forks compares births and deaths of processes in a contract, with all events on and a reader
// that takes them, with the same outside of any. Two workers take turns, a short while each,
// so that both see the machine as it is.
func (b *bench) forks() error {
	if !b.wants("contract.fork") {
		return nil
	}
	reader := exec.Command(filepath.Join(b.bin, "ctwatch"), "-r", "-z", "global")
	outside, err := b.worker()
	if err != nil {
		return err
	}
	defer outside.end()
	inside, err := b.worker(filepath.Join(b.bin, "ctrun"), "-l", "child", "-o", "noorphan", "-i", "core,empty,exit,fork,hwerr,signal")
	if err != nil {
		return err
	}
	defer inside.end()
	reader.Env = append(os.Environ(), "ZONES_ROOT="+b.root)
	if err := reader.Start(); err != nil {
		return err
	}
	defer func() {
		_ = reader.Process.Kill()
		_ = reader.Wait()
	}()
	// Of a short run more is in the first milliseconds, in which the reader is still woken often.
	for _, c := range []struct {
		kind, of string
		perRun   int
	}{{"fork", "", 400}, {"fork-exec", "", 400}, {"fork-exec", ".runs-of-100", 100}} {
		var in, out []float64
		for i := range 10 * b.runs {
			pair := []*worker{outside, inside}
			if i%2 == 1 {
				pair[0], pair[1] = inside, outside
			}
			for _, w := range pair {
				us, err := w.ask(c.kind, c.perRun)
				if err != nil {
					return err
				}
				if w == inside {
					in = append(in, us)
				} else {
					out = append(out, us)
				}
			}
		}
		name := "contract." + c.kind + c.of
		b.print(name+".outside", "us", "", append([]float64(nil), out...))
		b.print(name, "us", name+".outside", append([]float64(nil), in...))
		var ratios []float64
		for i := range in {
			ratios = append(ratios, in[i]/out[i])
		}
		b.print(name+".ratio", "x", "", ratios)
	}
	return nil
}

// worker is a process that forks when it is told to.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (b *bench) worker(before ...string) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(append([]string(nil), before...), self)
	w := &worker{cmd: exec.Command(args[0], args[1:]...)}
	w.cmd.Env = append(os.Environ(), "ZONES_ROOT="+b.root, roleVariable+"=forks")
	w.cmd.Stderr = os.Stderr
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewReader(out)
	return w, w.cmd.Start()
}

// ask has it do n of a kind and gives the microseconds of one.
func (w *worker) ask(kind string, n int) (float64, error) {
	if _, err := fmt.Fprintln(w.in, kind, n); err != nil {
		return 0, err
	}
	line, err := w.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(line), 64)
}

func (w *worker) end() {
	w.in.Close()
	_ = w.cmd.Wait()
}

func playForks([]string) error {
	if err := sharePage(); err != nil {
		return err
	}
	return locked(func() error {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			f := strings.Fields(in.Text())
			n, err := strconv.Atoi(f[1])
			if err != nil {
				return err
			}
			began := monotonic()
			for range n {
				if err := forkOne(f[0]); err != nil {
					return err
				}
			}
			fmt.Println(float64(monotonic()-began) / 1e3 / float64(n))
		}
		return in.Err()
	})
}

func forkOne(kind string) error {
	if kind == "fork-exec" {
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		_, err = p.Wait()
		return err
	}
	pid, errno := bearBare()
	if errno != 0 {
		return errno
	}
	return reap(pid)
}
