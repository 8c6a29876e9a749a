package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// burden is what a resident program costs: its descriptors by what they are, its threads, and the
// memory that is its own.
type burden struct {
	held    footprint
	threads int
	kib     int
	// goroutines are those of a zoned, by its own account; 0 for others.
	goroutines int
}

var accounts = regexp.MustCompile(`own account" goroutines=(\d+)`)

// accountOf asks a supervisor how many goroutines it has.
func accountOf(t *testing.T, z *testenv.Zones, pid int) int {
	t.Helper()
	read := func() [][]string {
		text, err := os.ReadFile(filepath.Join(z.Log, "a.log"))
		must(t, err)
		return accounts.FindAllStringSubmatch(string(text), -1)
	}
	before := len(read())
	if !send(pid, "zoned", unix.SIGUSR1) {
		t.Fatal("the supervisor has gone")
	}
	var all [][]string
	testenv.Eventually(t, func() bool { all = read(); return len(all) > before }, "the supervisor's account")
	n, err := strconv.Atoi(all[len(all)-1][1])
	must(t, err)
	return n
}

func burdenOf(t *testing.T, pid int) (b burden) {
	t.Helper()
	b.held = held(pid)
	b.threads = number(t, fmt.Sprintf("/proc/%d/status", pid), "Threads:")
	rollup := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	// Not what is private: pages of a program and of the ring are that whenever nobody else has them.
	b.kib = number(t, rollup, "\nAnonymous:")
	return b
}

// number is what follows a word in a file of /proc.
func number(t *testing.T, file, word string) (n int) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	_, rest, _ := strings.Cut(string(text), word)
	_, err = fmt.Sscan(rest, &n)
	must(t, err)
	return n
}

// flat holds what two programs cost now against what they cost earlier. The runtime of Go keeps the
// threads and the memory of its busiest moment: so two halves of the same are compared, and a few of the
// one and a part of the other are let pass; a leak of each time is not.
func flat(t *testing.T, z *testenv.Zones, before map[string]burden, what string, times int) {
	t.Helper()
	for _, program := range []string{"zoned", "zsched"} {
		was := before[program]
		var now burden
		var d []string
		for end := time.Now().Add(testenv.Deadline(lookedFor)); ; pause() {
			pid := supervisor(z, "a", program)
			if pid == 0 {
				t.Fatalf("%s has gone", program)
			}
			now = burdenOf(t, pid)
			// A caller's connection may have been on its way out when was is from.
			d = slices.DeleteFunc(was.held.more(now.held), func(line string) bool {
				return strings.HasPrefix(line, "-") && (strings.HasSuffix(line, " socket:[N]") || strings.HasSuffix(line, " anon_inode:[pidfd]"))
			})
			if len(d) == 0 || time.Now().After(end) {
				break
			}
		}
		if len(d) > 0 {
			t.Errorf("after %d %s %s holds:\n%s", times, what, program, strings.Join(d, "\n"))
		}
		if now.threads > was.threads+12 {
			t.Errorf("after %d %s %s has %d threads, had %d", times, what, program, now.threads, was.threads)
		}
		if slack := was.kib/2 + 2048; program == "zoned" && now.kib > was.kib+slack || program == "zsched" && now.kib > was.kib+512 {
			t.Errorf("after %d %s %s has %d KiB of its own, had %d", times, what, program, now.kib, was.kib)
		}
		if program == "zoned" {
			now.goroutines = fewest(t, z, was.goroutines)
			// A status that waits for its caller has one.
			if more := now.goroutines - was.goroutines; more > 0 && more > min(max(now.held[pidfd]-was.held[pidfd], 0), statusesMax) {
				t.Errorf("after %d %s %s has %d goroutines, had %d", times, what, program, now.goroutines, was.goroutines)
			}
		}
		figure(t, fmt.Sprintf("%s after %d %s", program, times, what),
			fmt.Sprintf("descriptors %d, were %d; goroutines %d, were %d; threads %d, were %d; %d KiB of its own, were %d",
				sum(now.held), sum(was.held), now.goroutines, was.goroutines, now.threads, was.threads, now.kib, was.kib))
	}
}

// fewest are the goroutines of the supervisor when it has come to rest.
func fewest(t *testing.T, z *testenv.Zones, was int) (n int) {
	t.Helper()
	for range 100 {
		if n = accountOf(t, z, supervisor(z, "a", "zoned")); n <= was {
			break
		}
		pause()
	}
	return n
}

