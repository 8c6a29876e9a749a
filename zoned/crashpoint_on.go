//go:build crashpoints

package zoned

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Files in the zone's state directory, of tests.
const (
	crashFile  = "crash"       // how often, a space, the name of a point
	pointsFile = "crashpoints" // where it is, each point passed adds its name as a line
)

// crashpoint kills this process at the point that the file crash names.
func (j *journal) crashpoint(name string) {
	if f, err := os.OpenFile(filepath.Join(j.dir, pointsFile), os.O_WRONLY|os.O_APPEND, 0); err == nil {
		_, _ = f.WriteString(name + "\n")
		f.Close()
	}
	file := filepath.Join(j.dir, crashFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return
	}
	times, point, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	n, err := strconv.Atoi(times)
	if err != nil || point != name {
		return
	}
	if n > 1 {
		err = os.WriteFile(file, []byte(strconv.Itoa(n-1)+" "+point), 0o600)
	} else {
		err = os.Remove(file)
	}
	if self, ferr := os.FindProcess(os.Getpid()); err == nil && ferr == nil {
		_ = self.Kill()
		select {}
	}
}
