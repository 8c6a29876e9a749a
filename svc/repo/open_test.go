package repo

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/tree"
)

// raw changes a file that is not open, behind the repository's back.
func raw(t testing.TB, path string, f func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(f))
	must(t, db.Close())
}

func TestReopen(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	apply(t, r, func(b *Batch) {
		b.Ensure(webOne)
		b.PutGroup(web, group("a", str("x", "1")))
		b.PutGroup(webOne, volatileGroup("v", str("x", "1")))
		b.TakeSnapshot(webOne, Running)
	})
	apply(t, r, func(b *Batch) { b.SetProperty(webOne, "v", str("x", "2")) })
	before := dump(t, r)
	must(t, r.Close())
	must(t, r.Close())
	r = open(t, cfg)
	if after := dump(t, r); after != before {
		t.Errorf("%s\nwas\n%s", after, before)
	}
	must(t, r.Close())

	cfg.BootID = "another boot"
	r = open(t, cfg)
	if got := get(t, r, webOne, "v", "x") + get(t, r, webOne, "a", "x"); got != "-1" {
		t.Errorf("after a boot: %s", got)
	}
	apply(t, r, func(b *Batch) { b.PutGroup(webOne, volatileGroup("v")) })
	must(t, r.Close())
	must(t, os.Remove(cfg.VolatilePath)) // the boot of a memory file system
	r = open(t, cfg)
	if got := get(t, r, webOne, "a", "x"); got != "1" || dumpOf(t, r, web.Service).Instances[0].Group("v") != nil {
		t.Errorf("after a boot of a memory file system: %s", got)
	}
}

// TestPending: of a batch that was killed between its two files the second half is done, and not
// in a volatile file that was made since.
func TestPending(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(webOne, volatileGroup("old")) })
	must(t, r.Close())
	copyFile(t, cfg.VolatilePath, cfg.VolatilePath+".before")
	r = open(t, cfg)
	apply(t, r, func(b *Batch) {
		b.PutGroup(web, group("a"))
		b.PutGroup(webOne, volatileGroup("v", str("x", "1")))
		b.DeleteGroup(webOne, "old")
	})
	want := dump(t, r)
	must(t, r.Close())
	copyFile(t, cfg.VolatilePath+".before", cfg.VolatilePath)
	r = open(t, cfg)
	if got := dump(t, r); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	apply(t, r, func(b *Batch) { b.DeleteGroup(webOne, "v") })
	must(t, r.Close())
	r = open(t, cfg)
	if got := get(t, r, webOne, "v", "x"); got != "-" {
		t.Errorf("it was done twice: %s", got)
	}
	must(t, r.Close())
	must(t, os.Remove(cfg.VolatilePath))
	r = open(t, cfg)
	if got := get(t, r, webOne, "v", "x"); got != "-" {
		t.Errorf("it was done after a boot: %s", got)
	}
}

// TestHalf: a batch whose second file cannot be written is done with the next.
func TestHalf(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) { b.PutGroup(webOne, volatileGroup("v", str("x", "1"))) })
	r.vol.MaxSize = 1 // every commit that needs a page more is refused
	var err error
	tries := 0
	for ; err == nil && tries < 100; tries++ {
		var b Batch
		b.PutGroup(web, group("a", str("x", strconv.Itoa(tries))))
		b.PutGroup(webOne, volatileGroup("v", str("x", stringOf(4000)), str("y", strconv.Itoa(tries)+stringOf(tries*100%4000))))
		_, err = r.Apply(&b)
	}
	if !errors.Is(err, ErrHalf) {
		t.Fatalf("%d batches: %v", tries, err)
	}
	var b Batch
	b.Create(webTwo)
	if _, err := r.Apply(&b); !errors.Is(err, ErrHalf) {
		t.Errorf("a batch before the half one is whole: %v", err)
	}
	r.vol.MaxSize = VolatileBytesMax
	apply(t, r, func(b *Batch) { b.Create(webTwo) })
	if got, want := get(t, r, webOne, "v", "y"), get(t, r, web, "a", "x"); !strings.HasPrefix(got, want+"v") && got != want {
		t.Errorf("volatile %.10s, persistent %s", got, want)
	}
}

