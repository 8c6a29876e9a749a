package launch

import (
	"bytes"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// What a shell does to a command that begins with a path and has nothing in it that it understands is
// to execute it; it takes longer for that than the kernel for all of a start. So such a command is
// executed without one. Whatever else there is to it, and whatever fails, is left to the shell.

const (
	// headBytes is as much of a file as the kernel looks at to know how it is executed.
	headBytes = 256
	// scriptsMax is how many interpreters one after the other are looked at.
	scriptsMax = 4
)

// words takes apart a command that is an absolute path and arguments of characters that mean nothing
// to any shell; nil: it is not one.
func words(command string) []string {
	for i := range len(command) {
		switch c := command[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/._-+:,@% \t", c) >= 0:
		default:
			return nil
		}
	}
	list := strings.FieldsFunc(command, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(list) == 0 || list[0][0] != '/' {
		return nil
	}
	return list
}

// bare gives the arguments of a command that is executed without a shell; nil: it needs one, or it is
// not to be seen without waiting for anybody. See quick: who is waited for holds up all others.
func (l *Launcher) bare(command string) []string {
	argv := words(command)
	if argv == nil || !l.executable(argv[0]) {
		return nil
	}
	return argv
}

// executable says whether the kernel finds a program, and what interprets it, where it need not wait.
// What interprets a program of ELF is where the shell's libraries are.
func (l *Launcher) executable(path string) bool {
	for range scriptsMax {
		head := l.head(path)
		if bytes.HasPrefix(head, []byte("\x7fELF")) {
			return true
		}
		line, ended := []byte(nil), false
		if bytes.HasPrefix(head, []byte("#!")) {
			line, _, ended = bytes.Cut(head[2:], []byte("\n"))
		}
		f := bytes.Fields(line)
		if !ended || len(f) == 0 || f[0][0] != '/' {
			return false
		}
		path = string(f[0])
	}
	return false
}

// head reads the beginning of a program; nil: it is no file, or not near.
func (l *Launcher) head(path string) []byte {
	n, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolveCached})
	if err != nil {
		return nil
	}
	place := sys.Own(n)
	defer place.Close()
	var st unix.Stat_t
	if !l.near(n) || unix.Fstat(n, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	fd, err := unix.Open(place.Proc(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	head := make([]byte, headBytes)
	got, err := unix.Read(fd, head)
	if err != nil {
		return nil
	}
	return head[:got]
}

// withDirectory is an environment with PWD, as a shell makes it; nil when it has one already, which a
// shell would look at.
func withDirectory(env []string, dir *sys.FD) []string {
	if slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PWD=") }) {
		return nil
	}
	path, err := os.Getwd()
	if dir.Valid() {
		path, err = os.Readlink(dir.Proc())
	}
	if err != nil {
		return nil
	}
	return append(slices.Clip(env), "PWD="+path)
}
