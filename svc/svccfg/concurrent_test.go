package svccfg

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// rival does something before batches of svccfg are done: as another administrator would, between
// what was read and what is written.
type rival struct {
	door.Store
	times int // how often
	act   func(n int)
	tries int
}

func (r *rival) Close() error { return nil }

func (r *rival) Apply(b *repo.Batch) (uint64, error) {
	if r.tries++; r.tries <= r.times {
		r.act(r.tries)
	}
	return r.Store.Apply(b)
}

// TestTwoAdministrators: what another one does between reading and writing is kept.
func TestTwoAdministrators(t *testing.T) {
	for _, c := range []struct {
		command string
		act     func(b *repo.Batch)
		want    string
		says    string
	}{
		{"addpropvalue config/n 3", func(b *repo.Batch) { b.SetProperty(web, "config", counts("n", "1", "2")) }, "1 2 3", ""},
		{"delpropvalue config/n 1", func(b *repo.Batch) { b.SetProperty(web, "config", counts("n", "1", "2")) }, "2", ""},
		{"setprop config/n = 3", func(b *repo.Batch) { b.SetProperty(web, "config", counts("n", "2")) }, "3", ""},
		{"setprop config/n = 3", func(b *repo.Batch) { b.DeleteGroup(web, "config") }, "", `No such property group "config".`},
		{"addpropvalue config/n 3", func(b *repo.Batch) { b.DeleteProperty(web, "config", "n") }, "", "Type required for new properties."},
		{"delprop config/n", func(b *repo.Batch) { b.DeleteProperty(web, "config", "n") }, "", "No such property config/n."},
		{"delpg config", func(b *repo.Batch) { b.DeleteGroup(web, "config") }, "", `No such property group "config".`},
		{"setprop config/n = 3", func(b *repo.Batch) { b.Delete(web, repo.WithChildren) }, "", "Current selection has been deleted."},
		{"addpg new application", func(b *repo.Batch) { b.CreateGroup(web, "new", "application", 0) }, "1", "Property group already exists."},
		{"addpg new application", func(b *repo.Batch) { b.Delete(web, repo.WithChildren) }, "", "Current selection has been deleted."},
		{"add one", func(b *repo.Batch) { b.Delete(web, repo.WithChildren) }, "", "Current selection has been deleted."},
		{"delete svc:/web:one", func(b *repo.Batch) { b.Delete(web, repo.WithChildren) }, "", "Not found."},
	} {
		s := newStore(t)
		put(t, s, func(b *repo.Batch) { b.SetProperty(web, "config", counts("n", "1")) })
		r := &rival{Store: s, times: 1, act: func(int) { put(t, s, c.act) }}
		out, errs, code := svccfg(r, "select svc:/web\n"+c.command+"\n")
		want := ""
		if c.says != "" {
			want = "svccfg (<stdin>, line 2): " + c.says + "\n"
		}
		if out != "" || errs != want || (code != 0) != (c.says != "") {
			t.Errorf("%s: %d %s%s", c.command, code, out, errs)
		}
		if c.want != "" {
			if got := strings.Join(values(t, s, "n"), " "); got != c.want {
				t.Errorf("%s left %s, want %s", c.command, got, c.want)
			}
		}
	}
}

// TestOvertaken: it ends, with a message, when others write each time.
func TestOvertaken(t *testing.T) {
	s := newStore(t)
	put(t, s, func(b *repo.Batch) { b.SetProperty(web, "config", counts("n")) })
	r := &rival{Store: s, times: 1 << 20, act: func(n int) {
		put(t, s, func(b *repo.Batch) { b.SetProperty(web, "config", counts("other", strings.Repeat("1", 1+n%9))) })
	}}
	_, errs, code := svccfg(r, "select web\naddpropvalue config/n 1\n")
	if code != 1 || errs != "svccfg (<stdin>, line 2): Interrupted by another change.\n" || r.tries != triesMax {
		t.Errorf("%d %s after %d tries", code, errs, r.tries)
	}
	if got := values(t, s, "n"); len(got) != 0 {
		t.Errorf("it has done something: %v", got)
	}
	r.tries, r.times = 0, triesMax-1
	if _, errs, code := svccfg(r, "select web\naddpropvalue config/n 1\n"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// TestManyAdministrators: all that many have added at once is there.
func TestManyAdministrators(t *testing.T) {
	s := newStore(t)
	put(t, s, func(b *repo.Batch) { b.SetProperty(web, "config", counts("n")) })
	const many, each = 4, 8
	var ended sync.WaitGroup
	for i := range many {
		ended.Go(func() {
			for j := range each {
				value := string(rune('1'+i)) + string(rune('0'+j))
				if _, errs, code := svccfg(s, "select web\naddpropvalue config/n "+value+"\n"); code != 0 {
					t.Errorf("%d %s", code, errs)
				}
			}
		})
	}
	ended.Wait()
	got := values(t, s, "n")
	seen := map[string]bool{}
	for _, v := range got {
		seen[v] = true
	}
	if len(got) != many*each || len(seen) != many*each {
		t.Errorf("%d values, %d different: %v", len(got), len(seen), got)
	}
}

// failing is a repository that answers with an error.
type failing struct {
	door.Store
	err error
}

func (f failing) Close() error                      { return nil }
func (f failing) Apply(*repo.Batch) (uint64, error) { return 0, f.err }

func TestRepositoryFails(t *testing.T) {
	s := newStore(t)
	put(t, s, func(b *repo.Batch) { b.SetProperty(web, "config", counts("n", "1")) })
	for _, command := range []string{"setprop config/n = 2", "delprop config/n", "delpg config", "addpg a b", "add x", "delete svc:/web", "addpropvalue config/n 2", "setenv -s A 1"} {
		for err, want := range map[error]string{
			&door.DeniedError{Missing: "solaris.smf.modify"}: "Permission denied.",
			repo.ErrReadOnly:    "Backend read-only.",
			door.ErrUnavailable: door.ErrUnavailable.Error(),
		} {
			_, errs, code := svccfg(failing{s, err}, "select web\n"+command+"\n")
			if code != 1 || errs != "svccfg (<stdin>, line 2): "+want+"\n" {
				t.Errorf("%s: %d %s", command, code, errs)
			}
		}
		// It is done, but for what follows by itself.
		if _, errs, code := svccfg(failing{s, repo.ErrHalf}, "select web\n"+command+"\n"); code != 0 || errs != "" {
			t.Errorf("%s: %d %s", command, code, errs)
		}
	}
	_, errs, code := svccfg(failing{s, &door.DeniedError{}}, "select web:one\nrefresh\n")
	if code != 1 || errs != "svccfg (<stdin>, line 2): Could not refresh svc:/web:one (permission denied).\n" {
		t.Errorf("%d %s", code, errs)
	}
	var out, said strings.Builder
	env := &Env{Out: &out, Err: &said, Open: func() (door.Store, error) { return nil, errors.New("nobody is there") }}
	if code := Main(env, []string{"list"}); code != 1 || said.String() != "svccfg: Could not connect to repository server: nobody is there.\n" {
		t.Errorf("%d %s", code, said.String())
	}
}