// TestPendingOfAnother: what a restored backup has pending is not done in a volatile file that it
// was not meant for, whatever the generations.
func TestPendingOfAnother(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	for i := range 5 {
		apply(t, r, func(b *Batch) {
			b.Ensure(webOne)
			b.PutGroup(webOne, volatileGroup("v", str("x", strconv.Itoa(i))))
			b.PutGroup(web, group("a", str("x", strconv.Itoa(i))))
		})
	}
	path, _, err := r.Backup(BootBackup)
	must(t, err)
	must(t, r.Close())
	must(t, os.Remove(cfg.Path))
	must(t, os.Remove(cfg.VolatilePath))
	r = open(t, cfg)
	apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(webOne, volatileGroup("v", str("x", "new"))) })
	must(t, r.Close())
	must(t, Restore(cfg, path))
	r = open(t, cfg)
	if got := get(t, r, webOne, "v", "x") + get(t, r, web, "a", "x"); got != "new4" {
		t.Error(got)
	}
	if r.Generation() != 5 {
		t.Errorf("generation %d", r.Generation())
	}
}

func TestOrphansGo(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	path, _, err := r.Backup(BootBackup)
	must(t, err)
	apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(webOne, volatileGroup("v")) })
	must(t, r.Close())
	must(t, Restore(cfg, path))
	r = open(t, cfg)
	apply(t, r, func(b *Batch) { b.Ensure(webOne) })
	if s := dumpOf(t, r, web.Service); len(s.Instances[0].Groups) != 0 {
		t.Errorf("%+v has groups of another", s)
	}
}

