package repo

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// typical is a group as manifests have them.
func typical(i int) *tree.Group {
	return group("group"+strconv.Itoa(i),
		tree.Property{Name: "entities", Type: prop.FMRI, Values: []string{"svc:/milestone/multi-user:default"}},
		str("exec", "/lib/svc/method/something-"+strconv.Itoa(i)+" %m"),
		str("grouping", "require_all"), str("restart_on", "none"),
		tree.Property{Name: "timeout_seconds", Type: prop.Count, Values: []string{"60"}},
		str("type", "method"))
}

// imported is a batch of services with an instance, so many groups and the snapshots of an import.
func imported(first, services, groups int) *Batch {
	var b Batch
	for s := first; s < first+services; s++ {
		e := Entity{"application/some/service-" + strconv.Itoa(s), "default"}
		b.Ensure(e)
		for i := range groups {
			on := e.service()
			if i < 2 {
				on = e
			}
			b.PutGroup(on, typical(i))
		}
		for _, name := range []string{Initial, LastImport, Running} {
			b.TakeSnapshot(e, name)
		}
	}
	return &b
}

func fill(t testing.TB, r *Repo) {
	t.Helper()
	for s := 0; s < 1000; s += 100 {
		_, err := r.Apply(imported(s, 100, 20))
		must(t, err)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestSmall: a large repository costs little memory, whatever was read of it.
func TestSmall(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	fill(t, r)
	must(t, r.Close())
	before := heap()
	r = open(t, cfg)
	if got := mapped(t, cfg.Path); got > 1<<20 {
		t.Errorf("just open, %d bytes of the file are in memory", got)
	}
	opened := heap() - min(before, heap())
	n := 0
	view(t, r, func(v *Reader) {
		for name := range v.Services() {
			s, err := v.Service(name)
			must(t, err)
			n += len(s.Groups) + len(s.Instances[0].Groups)
		}
	})
	read := heap() - min(before, heap())
	if n != 20000 {
		t.Errorf("%d groups", n)
	}
	const most = 512 << 10
	if opened > most || read > most {
		t.Errorf("%d bytes when open, %d when read", opened, read)
	}
	if got := mapped(t, cfg.Path); got < 4<<20 {
		t.Errorf("all was read, and %d bytes are in memory: they are not counted rightly", got)
	}
	r.Trim()
	if got := mapped(t, cfg.Path); got > 1<<20 {
		t.Errorf("%d bytes of the file stay in memory", got)
	}
	if got := slices.Collect(mustReader(t, r).Services()); len(got) != 1000 {
		t.Errorf("%d services after Trim", len(got))
	}
	st, err := os.Stat(cfg.Path)
	must(t, err)
	t.Logf("1,000 services, 20,000 groups, 3 snapshots each: %d bytes of heap when open, %d after reading all; the file has %d", opened, read, st.Size())
	runtime.KeepAlive(r)
}

// mapped is how many bytes of a file this process has mapped in memory.
func mapped(t testing.TB, path string) (bytes int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	must(t, err)
	of := false
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 5:
			of = fields[5] == path
		case of && fields[0] == "Rss:":
			kib, err := strconv.Atoi(fields[1])
			must(t, err)
			bytes += kib << 10
		}
	}
	return bytes
}

func BenchmarkGroupRead(b *testing.B) {
	r := open(b, config(b.TempDir()))
	fill(b, r)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := Entity{Service: "application/some/service-" + strconv.Itoa(i*7919%1000)}
		must(b, r.View(func(v *Reader) error { _, _, err := v.Group(e, "group7"); return err }))
	}
}

func BenchmarkEffectiveProperty(b *testing.B) {
	r := open(b, config(b.TempDir()))
	fill(b, r)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := Entity{"application/some/service-" + strconv.Itoa(i*7919%1000), "default"}
		must(b, r.View(func(v *Reader) error {
			s, err := v.Effective(e)
			if err == nil {
				_, err = s.Property("group7", "exec")
			}
			return err
		}))
	}
}

func BenchmarkServiceRead(b *testing.B) {
	r := open(b, config(b.TempDir()))
	fill(b, r)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		name := "application/some/service-" + strconv.Itoa(i*7919%1000)
		must(b, r.View(func(v *Reader) error { _, err := v.Service(name); return err }))
	}
}

// BenchmarkSet is one property in one batch; of the volatile file in /dev/shm, where it is in
// earnest.
func BenchmarkSet(b *testing.B) {
	for _, flags := range []tree.Flags{0, tree.NonPersistent} {
		name := "persistent"
		if flags != 0 {
			name = "volatile"
		}
		b.Run(name, func(b *testing.B) {
			shm, err := os.MkdirTemp("/dev/shm", "repo-test-")
			must(b, err)
			defer os.RemoveAll(shm)
			cfg := config(b.TempDir())
			cfg.VolatilePath = shm + "/volatile.db"
			r := open(b, cfg)
			fill(b, r)
			e := Entity{"application/some/service-500", "default"}
			apply(b, r, func(x *Batch) { x.CreateGroup(e, "state", "framework", flags) })
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				apply(b, r, func(x *Batch) { x.SetProperty(e, "state", str("state", strconv.Itoa(i))) })
			}
		})
	}
}

// BenchmarkImport is 1,000 services of 20 groups, one batch each or all in ten.
func BenchmarkImport(b *testing.B) {
	for _, each := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d-a-batch", each), func(b *testing.B) {
			var size int64
			for b.Loop() {
				cfg := config(b.TempDir())
				r := open(b, cfg)
				for s := 0; s < 1000; s += each {
					_, err := r.Apply(imported(s, each, 20))
					must(b, err)
				}
				must(b, r.Close())
				st, err := os.Stat(cfg.Path)
				must(b, err)
				size = st.Size()
			}
			b.ReportMetric(float64(size), "file-bytes")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	cfg := config(b.TempDir())
	r := open(b, cfg)
	fill(b, r)
	must(b, r.Close())
	for b.Loop() {
		r, err := Open(cfg)
		must(b, err)
		must(b, r.Close())
	}
}
