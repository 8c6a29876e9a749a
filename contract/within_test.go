package contract

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWithin(t *testing.T) {
	web := &Project{ID: 100, Name: "user.web"}
	for text, want := range map[string]Within{
		"":                           {},
		" pool=fast":                 {Pool: "fast"},
		" project=100 name=user.web": {Project: web},
		" project=0 name=a processes=20 memory=67108864 percent=50 weight=400 pool=1": {
			Project: &Project{Name: "a", Processes: 20, Memory: 64 << 20, Percent: 50, Weight: 400}, Pool: "1",
		},
	} {
		if got := string(AppendWithin(nil, want)); got != text {
			t.Errorf("%+v is written as %q", want, got)
		}
		got, err := ParseWithin(strings.Fields(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	}
	got, err := ParseWithin(strings.Fields("pool=x name=user.web project=100"))
	if err != nil || !reflect.DeepEqual(got, Within{Project: web, Pool: "x"}) {
		t.Errorf("in another order: %+v, %v", got, err)
	}
	long := strings.Repeat("n", ProjectNameMax)
	if _, err := ParseWithin([]string{"project=1", "name=" + long}); err != nil {
		t.Errorf("the longest name: %v", err)
	}
	for _, text := range []string{
		"x", "project", "project=1", "name=a", "project= name=a", "project=1 name=", "project=-1 name=a", "project=+1 name=a",
		"project=01 name=a", "project=2147483648 name=a", "project=1 name=1a", "project=1 name=a/b", "project=1 name=..", "project=1 name=a\\040",
		"project=1 name=n" + long, "project=1 project=1 name=a", "project=1 name=a name=a", "processes=1", "pool=a processes=1",
		"project=1 name=a processes=0", "project=1 name=a processes=4194305", "project=1 name=a memory=1", "project=1 name=a memory=18446744073709551615",
		"project=1 name=a percent=0", "project=1 name=a percent=4294967296", "project=1 name=a weight=0", "project=1 name=a weight=10001",
		"project=1 name=a memory=64M", "pool=", "pool=../x", "pool=.x", "pool=a=b", "pool=a pool=b", "pool=" + strings.Repeat("p", PoolNameMax+1), "memory.max=1",
	} {
		if got, err := ParseWithin(strings.Fields(text)); !errors.Is(err, ErrText) {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	}
}

// What is read is written as it was read, whatever a client writes, and its names lead nowhere.
func FuzzParseWithin(f *testing.F) {
	for _, s := range []string{"project=100 name=web processes=20 pool=fast", "weight=1", "pool=..", "project=1 name=a memory=99999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWithin(strings.Fields(text))
		if err != nil {
			return
		}
		again, err := ParseWithin(strings.Fields(string(AppendWithin(nil, w))))
		if err != nil || !reflect.DeepEqual(again, w) {
			t.Errorf("%q is %+v, and then %+v, %v", text, w, again, err)
		}
		if w.Project != nil && strings.ContainsAny(w.Project.Name, "/ \n") || strings.ContainsAny(w.Pool, "/ \n") {
			t.Errorf("%q gives the names %+v", text, w)
		}
	})
}

// Each refusal is a line that names what was asked for, and is ErrWithin and its errno.
func TestWithinRefused(t *testing.T) {
	w := Within{Project: &Project{ID: 1, Name: "web", Memory: 1 << 20}, Pool: "fast"}
	for errno, text := range map[unix.Errno]string{
		unix.ENOENT:     "pool fast: the zone's configuration has no such pool",
		unix.ERANGE:     "pool fast: its processors are not there",
		unix.EDQUOT:     "project web: too many projects",
		unix.EOVERFLOW:  "project web: its processes have more memory",
		unix.EOPNOTSUPP: "project web, pool fast: the host has not all of the cgroup controllers that are needed, or keeps them from zones: memory, cpuset",
		unix.EPERM:      "project web, pool fast: only the zone's root",
	} {
		if !w.refused(errno) || (Within{}).refused(errno) {
			t.Errorf("%v", errno)
		}
		err := error(&withinError{w, errno})
		if !errors.Is(err, ErrWithin) || !errors.Is(err, errno) || !strings.HasPrefix(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if w.refused(unix.EAGAIN) || w.refused(unix.EINVAL) {
		t.Error("what has nothing to do with it is refused for its sake")
	}
	if got := (&withinError{Within{Pool: "fast"}, unix.EPERM}).Error(); !strings.HasPrefix(got, "pool fast: ") {
		t.Error(got)
	}
}
