package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// mountLineBytesMax of /proc/self/mountinfo: a mount point of PATH_MAX, every byte of
// it escaped to four, twice, and options.
const mountLineBytesMax = 64 << 10

// mountPointField in a line of mountinfo, see proc_pid_mountinfo(5).
const mountPointField = 4

// checkMounts refuses if anything is mounted below a directory, in this mount namespace.
func checkMounts(path string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	below, err := mountsBelow(f, path)
	if err != nil {
		return fmt.Errorf("read mountinfo: %w", err)
	}
	if len(below) > 0 {
		return fmt.Errorf("%w: %s; unmount it first", ErrMounted, quote(below[0]))
	}
	return nil
}

// mountsBelow gives the mount points strictly below a path without symbolic links.
func mountsBelow(mountinfo io.Reader, path string) ([]string, error) {
	var found []string
	lines := bufio.NewScanner(mountinfo)
	lines.Buffer(nil, mountLineBytesMax)
	for lines.Scan() {
		fields := strings.SplitN(lines.Text(), " ", mountPointField+2)
		if len(fields) < mountPointField+2 {
			return nil, errors.New("a line is too short")
		}
		if at := unescapeOctal(fields[mountPointField]); strings.HasPrefix(at, path+"/") {
			found = append(found, at)
		}
	}
	return found, lines.Err()
}

// mountedError names what is mounted over a name of an open directory.
func mountedError(dir *desc, name string) error {
	if proc, err := procFD(); err == nil {
		if where, err := readLinkAt(proc.n, strconv.Itoa(dir.n)); err == nil {
			name = where + "/" + name
		}
	}
	return fmt.Errorf("%w: %s; unmount it first", ErrMounted, quote(name))
}

// unescapeOctal undoes the kernel's \040 for a space, and the like.
func unescapeOctal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1:i+4]) {
			out.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func isOctal(s string) bool {
	return strings.Trim(s, "01234567") == ""
}
