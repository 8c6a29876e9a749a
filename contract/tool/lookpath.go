package tool

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is where execvp(3) looks when there is no PATH.
const defaultPath = "/bin:/usr/bin"

// lookPath finds a command as execvp(3) does. ENOENT: it is nowhere; EACCES: what was found
// may not be executed.
func lookPath(name string) (string, error) {
	if strings.IndexByte(name, '/') >= 0 {
		return name, nil
	}
	list, set := os.LookupEnv("PATH")
	if !set {
		list = defaultPath
	}
	err := unix.ENOENT
	if name == "" {
		return "", err
	}
	for dir := range strings.SplitSeq(list, ":") {
		path := name
		if dir != "" {
			path = dir + "/" + name
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) == nil {
			if dir == "" {
				path = "./" + name
			}
			return path, nil
		}
		err = unix.EACCES
	}
	return "", err
}

// inherited are the descriptors that the command gets: those that ctrun was given by who
// started it, at their own numbers. A number between them that is not given on is nil.
func inherited() []*os.File {
	names := []string{}
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		names, _ = dir.Readdirnames(-1)
		dir.Close()
	}
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for _, name := range names {
		n := 0
		for _, c := range name {
			n = n*10 + int(c-'0')
		}
		flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		if n < len(files) && n < 3 || err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		for len(files) <= n {
			files = append(files, nil)
		}
		files[n] = os.NewFile(uintptr(n), name)
	}
	return files
}
