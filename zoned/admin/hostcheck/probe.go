package hostcheck

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/internal/idrange"
	"github.com/linuxzones/zones/internal/layout"
)

// capsNeeded are the capabilities that building zones uses, by bit.
var capsNeeded = []struct {
	bit  uint
	name string
}{
	{0, "CAP_CHOWN"}, {1, "CAP_DAC_OVERRIDE"}, {6, "CAP_SETGID"}, {7, "CAP_SETUID"}, {8, "CAP_SETPCAP"}, {12, "CAP_NET_ADMIN"},
	{18, "CAP_SYS_CHROOT"}, {19, "CAP_SYS_PTRACE"}, {21, "CAP_SYS_ADMIN"}, {24, "CAP_SYS_RESOURCE"}, {27, "CAP_MKNOD"},
}

// Host finds the facts of this host. l says where zone roots will be.
func Host(l layout.Layout) Facts {
	f := Facts{Privileged: os.Geteuid() == 0, MaxUserNS: -1, Controllers: map[string]string{}}
	f.Release = text("/proc/sys/kernel/osrelease")
	f.Major, f.Minor = version(f.Release)
	if n, err := strconv.Atoi(text("/proc/sys/user/max_user_namespaces")); err == nil {
		f.MaxUserNS = n
	}
	if f.Privileged {
		f.CapsLacking = capsLacking(text("/proc/self/status"))
	}
	f.Namespaces = namespaces()
	f.fileSystems(l)
	f.cgroups()
	f.processes()
	f.contracts()
	f.security()
	f.host(l)
	return f
}

// contracts tries the sources of contracts' events.
func (f *Facts) contracts() {
	for _, p := range []struct {
		answer *Answer
		try    func() error
		root   bool
	}{
		{&f.BPF, kernel.ProbeBPF, true}, {&f.Connector, kernel.ProbeConnector, true},
		{&f.PidfdInfo, kernel.ProbePidfdInfo, false}, {&f.PidfdExit, kernel.ProbePidfdExit, false},
	} {
		if p.root && !f.Privileged {
			continue
		}
		if err := p.try(); err != nil {
			*p.answer = no(err.Error())
		} else {
			*p.answer = Answer{Is: Yes}
		}
	}
}

// text reads a small file of /proc or /sys, empty when it can not be read.
func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// version takes the first two numbers of a release.
func version(release string) (major, minor int) {
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor
}

func capsLacking(status string) []string {
	var out []string
	for line := range strings.Lines(status) {
		hex, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		have, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil {
			return nil
		}
		for _, c := range capsNeeded {
			if have>>c.bit&1 == 0 {
				out = append(out, c.name)
			}
		}
	}
	return out
}

func namespaces() []string {
	var out []string
	entries, _ := os.ReadDir("/proc/self/ns")
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// fsKnown says whether the kernel can mount a type: built in, loaded, or a module on disk.
func fsKnown(fstype, release string) Answer {
	for line := range strings.Lines(text("/proc/filesystems")) {
		if w := strings.Fields(line); len(w) > 0 && w[len(w)-1] == fstype {
			return Answer{Is: Yes}
		}
	}
	dir := map[string]string{"overlay": "overlayfs"}[fstype]
	if dir == "" {
		dir = fstype
	}
	if m, _ := filepath.Glob("/lib/modules/" + release + "/kernel/fs/" + dir + "/*.ko*"); len(m) > 0 {
		return Answer{Is: Yes}
	}
	return no("the kernel has no file system type " + fstype)
}

func (f *Facts) fileSystems(l layout.Layout) {
	f.Overlay = fsKnown("overlay", f.Release)
	f.Devpts = fsKnown("devpts", f.Release)
	f.Mqueue = fsKnown("mqueue", f.Release)
	f.RootsPath = existing(l.Lib)
	f.RootsFS = mountOf(f.RootsPath).fstype
	f.UserNS, f.IDMap = probeIDMap(f.RootsPath, f.Privileged)
	f.RunFS = mountOf(existing(l.Run)).fstype
}

// existing is path or the nearest directory above it that is there.
func existing(path string) string {
	for !exists(path) && path != "/" {
		path = filepath.Dir(path)
	}
	return path
}

// mount is a line of mountinfo.
type mount struct{ point, fstype, options string }

// mounts reads this process's mount table; later lines lie above earlier ones.
func mounts() []mount {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return parseMounts(b)
}

func parseMounts(b []byte) []mount {
	var out []mount
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		front, back, ok := strings.Cut(sc.Text(), " - ")
		w, v := strings.Fields(front), strings.Fields(back)
		if !ok || len(w) < 6 || len(v) < 3 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(w[4])
		out = append(out, mount{point, v[0], v[2]})
	}
	return out
}

// mountOf is the mount that path lies on.
func mountOf(path string) mount {
	var best mount
	for _, m := range mounts() {
		under := m.point == "/" || path == m.point || strings.HasPrefix(path, m.point+"/")
		if under && len(m.point) >= len(best.point) {
			best = m
		}
	}
	return best
}

func (f *Facts) security() {
	f.Seccomp = is(exists("/proc/sys/kernel/seccomp/actions_avail"))
	if s := text("/sys/kernel/security/lsm"); s != "" {
		f.LSMs = strings.Split(s, ",")
	}
	switch text("/proc/sys/dev/tty/legacy_tiocsti") {
	case "0":
		f.LegacyTIOCSTI = no("")
	case "1":
		f.LegacyTIOCSTI = Answer{Is: Yes}
	}
	f.BTF = is(exists("/sys/kernel/btf/vmlinux"))
	f.BPFFS = fsKnown("bpf", f.Release)
	f.FUSE = fsKnown("fuse", f.Release)
	if f.FUSE.Is == Yes && !exists("/dev/fuse") {
		f.FUSE = no("/dev/fuse is not there")
	}
}

func (f *Facts) host(l layout.Layout) {
	f.Systemd = exists("/run/systemd/system")
	for _, dir := range []string{"/usr/bin", "/bin"} {
		f.SystemdRun = f.SystemdRun || exists(dir+"/systemd-run")
	}
	f.RangesTotal = idrange.Ranges
	if e, err := os.ReadDir(idrange.Dir); err == nil {
		f.RangesLeased = len(e)
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		f.RangesClash = append(f.RangesClash, clashes(file, text(file))...)
	}
}

// clashes lists lines of subuid or subgid that lie in the ranges of zones.
func clashes(file, content string) []string {
	const first, end = uint64(idrange.First), uint64(idrange.First) + idrange.Ranges*idrange.Count
	var out []string
	for line := range strings.Lines(content) {
		w := strings.Split(strings.TrimSpace(line), ":")
		if len(w) != 3 {
			continue
		}
		from, err1 := strconv.ParseUint(w[1], 10, 32)
		n, err2 := strconv.ParseUint(w[2], 10, 32)
		if err1 == nil && err2 == nil && from < end && from+n > first {
			out = append(out, fmt.Sprintf("%s: %s", file, w[0]))
		}
	}
	return out
}