func sum(f footprint) (n int) {
	for _, k := range f {
		n += k
	}
	return n
}

func burdens(t *testing.T, z *testenv.Zones) map[string]burden {
	t.Helper()
	zoned := burdenOf(t, supervisor(z, "a", "zoned"))
	zoned.goroutines = accountOf(t, z, supervisor(z, "a", "zoned"))
	return map[string]burden{"zoned": zoned, "zsched": burdenOf(t, supervisor(z, "a", "zsched"))}
}

// TestManyLives boots and halts a zone under one supervisor.
func TestManyLives(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	console := z.Pty("zlogin", "-C", "a") // keeps the supervisor
	console.Expect(`\[Connected to zone 'a' console\]`)
	times := amount(1000, 8)
	life := func(n int) {
		for range n {
			silent(t, z, "a", "boot")
			silent(t, z, "a", "halt")
		}
	}
	life(max(times/10, 6))
	rest := func() {
		testenv.Eventually(t, func() bool {
			open := held(supervisor(z, "a", "zoned"))
			return len(generations(t, z, "a"))+open["/dev/fuse"]+open["anon_inode:bpf-link"]+open["anon_inode:bpf-map"]+open["anon_inode:bpf-prog"] == 0
		}, "the incarnation's cgroups, file systems and collector to be let go of")
		time.Sleep(200 * time.Millisecond)
	}
	rest()
	before, host := burdens(t, z), measure(t, z)
	life(times)
	rest()
	flat(t, z, before, "boots and halts", times)
	host.same(t, z, "all lives")
	console.Send("\r~.")
	console.Wait()
}

// TestManyAborts attaches to the console and logs in, and is killed at any moment of that.
func TestManyAborts(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	z.ServicesUp("a")
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`\[Connected to zone 'a' console\]`)
	watched(t, z, "a")
	init, witness := z.Status("a").Init, testimony(z, "a")
	others := 1 // the witness came with one
	testenv.Eventually(t, func() bool { return len(logins(t, z)) == others }, "other logins to be gone")
	times := amount(10000, 40)
	abort := func(n int) {
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				random := rand.New(rand.NewPCG(*seed, uint64(worker)))
				for i := range n / 4 {
					argv := []string{"-C", "a"}
					switch i % 3 {
					case 1:
						argv = []string{"a", "cat; exit 3"}
					case 2:
						argv = []string{"-S", "a", "sleep 10"}
					}
					cmd := z.Cmd("zlogin", argv...)
					in, _ := cmd.StdinPipe()
					if err := cmd.Start(); err != nil {
						t.Errorf("%v", err)
						return
					}
					time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
					in.Close()
				}
			})
		}
		group.Wait()
	}
	abort(times / 2)
	rest := func() {
		// What does not read notices nothing: these are ended by hand, as an administrator would.
		_ = ask(z, "zlogin", "a", "pkill -x sleep; exit 0")
		for range 3000 {
			if len(logins(t, z)) <= others {
				return
			}
			pause()
		}
		t.Fatalf("logins are left: %q\n%s", logins(t, z), describe(logins(t, z)))
	}
	rest()
	time.Sleep(500 * time.Millisecond)
	before := burdens(t, z)
	abort(times / 2)
	rest()
	flat(t, z, before, "attaches and aborts, against half of them", times)
	unhurt(t, z, "a", witness, init)
	truth(t, z, "a")
	if !send(console.PID(), "zlogin", unix.SIGTERM) {
		t.Errorf("the client that was there all the time has gone")
	}
	console.Wait()
}

// describe says who is in cgroups.
func describe(dirs []string) (text string) {
	for _, dir := range dirs {
		for _, name := range []string{"cgroup.procs", "cgroup.events"} {
			b, err := os.ReadFile(dir + "/" + name)
			text += fmt.Sprintf("%s: %s %v\n", name, b, err)
			for _, pid := range strings.Fields(string(b)) {
				for _, file := range []string{"cmdline", "wchan", "syscall"} {
					what, _ := os.ReadFile("/proc/" + pid + "/" + file)
					text += fmt.Sprintf("  %s: %q\n", file, what)
				}
				for what, n := range held(atoi(pid)) {
					text += fmt.Sprintf("  %d %s\n", n, what)
				}
			}
		}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() {
				text += e.Name() + "/\n"
			}
		}
	}
	return text
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
