package server

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// startBench is a zone whose server is a process of its own, with its file system as the host
// sees it.
func startBench(b *testing.B) (*rig, string) {
	r, _ := startChild(b, withBPF)
	return r, fmt.Sprintf("/proc/%d/root%s/process/", r.initPid, r.fs)
}

func BenchmarkStat(b *testing.B) {
	_, dir := startBench(b)
	var st unix.Stat_t
	fd, err := unix.Open(dir+"1/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(b, err)
	defer unix.Close(fd)
	for b.Loop() {
		check(b, unix.Fstat(fd, &st))
	}
}

func BenchmarkIoctl(b *testing.B) {
	_, dir := startBench(b)
	fd, err := unix.Open(dir+"bundle", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(b, err)
	defer unix.Close(fd)
	for b.Loop() {
		check(b, unix.IoctlSetInt(fd, ioReset, 0))
	}
}

func BenchmarkReadNothing(b *testing.B) {
	_, dir := startBench(b)
	fd, err := unix.Open(dir+"bundle", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	check(b, err)
	defer unix.Close(fd)
	buf := make([]byte, 100)
	for b.Loop() {
		if _, err := unix.Read(fd, buf); err != unix.EAGAIN {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenTemplate(b *testing.B) {
	_, dir := startBench(b)
	at, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	check(b, err)
	defer unix.Close(at)
	for b.Loop() {
		fd, err := unix.Openat(at, "template", unix.O_RDWR|unix.O_CLOEXEC, 0)
		check(b, err)
		unix.Close(fd)
	}
}

func BenchmarkStatus(b *testing.B) {
	_, dir := startBench(b)
	at, err := unix.Open(dir+"1", unix.O_PATH|unix.O_CLOEXEC, 0)
	check(b, err)
	defer unix.Close(at)
	buf := make([]byte, 4096)
	for b.Loop() {
		fd, err := unix.Openat(at, "status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		check(b, err)
		_, err = unix.Read(fd, buf)
		check(b, err)
		unix.Close(fd)
	}
}

// BenchmarkBirth is a whole contract: terms, birth by clone3, end, abandoned.
func BenchmarkBirth(b *testing.B) {
	r, _ := startBench(b)
	fs, err := contract.OpenAt(fmt.Sprintf("/proc/%d/root%s", r.initPid, r.fs))
	check(b, err)
	t, err := fs.Template()
	check(b, err)
	defer t.Close()
	for b.Loop() {
		ct, p, err := t.Start("/bin/true", []string{"true"}, nil)
		check(b, err)
		_, err = p.Wait()
		check(b, err)
		check(b, ct.Abandon())
	}
}