func TestLocked(t *testing.T) {
	cfg := config(t.TempDir())
	open(t, cfg)
	_, err := Open(cfg)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("%v", err)
	}
	if err := Restore(cfg, cfg.Path); !errors.Is(err, ErrLocked) {
		t.Errorf("restore under a user: %v", err)
	}
	cfg.ReadOnly = true
	if _, err := Open(cfg); !errors.Is(err, ErrLocked) {
		t.Errorf("for reading: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(webOne, volatileGroup("v")) })
	want := dump(t, r)
	must(t, r.Close())
	cfg.ReadOnly = true
	r = open(t, cfg)
	if got := dump(t, r); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	var b Batch
	b.Create(webTwo)
	if _, err := r.Apply(&b); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	must(t, r.Close())
	cfg.ReadOnly, cfg.VolatilePath = false, ""
	r = open(t, cfg)
	refuse(t, r, ErrReadOnly, func(b *Batch) { b.PutGroup(webOne, volatileGroup("v")) })
	apply(t, r, func(b *Batch) {
		b.PutGroup(webOne, group("v"))
		b.TakeSnapshot(webOne, Running)
		b.Delete(webOne, KeepChildren)
	})
	view(t, r, func(v *Reader) {
		if _, err := v.Effective(web); err != nil {
			t.Error(err)
		}
	})
	cfg.Path = filepath.Join(t.TempDir(), "none", "x")
	if _, err := Open(cfg); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestReadOnlyFileSystem is the root of a machine early in its boot: it can be read.
func TestReadOnlyFileSystem(t *testing.T) {
	testenv.NeedRoot(t)
	cfg := config(t.TempDir())
	dir := filepath.Dir(cfg.Path)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	defer func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	r := open(t, cfg)
	apply(t, r, func(b *Batch) { b.Ensure(webOne) })
	want := dump(t, r)
	must(t, r.Close())
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if _, err := Open(cfg); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	cfg.ReadOnly = true
	r = open(t, cfg)
	if got := dump(t, r); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	must(t, r.Close())
}

// TestPlantedDamage: each way in which values can contradict each other is found and named.
func TestPlantedDamage(t *testing.T) {
	key := func(k []byte) []byte { return k }
	sealed := func(k []byte, generation uint64, g *tree.Group) []byte { return encodeGroup(nil, k, generation, g) }
	for name, c := range map[string]struct {
		damage func(tx *bolt.Tx) error
		says   string
	}{
		"no meta":       {func(tx *bolt.Tx) error { return tx.DeleteBucket(metaBucket) }, "something else"},
		"no config":     {func(tx *bolt.Tx) error { return tx.DeleteBucket(configBucket) }, "no config"},
		"no version":    {func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Delete(versionKey) }, "version"},
		"no generation": {func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Delete(generationKey) }, "generation"},
		"bad pending":   {func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(pendingKey, []byte("x")) }, "to be done"},
		"services":      {func(tx *bolt.Tx) error { return putNumber(tx.Bucket(metaBucket), servicesKey, 7) }, "7"},
		"no contents":   {func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Delete(contentsKey) }, "number of snapshots"},
		"a key":         {func(tx *bolt.Tx) error { return tx.Bucket(configBucket).Put([]byte("a b\x00\n"), []byte("x")) }, "a b ?"},
		"a bucket":      {func(tx *bolt.Tx) error { _, err := tx.Bucket(configBucket).CreateBucket([]byte("a\x00")); return err }, "key a"},
		"a record":      {func(tx *bolt.Tx) error { return tx.Bucket(configBucket).Put(entityKey(nil, web), []byte("x")) }, "network/web"},
		"a lost instance": {func(tx *bolt.Tx) error {
			k := entityKey(nil, Entity{"other", "i"})
			return tx.Bucket(configBucket).Put(k, appendRecord(k, 1, 0))
		}, "other i"},
		"a lost group": {func(tx *bolt.Tx) error {
			k := groupKey(nil, webTwo, "g")
			return tx.Bucket(configBucket).Put(k, sealed(k, 1, group("g")))
		}, "second g"},
		"the future": {func(tx *bolt.Tx) error {
			k := groupKey(nil, web, "g")
			return tx.Bucket(configBucket).Put(k, sealed(k, 99, group("g")))
		}, "future"},
		"a volatile group": {func(tx *bolt.Tx) error {
			k := groupKey(nil, web, "g")
			return tx.Bucket(configBucket).Put(k, sealed(k, 1, volatileGroup("g")))
		}, "other file"},
		"a bit of a group": {func(tx *bolt.Tx) error {
			k := key(groupKey(nil, web, "a"))
			v := append([]byte(nil), tx.Bucket(configBucket).Get(k)...)
			v[len(v)-1] ^= 1
			return tx.Bucket(configBucket).Put(k, v)
		}, "web ga"},
		"a snapshot": {func(tx *bolt.Tx) error {
			return tx.Bucket(snapshotBucket).Put(snapshotKey(nil, webOne, "s"), []byte("x"))
		}, "snapshot network/web default s"},
		"a lost snapshot": {func(tx *bolt.Tx) error {
			k := snapshotKey(nil, webTwo, "s")
			return tx.Bucket(snapshotBucket).Put(k, appendRecord(k, 1, 1))
		}, "owns the snapshot"},
		"no content": {func(tx *bolt.Tx) error {
			k := snapshotKey(nil, webOne, "s")
			return tx.Bucket(snapshotBucket).Put(k, appendRecord(k, 1, 77))
		}, "77 of a snapshot is not there"},
		"names": {func(tx *bolt.Tx) error {
			k := contentKey(nil, 1)
			return tx.Bucket(contentBucket).Put(k, appendRecord(k, 1, 2))
		}, "other names"},
		"a content": {func(tx *bolt.Tx) error {
			return tx.Bucket(contentBucket).Put(contentGroupKey(nil, 1, instanceLevel, "g"), []byte("x"))
		}, "content 1"},
		"a content's key": {func(tx *bolt.Tx) error { return tx.Bucket(contentBucket).Put([]byte("x"), []byte("x")) }, "key x"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t.TempDir())
			r := open(t, cfg)
			apply(t, r, func(b *Batch) {
				b.Ensure(webOne)
				b.PutGroup(web, group("a", str("x", "1")))
				b.TakeSnapshot(webOne, Running)
			})
			backup, _, err := r.Backup(BootBackup)
			must(t, err)
			must(t, r.Close())
			raw(t, cfg.Path, c.damage)
			_, err = Open(cfg)
			checkCorrupt(t, cfg, err, c.says)
			if !strings.Contains(err.Error(), DefaultRestore+" "+backup) {
				t.Errorf("no way back in %q", err)
			}
			must(t, Restore(cfg, backup))
			must(t, open(t, cfg).Close())
		})
	}
}

