package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestMain has one descriptor opened before the leak check looks, because the package
// keeps it for good. The environment variable makes the test binary the victim of the
// crash tests.
func TestMain(m *testing.M) {
	if path := os.Getenv(removeInChild); path != "" {
		if _, err := Uninstall(context.Background(), path, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if _, err := procFD(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testenv.Main(m)
}

// newZone makes a zonepath in a directory of its own, beside a canary that nothing may
// touch, and sees to it that all of it goes away.
func newZone(tb testing.TB) (zonepath, canary string) {
	tb.Helper()
	testenv.NeedRoot(tb)
	dir := tb.TempDir()
	zonepath = filepath.Join(dir, "zone")
	tb.Cleanup(func() {
		if _, err := Uninstall(context.Background(), zonepath, nil); err != nil {
			tb.Errorf("cleaning up: %v", err)
		}
	})
	if err := MakeZonePath(zonepath); err != nil {
		tb.Fatal(err)
	}
	canary = filepath.Join(dir, "canary")
	mkdir(tb, canary, 0o755)
	write(tb, filepath.Join(canary, "precious"), canaryText, 0o644)
	write(tb, filepath.Join(canary, "setuid"), "x", 0o4755)
	mkdir(tb, filepath.Join(canary, "sub"), 0o700)
	write(tb, filepath.Join(canary, "sub", "file"), "y", 0o600)
	if err := os.Symlink("precious", filepath.Join(canary, "link")); err != nil {
		tb.Fatal(err)
	}
	return zonepath, canary
}

const canaryText = "CANARY: nobody may read or change this"

func mkdir(tb testing.TB, path string, mode uint32) {
	tb.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := unix.Chmod(path, mode); err != nil {
		tb.Fatal(err)
	}
}

func write(tb testing.TB, path, text string, mode uint32) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := unix.Chmod(path, mode); err != nil {
		tb.Fatal(err)
	}
}

// detail says what of a file a listing holds besides its type, owner and contents.
type detail int

const (
	withoutTimes detail = iota
	withTimes
)

// listing describes every file below a directory, one line a name. Hard links show as the
// first name of the file.
func listing(tb testing.TB, dir string, d detail) string {
	tb.Helper()
	var lines []string
	first := map[fileID]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%q %o %d:%d", name, st.Mode, st.Uid, st.Gid)
		if d == withTimes && name != "." {
			line += fmt.Sprintf(" time=%d.%09d", st.Mtim.Sec, st.Mtim.Nsec)
		}
		if name == "." {
			line = "."
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %x", len(data), sha256.Sum256(data))
			if f, ok := first[idOf(&st)]; ok {
				line += fmt.Sprintf(" = %q", f)
			} else {
				first[idOf(&st)] = name
			}
		case unix.S_IFLNK:
			text, _ := os.Readlink(path)
			line += fmt.Sprintf(" -> %q", text)
		}
		lines = append(lines, line+xattrLines(path, st.Mode))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Join(lines, "\n") + "\n"
}

func xattrLines(path string, mode uint32) string {
	if mode&unix.S_IFMT == unix.S_IFLNK {
		return ""
	}
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil || n == 0 {
		return ""
	}
	names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		value := make([]byte, 4096)
		n, _ := unix.Lgetxattr(path, name, value)
		fmt.Fprintf(&out, " %s=%x", name, value[:max(n, 0)])
	}
	return out.String()
}

// entry of an archive under test.
type entry struct {
	tar.Header
	data string
}

func dirEntry(name string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}}
}

func fileEntry(name, data string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, data: data}
}

func linkEntry(kind byte, name, to string) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Linkname: to, Mode: 0o777}}
}

func symEntry(name, to string) entry  { return linkEntry(tar.TypeSymlink, name, to) }
func hardEntry(name, to string) entry { return linkEntry(tar.TypeLink, name, to) }

// withOS puts entries behind what makes a tree an operating system.
func withOS(entries ...entry) []entry {
	return append([]entry{dirEntry("./"), dirEntry("./etc/"), dirEntry("./usr/"), fileEntry("./etc/passwd", "root:x:0:0\n")}, entries...)
}

// makeTar packs entries; sizes and times are filled in.
func makeTar(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.data))
		if h.ModTime.IsZero() && h.Typeflag != tar.TypeXGlobalHeader {
			h.ModTime = time.Unix(1_600_000_000, 0)
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatalf("%q: %v", h.Name, err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// installBytes installs an archive that is given as bytes.
func installBytes(tb testing.TB, zonepath string, data []byte, opt Options) (Report, error) {
	tb.Helper()
	path := filepath.Join(filepath.Dir(zonepath), "archive")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return Install(context.Background(), Target{zonepath}, Source{Archive, path}, opt)
}

// mustUninstall removes a zone and makes sure that nothing is left.
func mustUninstall(tb testing.TB, zonepath string) Removal {
	tb.Helper()
	done, err := Uninstall(context.Background(), zonepath, nil)
	if err != nil {
		tb.Fatalf("uninstall: %v", err)
	}
	if _, err := os.Lstat(zonepath); !errors.Is(err, fs.ErrNotExist) {
		tb.Fatalf("zonepath is left: %v", err)
	}
	return done
}
