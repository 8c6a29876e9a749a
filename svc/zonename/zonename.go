package zonename

import (
	"errors"
	"os"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/zonefile"
)

// File holds the name and a newline.
const File = "/etc/svc/volatile/zonename"

// Env is the variable in which the supervisor's side tells init the name.
const Env = "ZONENAME"

// Global is the name of the host.
const Global = "global"

// bytesMax is the longest name of a zone, zonecfg(8).
const bytesMax = 63

// Main is zonename(1): it takes no arguments.
func Main(args []string) int {
	if len(args) != 1 {
		os.Stderr.WriteString("usage: zonename\n")
		return 2
	}
	name, err := Current()
	if err != nil {
		os.Stderr.WriteString("zonename: cannot find the zone's name: " + err.Error() + "\n")
		return 1
	}
	if _, err := os.Stdout.WriteString(name + "\n"); err != nil {
		os.Stderr.WriteString("zonename: cannot write: " + err.Error() + "\n")
		return 1
	}
	return 0
}

// Current is the name of the zone that this process is in.
func Current() (string, error) {
	if _, err := inside.Prove(); errors.Is(err, inside.ErrGlobal) {
		return Global, nil
	}
	if name, ok := fromFile(File); ok {
		return name, nil
	}
	return os.Hostname()
}

// AtBoot is the name as init knows it: the supervisor's word, else the host name.
func AtBoot() (string, error) {
	if name := os.Getenv(Env); Valid(name) {
		return name, nil
	}
	return os.Hostname()
}

func fromFile(path string) (string, bool) {
	data, err := zonefile.Read(path, bytesMax+1)
	if err != nil || len(data) == 0 || data[len(data)-1] != '\n' {
		return "", false
	}
	name := string(data[:len(data)-1])
	return name, Valid(name)
}

// Valid says whether name may be a zone's: letters, digits, and '_', '.', '-' after the
// first of them.
func Valid(name string) bool {
	if name == "" || len(name) > bytesMax {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '_' && c != '.' && c != '-') {
			return false
		}
	}
	return true
}
