package testenv

import (
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// HostPaths are the parts of the host that a zone must not damage.
var HostPaths = []string{"/usr", "/etc", "/var"}

// Volatile are the paths below HostPaths that an idle host changes by itself, each with the
// reason. A path stands for what is below it too.
var Volatile = map[string]string{
	"/etc/resolv.conf":            "written by DHCP clients",
	"/etc/ld.so.cache":            "rewritten by any installation of a package",
	"/var/cache":                  "caches are rebuilt at any time",
	"/var/lib/apt":                "the daily timer refreshes the lists",
	"/var/lib/chrony":             "clock drift",
	"/var/lib/dhcp":               "leases",
	"/var/lib/docker":             "another container engine's own",
	"/var/lib/containerd":         "another container engine's own",
	"/var/lib/NetworkManager":     "leases and seen networks",
	"/var/lib/logrotate":          "when it last ran",
	"/var/lib/private":            "state of systemd's dynamic users",
	"/var/lib/systemd":            "random seed, stamps of timers, core dumps",
	"/var/lib/ubuntu-advantage":   "a timer's stamps",
	"/var/lib/update-notifier":    "a timer's stamps",
	"/var/lib/zones":              "zone roots of the host's own instance",
	"/var/log":                    "logs grow",
	"/var/spool":                  "queues move",
	"/var/tmp":                    "the tests' own directory",
	"/var/lib/command-not-found":  "rebuilt with apt's lists",
	"/var/lib/PackageKit":         "refreshed with apt's lists",
	"/var/lib/swcatalog":          "refreshed with apt's lists",
	"/var/lib/app-info":           "refreshed with apt's lists",
	"/var/lib/fwupd":              "refreshed by a timer",
	"/var/lib/snapd":              "refreshed by a timer",
	"/var/lib/postgresql":         "a running server's files",
	"/var/lib/mysql":              "a running server's files",
	"/var/lib/amazon":             "a cloud agent's state",
	"/var/lib/waagent":            "a cloud agent's state",
	"/var/lib/google":             "a cloud agent's state",
	"/var/lib/cloud":              "a cloud agent's state",
	"/var/backups":                "the daily timer rotates them",
	"/usr/local/go/pkg/sumdb":     "the go command's own notes",
	"/var/lib/update-manager":     "a timer's stamps",
	"/var/lib/ucf/cache":          "rebuilt by any installation of a package",
	"/var/lib/dpkg/lock":          "touched by every query for installation",
	"/var/lib/dpkg/lock-frontend": "touched by every query for installation",
}

// Tree is what HashTree saw: a line for each path.
type Tree map[string]string

// hashSeed makes sums comparable within one process only, which is all that before and
// after need; a maphash is ten times as fast as a cryptographic one.
var hashSeed = maphash.MakeSeed()

// HashTree reads every file, link and directory below the paths: kind, mode, owner, size,
// times of change, extended attributes, content. Access times do not count, and neither
// does what is in Volatile. It stays on the file system of each path. About 5 GB a second
// from the cache; the first time at the disk's speed.
func HashTree(t testing.TB, paths ...string) Tree {
	t.Helper()
	tree := Tree{}
	var mu sync.Mutex
	work := make(chan string, 1024)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			buf := make([]byte, 1<<20)
			for path := range work {
				line := describe(path, buf)
				mu.Lock()
				tree[path] = line
				mu.Unlock()
			}
		})
	}
	var err error
	for _, path := range paths {
		if err == nil {
			err = walk(path, work)
		}
	}
	close(work)
	workers.Wait()
	must(t, err)
	return tree
}

// walk sends every path below root that is on root's file system and not volatile.
func walk(root string, work chan<- string) error {
	var st unix.Stat_t
	if err := unix.Stat(root, &st); err != nil {
		return fmt.Errorf("hash %s: %w", root, err)
	}
	device := st.Dev
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return skipVanished(err)
		}
		if _, volatile := Volatile[path]; volatile {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() && path != root {
			if unix.Lstat(path, &st) == nil && st.Dev != device {
				return fs.SkipDir
			}
		}
		work <- path
		return nil
	})
}

func skipVanished(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// describe gives all that counts of one path in one line.
func describe(path string, buf []byte) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err.Error()
	}
	line := fmt.Sprintf("mode %o owner %d:%d ctime %d.%09d attributes %x",
		st.Mode, st.Uid, st.Gid, st.Ctim.Sec, st.Ctim.Nsec, attributes(path))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return fmt.Sprintf("%s size %d content %s", line, st.Size, content(path, buf))
	case unix.S_IFLNK:
		target, _ := os.Readlink(path)
		return line + " -> " + target
	case unix.S_IFBLK, unix.S_IFCHR:
		return fmt.Sprintf("%s device %x", line, st.Rdev)
	}
	return line
}

// content is the hash of a file's bytes.
func content(path string, buf []byte) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if err == unix.EPERM { // O_NOATIME is for owners and root
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return err.Error()
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	var h maphash.Hash
	h.SetSeed(hashSeed)
	if _, err := io.CopyBuffer(&h, struct{ io.Reader }{file}, buf); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// attributes is the hash of a path's extended attributes, 0 for none.
func attributes(path string) uint64 {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if err != nil || n == 0 {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(hashSeed)
	value := make([]byte, 64<<10)
	for _, name := range strings.Split(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		m, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			m = 0
		}
		_, _ = h.WriteString(name + "=")
		_, _ = h.Write(value[:m])
	}
	return h.Sum64()
}

// Diff lists what is different afterwards, a line for each path, sorted.
func (before Tree) Diff(after Tree) []string {
	var list []string
	for path, was := range before {
		is, found := after[path]
		switch {
		case !found:
			list = append(list, path+": gone; was "+was)
		case is != was:
			list = append(list, path+": was "+was+"; is "+is)
		}
	}
	for path, is := range after {
		if _, found := before[path]; !found {
			list = append(list, path+": new; is "+is)
		}
	}
	sort.Strings(list)
	return list
}
