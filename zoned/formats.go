package zoned

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/mnttab"
	"github.com/linuxzones/zones/contract/server"
	contracttable "github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/memlog"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/zoned/api"
)

// format is something that one program leaves to another, with a version.
type format struct {
	name    string
	version int
}

// formats are all of them. A program that takes over must know each in the version that is in
// use; docs/ARCHITECTURE.md has them as a table, and a test holds the two together.
var formats = []format{
	{"door", api.Version},
	{"keeper", keeper.ProtoVersion},
	{"keeper-state", keeper.StateVersion},
	{"journal", journalVersion},
	{"console-ring", ring.Version},
	{"contract-state", server.StateVersion},
	{"contract-ops", contracttable.OpVersion},
	{"contract-log", memlog.Version},
	{"contract-ids", server.IDsVersion},
	{"ctfs-memory", fuse.MemoryVersion},
	{"mnttab-memory", mnttab.MemoryVersion},
	{"collector", collector.Version},
}

// Describe is the line by which this program tells its build and what it knows, for who thinks
// of having it take over: zoned -V.
func Describe() string {
	words := []string{"zoned", build.Version}
	for _, f := range formats {
		words = append(words, f.name+"="+strconv.Itoa(f.version))
	}
	return strings.Join(words, " ")
}

// fits says whether a program that describes itself so can take over from this one, and gives
// its build. The description is another program's word.
func fits(line string) (version string, err error) {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "zoned" {
		return "", fmt.Errorf("it says %s, which tells no build", strconv.QuoteToASCII(line[:min(len(line), 64)]))
	}
	version = words[1]
	if _, ok := build.Parse(version); !ok {
		return "", fmt.Errorf("it says to be of build %s", strconv.QuoteToASCII(version[:min(len(version), 64)]))
	}
	if build.Older(version, build.Version) {
		return version, fmt.Errorf("it is of build %s, and build %s runs: programs do not go back", version, build.Version)
	}
	knows := map[string]int{}
	for _, w := range words[2:] {
		name, text, _ := strings.Cut(w, "=")
		if n, err := strconv.Atoi(text); err == nil {
			knows[name] = n
		}
	}
	for _, f := range formats {
		if knows[f.name] < f.version {
			return version, fmt.Errorf("it does not know %s in version %d", f.name, f.version)
		}
	}
	return version, nil
}