// checkCorrupt wants one line that names the file and says what, in db_errors too.
func checkCorrupt(t testing.TB, cfg Config, err error, says string) {
	t.Helper()
	var c *CorruptError
	if !errors.Is(err, ErrCorrupt) || !errors.As(err, &c) {
		t.Fatalf("%v", err)
	}
	text := c.Error()
	if !strings.Contains(text, says) || !strings.Contains(text, c.File) || strings.ContainsAny(text, "\n\x00") {
		t.Errorf("%q, want %q", text, says)
	}
	written, err := os.ReadFile(filepath.Join(filepath.Dir(cfg.VolatilePath), errorsName))
	if err != nil || string(written) != text+"\n" {
		t.Errorf("db_errors: %q %v", written, err)
	}
}

func TestVersion(t *testing.T) {
	cfg := config(t.TempDir())
	must(t, open(t, cfg).Close())
	raw(t, cfg.Path, func(tx *bolt.Tx) error { return putNumber(tx.Bucket(metaBucket), versionKey, 9) })
	if _, err := Open(cfg); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 9") {
		t.Error(err)
	}
}

func TestVolatileDamage(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(webOne, volatileGroup("v")) })
	must(t, r.Close())
	must(t, os.Truncate(cfg.VolatilePath, 5000))
	_, err := Open(cfg)
	checkCorrupt(t, cfg, err, "remove it, and start again")
	must(t, os.WriteFile(cfg.Path, nil, 0o600))
	_, err = Open(cfg)
	checkCorrupt(t, cfg, err, "no good backup")
	if st, err := os.Stat(cfg.Path); err != nil || st.Size() != 0 {
		t.Error("a damaged file was touched")
	}
}

// TestDamagedBytes: whatever happens to the bytes of the file, it is refused, or shows the last
// commit or the one before, and nothing panics.
func TestDamagedBytes(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	var states []string
	for i := range 30 {
		apply(t, r, func(b *Batch) {
			e := Entity{"a/s" + strconv.Itoa(i), "default"}
			b.Ensure(e)
			b.PutGroup(e, group("a", str("x", stringOf(i*50))))
			b.TakeSnapshot(e, Running)
		})
		states = append(states, dump(t, r))
	}
	must(t, r.Close())
	good, err := os.ReadFile(cfg.Path)
	must(t, err)
	used := len(strings.TrimRight(string(good), "\x00"))
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	const tries = 400
	for range tries {
		bad := append([]byte(nil), good...)
		at := random.IntN(used)
		page := at &^ 4095
		switch random.IntN(4) {
		case 0:
			bad[at] ^= 1 << random.IntN(8)
		case 1: // a page that never came
			clear(bad[page : page+4096])
		case 2: // a page in the place of another
			copy(bad[page:page+4096], bad[random.IntN(used)&^4095:])
		case 3:
			bad = bad[:at]
		}
		path := filepath.Join(t.TempDir(), "bad")
		must(t, os.WriteFile(path, bad, 0o600))
		b, err := Open(Config{Path: path, ReadOnly: true})
		if err != nil {
			if refused++; !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%v", err)
			}
			continue
		}
		if state := dump(t, b); state != states[29] && state != states[28] {
			t.Errorf("accepted, and another state than was written:\n%.300s", state)
		}
		must(t, b.Close())
	}
	if refused < tries/4 {
		t.Errorf("only %d of %d were refused", refused, tries)
	}
	t.Logf("%d of %d damaged files are refused; the others' damage is in pages that are free", refused, tries)
}
