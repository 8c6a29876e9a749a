package load

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
)

//go:generate make -C ../../.. bpf

//go:embed bpf/collector.o
var object []byte

// Into loads the collector and pins it below dir, which is in a bpffs, unless it is there
// already.
func Into(dir string) error {
	procs, err := procsMax()
	if err != nil {
		return err
	}
	return into(dir, procs)
}

// into is Into with room for so many members.
func into(dir string, procs uint32) error {
	release, err := lock(dir)
	if err != nil {
		return err
	}
	defer release()
	c, err := collector.Open(dir)
	if err == nil {
		return c.Close()
	}
	if !errors.Is(err, collector.ErrAbsent) {
		return err
	}
	in := collector.VersionDir(dir)
	// What a loader left that died: without its mark it is nobody's.
	if err := os.RemoveAll(in); err != nil {
		return err
	}
	if err := os.Mkdir(in, 0o700); err != nil {
		return err
	}
	if err := load(in, procs); err != nil {
		_ = os.RemoveAll(in)
		return err
	}
	return nil
}

// lock waits until no other loader works on dir.
func lock(dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// A member's note takes 24 bytes, set aside when the collector is loaded: to allocate each at
// its birth would double what the collector costs. A process takes 64 kilobytes at the least.
const (
	procsMost         = 128 << 10
	procsFewest       = 4 << 10
	processBytesLeast = 64 << 10
)

// procsMax is for how many members there is to be room on this host, a power of two: for all
// the numbers of processes there are, as far as memory could hold so many.
func procsMax() (uint32, error) {
	var host unix.Sysinfo_t
	if err := unix.Sysinfo(&host); err != nil {
		return 0, fmt.Errorf("sysinfo: %w", err)
	}
	b, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return 0, err
	}
	numbers, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read pid_max: %w", err)
	}
	fit := min(host.Totalram*uint64(host.Unit)/processBytesLeast, numbers, procsMost)
	n := uint32(procsFewest)
	for uint64(n) < fit {
		n *= 2
	}
	return n, nil
}

func load(in string, procs uint32) error {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return fmt.Errorf("read the collector's object: %w", err)
	}
	for _, name := range []string{"notes", "crowd", "senders"} {
		spec.Maps[name].MaxEntries = procs
	}
	if err := spec.Variables["places_mask"].Set(procs - 1); err != nil {
		return err
	}
	all, err := ebpf.NewCollection(spec)
	if err != nil {
		return fmt.Errorf("load the collector: %w", err)
	}
	defer all.Close()
	for _, name := range []string{collector.PinContracts, collector.PinZones, collector.PinUsers} {
		if err := all.Maps[name].Pin(filepath.Join(in, name)); err != nil {
			return err
		}
	}
	for _, name := range append([]string{collector.PinControl, collector.PinAdopt}, collector.Hooks...) {
		if err := all.Programs[name].Pin(filepath.Join(in, name)); err != nil {
			return err
		}
	}
	for _, name := range collector.Hooks {
		if err := attach(all.Programs[name], filepath.Join(in, name+"_link")); err != nil {
			return fmt.Errorf("attach %s: %w", name, err)
		}
	}
	// The mark of wholeness says, to a person, what this is.
	return os.Symlink("zones process contracts", filepath.Join(in, collector.PinReady))
}

// attach attaches a program; the link lives as long as its pin.
func attach(prog *ebpf.Program, pin string) error {
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Pin(pin)
}
