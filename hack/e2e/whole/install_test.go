package whole

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestInstall: from a directory and from archives comes the same tree, and it boots.
func TestInstall(t *testing.T) {
	t.Parallel()
	tree := testenv.DebianRoot(t)
	z := testenv.Instance(t)
	want := manifest(t, tree)
	if len(want) < 3000 {
		t.Fatalf("the Debian tree has %d files only", len(want))
	}
	for _, c := range []struct{ zone, option, compress string }{
		{"dir", "-d", ""}, {"gz", "-a", "gzip -1"}, {"zst", "-a", "zstd -1"},
	} {
		t.Run(c.zone, func(t *testing.T) {
			source := tree
			if c.compress != "" {
				source = filepath.Join(t.TempDir(), "tree.tar."+c.zone)
				hostCommand(t, "tar", "-C", tree, "--xattrs", "--numeric-owner", "-I", c.compress, "-cf", source, ".")
			}
			configure(t, z, c.zone, "whole")
			out, errs, exit := z.Zoneadm("-z", c.zone, "install", c.option, source)
			if exit != 0 || out+errs != "" {
				t.Fatalf("install %s: %v", c.option, said{out, errs, exit})
			}
			compare(t, want, manifest(t, inside(z, c.zone, "")))
			if got := owner(t, z.ZonePath(c.zone)); got != "0:0 700" {
				t.Errorf("the zonepath is %s, want root's alone", got)
			}
			silent(t, z, c.zone, "boot")
			if got := inZone(t, z, c.zone, "cat /proc/1/comm; readlink /proc/1/exe; hostname; id -un; . /etc/os-release; echo $ID"); got != "init\n/usr/lib/svc/bin/init\n"+c.zone+"\nroot\n"+hostID(t)+"\n" {
				t.Errorf("the zone says %q", got)
			}
			silent(t, z, c.zone, "halt")
			silent(t, z, c.zone, "uninstall", "-F")
		})
	}
}

// hostID is the distribution's name: the tree is of the host's own.
func hostID(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/etc/os-release")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if id, found := strings.CutPrefix(line, "ID="); found {
			return strings.Trim(strings.TrimSpace(id), `"`)
		}
	}
	t.Fatal("/etc/os-release has no ID")
	return ""
}

// made are what an installation or the distribution's tools make and the source may lack,
// and what is never installed: devices and sockets.
var made = []string{"etc/mnttab", "etc/svc", "system", "usr/lib/svc", "dev", "proc", "sys", "run", "tmp"}

// manifest lists what a tree holds, independently of where it lies and when it was made.
func manifest(t *testing.T, root string) map[string]string {
	t.Helper()
	list := map[string]string{}
	links := map[uint64]string{} // the first name of a file with several
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		for _, m := range made {
			if name == m {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			line += fmt.Sprintf(" %d bytes, %d links, changed %d", st.Size, st.Nlink, st.Mtim.Sec)
			if first, found := links[st.Ino]; found {
				line += " = " + first
			} else {
				links[st.Ino] = name
			}
		case unix.S_IFLNK:
			target, _ := os.Readlink(path)
			line += " -> " + target
		}
		list[name] = line
		return nil
	}))
	return list
}

func compare(t *testing.T, want, got map[string]string) {
	t.Helper()
	var wrong []string
	for name, w := range want {
		if got[name] != w {
			wrong = append(wrong, fmt.Sprintf("%s: %q, want %q", name, got[name], w))
		}
	}
	for name, g := range got {
		if _, found := want[name]; !found {
			wrong = append(wrong, fmt.Sprintf("%s: %q, want none", name, g))
		}
	}
	sort.Strings(wrong)
	if len(wrong) > 0 {
		t.Errorf("%d of %d files differ:\n%s", len(wrong), len(want), strings.Join(wrong[:min(20, len(wrong))], "\n"))
	}
}

// TestInstalledBytes compares every byte of a tree that went through an archive.
func TestInstalledBytes(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	tree := testenv.BusyboxRoot(t)
	blob := bytes.Repeat([]byte("a zone's own bytes\x00\xff"), 1<<16)
	must(t, os.WriteFile(filepath.Join(tree, "var/blob"), blob, 0o640))
	must(t, os.Chown(filepath.Join(tree, "var/blob"), 1001, 65535))
	must(t, unix.Chmod(filepath.Join(tree, "var/blob"), 0o4750))
	must(t, os.Link(filepath.Join(tree, "var/blob"), filepath.Join(tree, "var/blob2")))
	must(t, unix.Lsetxattr(filepath.Join(tree, "var/blob"), "user.note", []byte("kept\x00so"), 0))
	archive := filepath.Join(t.TempDir(), "tree.tar.xz")
	hostCommand(t, "tar", "-C", tree, "--xattrs", "--numeric-owner", "-I", "xz -0", "-cf", archive, ".")
	configure(t, z, "b", "whole")
	z.Must("zoneadm", "-z", "b", "install", "-a", archive)
	if out, err := exec.Command("diff", "-r", "--no-dereference", tree, inside(z, "b", "")).CombinedOutput(); err != nil {
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "Only in "+inside(z, "b", "")) {
				t.Errorf("diff: %s", line)
			}
		}
	}
	name := inside(z, "b", "var/blob")
	note := make([]byte, 64)
	n, err := unix.Lgetxattr(name, "user.note", note)
	if err != nil || string(note[:n]) != "kept\x00so" || owner(t, name) != "1001:65535 4750" {
		t.Errorf("%s: %s, note %q, %v", name, owner(t, name), note[:max(n, 0)], err)
	}
	silent(t, z, "b", "boot")
	if got := inZone(t, z, "b", "stat -c '%u:%g %a %h' /var/blob2"); got != "1001:65535 4750 2\n" {
		t.Errorf("in the zone the file is %q", got)
	}
}
