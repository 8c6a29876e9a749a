package daemons

import (
	"cmp"
	"flag"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestMain lets all daemons live at once, however few processors there are: they mostly wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testenv.Main(m)
}

// zoneName is the name of the one zone.
const zoneName = "d"

// zone is the zone as one test sees it.
type zone struct {
	*testenv.Zones
	t     *testing.T
	shell *shell // opened when it is needed
}

func newZone(t *testing.T) *zone {
	t.Helper()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := &zone{testenv.Instance(t), t, nil}
	z.Sparse(zoneName)
	z.Must("zoneadm", "-z", zoneName, "boot")
	z.ServicesUp(zoneName)
	return z
}

// of is the zone as a subtest sees it.
func (z *zone) of(t *testing.T) *zone { return &zone{z.For(t), t, nil} }

func (z *zone) write(path, text string) {
	z.t.Helper()
	z.Write(zoneName, path, text)
}

// until waits until a command succeeds in the zone.
func (z *zone) until(command string) {
	z.t.Helper()
	z.wait(30*time.Second, "success of: "+command, func() (string, bool) { return z.try(command) })
}

// wait looks every now and then, for a minute at least: where much else is tested beside, what takes a
// second takes many.
func (z *zone) wait(within time.Duration, what string, look func() (string, bool)) {
	z.t.Helper()
	for end := time.Now().Add(testenv.Deadline(max(within, time.Minute))); ; time.Sleep(50 * time.Millisecond) {
		said, ok := look()
		if ok {
			return
		}
		if time.Now().After(end) {
			z.t.Fatalf("waited in vain for %s, and have\n%s", what, said)
		}
	}
}

// process is a process as the kernel knows it; the number in the zone.
type process struct {
	identity
	parent int // another's when the first one ends
	comm   string
	uid    string // a number
}

// identity is this process's and no other's.
type identity struct {
	pid     int
	started string // ticks since boot
}

// service is what is known of an instance at one moment.
type service struct {
	state, next, ctid string
	starts            int       // executions of its start method
	shown             []int     // by svcs -p
	status            []int     // members in the contract's status file
	members           []process // of the contract's cgroup, by the kernel
}

// look is the zone's and the kernel's word, in sections. It is said often, so it takes few programs.
const look = `
svcs -pHo state,nstate,ctid $f >/tmp/look.$$ || exit
read -r state next c rest </tmp/look.$$
cat /tmp/look.$$
rm /tmp/look.$$
echo :
grep -c 'Executing start method' $log
echo :
[ ! -e /system/contract/process/$c/status ] || sed -n 's/^members //p' /system/contract/process/$c/status
echo :
set -- $(grep -sl "/ct/$c/" /proc/[0-9]*/cgroup)
for p; do
	p=${p%/cgroup}
	{ read -r pid comm state parent x x x x x x x x x x x x x x x x x started x <$p/stat; } 2>/dev/null || continue
	uid=
	while read -r key value x; do
		[ "$key" != Uid: ] || uid=$value
	done 2>/dev/null <$p/status
	echo $pid $parent "$comm" $started $uid
done
`

// logOf is an instance's log.
func logOf(fmri string) string {
	return "/var/svc/log/" + strings.ReplaceAll(strings.TrimPrefix(fmri, "svc:/"), "/", "-") + ".log"
}

// look asks once. What comes and goes meanwhile is in one section and not in another.
func (z *zone) look(fmri string) service {
	z.t.Helper()
	out := z.in("f=" + fmri + " log=" + logOf(fmri) + look)
	sections := strings.Split(out, ":\n")
	first, shown, _ := strings.Cut(sections[0], "\n")
	head := strings.Fields(first)
	if len(sections) != 4 || len(head) != 3 {
		z.t.Fatalf("%s: %q", fmri, out)
	}
	s := service{state: head[0], next: head[1], ctid: head[2], status: numbers(sections[2])}
	s.starts, _ = strconv.Atoi(strings.TrimSpace(sections[1]))
	for line := range strings.Lines(shown) {
		if f := strings.Fields(line); len(f) > 1 {
			s.shown = append(s.shown, numbers(f[1])...)
		}
	}
	slices.Sort(s.shown)
	for line := range strings.Lines(sections[3]) {
		f := strings.Fields(line)
		if len(f) != 5 {
			continue // it has ended
		}
		p := process{identity: identity{started: f[3]}, comm: strings.Trim(f[2], "()"), uid: f[4]}
		p.pid, _ = strconv.Atoi(f[0])
		p.parent, _ = strconv.Atoi(f[1])
		s.members = append(s.members, p)
	}
	return s
}

func numbers(text string) (list []int) {
	for f := range strings.FieldsSeq(text) {
		if n, err := strconv.Atoi(f); err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// agree says whether contract, svcs and kernel have the same processes.
func (s service) agree() bool {
	var kernel []int
	for _, p := range s.members {
		kernel = append(kernel, p.pid)
	}
	slices.Sort(kernel)
	return len(kernel) > 0 && slices.Equal(kernel, s.shown) && slices.Equal(kernel, s.status)
}

// master is the member whose parent is none; of several the first.
func (s service) master() process {
	heads := slices.DeleteFunc(slices.Clone(s.members), func(p process) bool {
		return slices.ContainsFunc(s.members, func(q process) bool { return q.pid == p.parent })
	})
	slices.SortFunc(heads, func(p, q process) int { return cmp.Compare(p.pid, q.pid) })
	if len(heads) == 0 {
		return process{}
	}
	return heads[0]
}

// has says whether a process is a member.
func (s service) has(p process) bool {
	return slices.ContainsFunc(s.members, func(q process) bool { return p.identity == q.identity })
}

// worker is a process that the master started: the one that is, or has, a process of the given
// name; the last of them when none is given.
func (s service) worker(has string) (found process) {
	master := s.master()
	for _, p := range s.members {
		if has == "" && p.parent == master.pid && p.pid > found.pid || has != "" && p.comm == has {
			found = p
		}
	}
	for found.pid != 0 && found.parent != master.pid {
		i := slices.IndexFunc(s.members, func(p process) bool { return p.pid == found.parent })
		if i < 0 {
			return process{}
		}
		found = s.members[i]
	}
	return found
}
