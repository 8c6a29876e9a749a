package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// footprint is what a host has of an instance, each thing with how often it is there: processes,
// mounts, cgroups of every hierarchy, network devices, leases of user ids, files of its run-time
// state and configuration. Numbers in names are not compared, since each incarnation has its own.
type footprint map[string]int

func measure(t *testing.T, z *testenv.Zones) footprint {
	t.Helper()
	f := footprint{}
	for _, what := range z.Leftovers() {
		f[plain(strings.ReplaceAll(what, z.Root, "ROOT"))]++
	}
	leases, _ := os.ReadDir("/run/zones-ids")
	for _, e := range leases {
		if to, _ := os.Readlink("/run/zones-ids/" + e.Name()); strings.Contains(to, z.Root+" ") {
			f["lease "+to[strings.LastIndexByte(to, ' ')+1:]]++
		}
	}
	for _, dir := range []string{z.Run, z.Etc, filepath.Join(filepath.Dir(z.ZonePath("a")))} {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.IsDir() && (d.Name() == "root" || d.Name() == "bpf") {
				return filepath.SkipDir
			}
			if d.Name() == "zsched.log.0" {
				return nil // kept: what an earlier keeper had to say
			}
			f["file "+plain(strings.TrimPrefix(path, z.Root))]++
			return nil
		})
	}
	return f
}

// differences are what is there now and was not, and the other way around.
func (f footprint) differences(now footprint) (list []string) {
	for what, n := range now {
		if n > f[what] {
			list = append(list, fmt.Sprintf("+%d %s", n-f[what], what))
		}
	}
	for what, n := range f {
		if n > now[what] {
			list = append(list, fmt.Sprintf("-%d %s", n-now[what], what))
		}
	}
	sort.Strings(list)
	return list
}

// lookedFor is how long what is on its way out is waited for.
const lookedFor = 20 * time.Second

// same waits until the host has again what it had.
func (f footprint) same(t *testing.T, z *testenv.Zones, after string) {
	t.Helper()
	var list []string
	for end := time.Now().Add(testenv.Deadline(lookedFor)); ; pause() {
		if list = f.differences(measure(t, z)); len(list) == 0 {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	t.Errorf("after %s the host is not as before:\n%s", after, strings.Join(list, "\n"))
}

// statusesMax is how many statuses of logins are kept for callers that have vanished; each has its
// pidfd.
const statusesMax = 64

const pidfd = "anon_inode:[pidfd]"

// more is differences for descriptors: statuses that wait for callers are none.
func (f footprint) more(now footprint) []string {
	if n := now[pidfd] - f[pidfd]; -statusesMax <= n && n <= statusesMax && f[pidfd] > 0 {
		now[pidfd] = f[pidfd]
	}
	return f.differences(now)
}

// held are the open descriptors of a process by what they are.
func held(pid int) footprint {
	f := footprint{}
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if err == nil {
			f[plain(to)]++
		}
	}
	return f
}

// keeps compares what the zone's keeper holds with what it held.
func keeps(t *testing.T, z *testenv.Zones, zone string, before footprint, after string) {
	t.Helper()
	var list []string
	for end := time.Now().Add(testenv.Deadline(lookedFor)); ; pause() {
		pid := supervisor(z, zone, "zsched")
		if list = before.more(held(pid)); pid != 0 && len(list) == 0 {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	t.Errorf("after %s the keeper of zone %s does not hold what it held:\n%s", after, zone, strings.Join(list, "\n"))
}
