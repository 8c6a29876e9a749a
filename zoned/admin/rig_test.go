package admin_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/vplat/image"
	"github.com/linuxzones/zones/zoned/admin"
	"github.com/linuxzones/zones/zoned/api"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { testenv.Main(m) }

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

// rig is an Admin with everything outside of it simulated but the store.
type rig struct {
	*admin.Admin
	t        *testing.T
	out, err bytes.Buffer
	image    fakeImages
	door     fakeDoor
}

func newRig(t *testing.T) *rig {
	l := layout.At(t.TempDir())
	r := &rig{t: t}
	r.Admin = &admin.Admin{
		Layout: l, Store: configs.Open(l), Zone: "web", Privileged: true,
		Streams: admin.Streams{In: strings.NewReader(""), Out: &r.out, Err: &r.err},
		Image:   &r.image,
		Door:    func(string, admin.Starting) admin.Door { return &r.door },
		Libexec: func() (string, error) { return libexec(t), nil },
	}
	r.image.r = r
	return r
}

// libexec is a directory with what vplat.Probe looks for.
func libexec(t *testing.T) string {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "inzone/svc/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// zone makes a zone in a state; change edits its configuration before.
func (r *rig) zone(name string, state configs.State, change ...func(*configs.Zone)) {
	r.t.Helper()
	z := configs.New(name)
	z.Path = filepath.Join("/var/lib/zones", name)
	for _, f := range change {
		f(z)
	}
	if _, err := r.Store.Create(z); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Store.SetState(name, min(state, configs.Installed)); err != nil {
		r.t.Fatal(err)
	}
	if state >= configs.Ready {
		r.status(name, fmt.Sprintf(`"state":%q,"id":3,"zsched":%s`, state, self(r.t)))
	}
}

// status writes a zone's status file, of this boot.
func (r *rig) status(name, fields string) {
	r.t.Helper()
	boot, err := sys.BootID()
	if err != nil {
		r.t.Fatal(err)
	}
	r.file(r.Layout.StatusFile(name), fmt.Sprintf(`{"boot_id":%q,%s}`, boot, fields))
}

func (r *rig) file(path, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// self is this process as the status file has it.
func self(t *testing.T) string {
	start, err := sys.StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"pid":%d,"start":%d}`, os.Getpid(), start)
}

// indexState is what the index says of the zone.
func (r *rig) indexState() configs.State {
	r.t.Helper()
	e, err := r.Store.Lookup(r.Zone)
	if err != nil {
		r.t.Fatal(err)
	}
	return e.State
}

// fakeImages records what is asked of it.
type fakeImages struct {
	r         *rig
	verify    error
	install   func(ctx context.Context) error
	uninstall error
	source    image.Source
	options   image.Options
	calls     []string
	during    configs.State // the index during install and uninstall
}

func (f *fakeImages) MakeZonePath(path string) error {
	f.calls = append(f.calls, "make "+path)
	return nil
}

func (f *fakeImages) VerifyZonePath(string) error { return f.verify }

func (f *fakeImages) Install(ctx context.Context, t image.Target, s image.Source, o image.Options) (image.Report, error) {
	f.calls = append(f.calls, "install "+t.ZonePath)
	f.source, f.options, f.during = s, o, f.r.indexState()
	for i := range int64(1000) {
		o.Progress(image.Progress{Bytes: i << 20, Entries: i, TotalBytes: 1000 << 20, Path: "usr/bin/evil\x1b"})
	}
	if f.install != nil {
		return image.Report{}, f.install(ctx)
	}
	return image.Report{Kind: s.Kind, Bytes: 1234567, Files: 10, Directories: 3, DevicesSkipped: 2, Changed: 1}, nil
}

func (f *fakeImages) Uninstall(_ context.Context, path string, progress func(image.Progress)) (image.Removal, error) {
	f.calls = append(f.calls, "uninstall "+path)
	f.during = f.r.indexState()
	progress(image.Progress{Entries: 7})
	return image.Removal{Entries: 7}, f.uninstall
}

// fakeDoor answers as it is told and records requests.
type fakeDoor struct {
	requests []api.Request
	messages []api.Reply
	rval     int
	err      error
	hook     func()
}

func (d *fakeDoor) Call(_ context.Context, q api.Request, ev api.Events, _ ...*sys.FD) (api.Reply, error) {
	d.requests = append(d.requests, q)
	if d.hook != nil {
		d.hook()
	}
	for _, m := range d.messages {
		ev.Message(m)
	}
	return api.Reply{Type: api.ReplyResult, Rval: d.rval}, d.err
}
