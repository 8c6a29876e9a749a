package admin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat/image"
	"github.com/linuxzones/zones/zoned/admin"
	"github.com/linuxzones/zones/zoned/api"
)

func whole(z *configs.Zone) { z.Brand = "whole" }

func TestInstallSparse(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Configured, func(z *configs.Zone) {
		z.Attrs = []configs.Attr{{Name: "hostname", Type: "string", Value: "www"}}
	})
	if err := r.Install(t.Context(), admin.SourceOptions{}); err != nil {
		t.Fatal(err)
	}
	if r.indexState() != configs.Installed || r.image.during != configs.Incomplete {
		t.Errorf("the index says %v afterwards, said %v meanwhile", r.indexState(), r.image.during)
	}
	if r.image.source.Kind != image.Sparse || r.image.options.Hostname != "www" {
		t.Errorf("installed from %+v as %q", r.image.source, r.image.options.Hostname)
	}
	if got := strings.Join(r.image.calls, ", "); got != "make /var/lib/zones/web, install /var/lib/zones/web" {
		t.Errorf("calls: %s", got)
	}
	// Nothing but warnings on a pipe.
	if got := r.err.String(); got != "zoneadm: zone 'web': WARNING: 1 files changed while they were copied and may be inconsistent.\n" {
		t.Errorf("said %q", got)
	}
	e, _ := r.Store.Lookup("web")
	if e.UUID == "" {
		t.Error("an installed zone has no uuid")
	}
}

func TestInstallProgressOnTerminal(t *testing.T) {
	r := newRig(t)
	r.ErrTTY = true
	r.zone("web", configs.Configured)
	if err := r.Install(t.Context(), admin.SourceOptions{}); err != nil {
		t.Fatal(err)
	}
	said := r.err.String()
	if !strings.Contains(said, "\rweb: installing") || !strings.Contains(said, "\r\x1b[K") || !strings.Contains(said, "installed: 10 files") {
		t.Errorf("said %q", said)
	}
	if n := strings.Count(said, "\rweb:"); n > 100 {
		t.Errorf("%d updates in no time", n)
	}
	for _, line := range strings.FieldsFunc(said, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if strings.Count(line, "\x1b") > strings.Count(line, "\x1b[K") {
			t.Errorf("a name from the archive reached the terminal: %q", line)
		}
	}
}

func TestInstallSources(t *testing.T) {
	dir := t.TempDir()
	tar := filepath.Join(dir, "x.tar")
	if err := os.WriteFile(tar, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		brand string
		o     admin.SourceOptions
		want  string // of the error; empty: it works
		usage bool
	}{
		{"sparse", admin.SourceOptions{}, "", false},
		{"sparse", admin.SourceOptions{Archive: tar}, "a zone of brand sparse is installed from the host: -a and -d are not for it", true},
		{"whole", admin.SourceOptions{}, "a zone of brand whole needs an archive", true},
		{"whole", admin.SourceOptions{Archive: tar, Directory: dir}, "-a and -d are mutually exclusive", true},
		{"whole", admin.SourceOptions{Archive: tar}, "", false},
		{"whole", admin.SourceOptions{Directory: dir}, "", false},
		{"whole", admin.SourceOptions{Archive: dir}, "not a regular file", false},
		{"whole", admin.SourceOptions{Directory: tar}, "not a directory", false},
		{"whole", admin.SourceOptions{Archive: "/nonexistent"}, "no such file", false},
		{"linux", admin.SourceOptions{Directory: dir}, "", false},
		{"oci", admin.SourceOptions{Directory: dir}, "cannot be installed", false},
	} {
		r := newRig(t)
		r.zone("web", configs.Configured, func(z *configs.Zone) { z.Brand = c.brand })
		err := r.Install(t.Context(), c.o)
		if c.want == "" {
			if err != nil || r.indexState() != configs.Installed {
				t.Errorf("%s %+v: %v (%s)", c.brand, c.o, err, r.err.String())
			}
			continue
		}
		var usage *admin.UsageError
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage {
			t.Errorf("%s %+v: %v, want %q", c.brand, c.o, err, c.want)
		}
		if r.indexState() != configs.Configured || len(r.image.calls) != 0 {
			t.Errorf("%s %+v: refused, but the index says %v", c.brand, c.o, r.indexState())
		}
	}
}

func TestInstallInterrupted(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Configured)
	ctx, cancel := context.WithCancelCause(t.Context())
	r.image.install = func(ctx context.Context) error {
		cancel(errors.New("SIGINT"))
		<-ctx.Done()
		return context.Cause(ctx)
	}
	err := r.Install(ctx, admin.SourceOptions{})
	if err == nil || !strings.Contains(err.Error(), "the zone is incomplete: uninstall it") {
		t.Errorf("%v", err)
	}
	if r.indexState() != configs.Incomplete {
		t.Errorf("the index says %v", r.indexState())
	}
	// Only uninstall leads back.
	r.image.install = nil
	if err := r.Install(t.Context(), admin.SourceOptions{}); err == nil || err.Error() != "zone is incomplete; uninstall required." {
		t.Errorf("install again: %v", err)
	}
	r.door.err = api.ErrNoServer
	if err := r.Uninstall(t.Context(), admin.Forced); err != nil || r.indexState() != configs.Configured {
		t.Errorf("uninstall: %v, the index says %v", err, r.indexState())
	}
}

func TestUninstallAsks(t *testing.T) {
	for _, c := range []struct {
		answer string
		tty    bool
		gone   bool
		want   string
	}{
		{"y\n", true, true, ""},
		{"YES\n", true, true, ""},
		{" y \n", true, true, ""},
		{"n\n", true, false, ""},
		{"\n", true, false, ""},
		{"", true, false, ""},
		{"yesterday\n", true, false, ""},
		{strings.Repeat("y", 1000), true, false, ""},
		{"y\n", false, false, "Input not from terminal and -F not specified: uninstall not done."},
	} {
		r := newRig(t)
		r.zone("web", configs.Installed)
		r.door.err = api.ErrNoServer
		r.In, r.InTTY = strings.NewReader(c.answer), c.tty
		err := r.Uninstall(t.Context(), admin.Unforced)
		if got := text(err); got != c.want || (r.indexState() == configs.Configured) != c.gone {
			t.Errorf("answer %.10q: %q, the index says %v", c.answer, got, r.indexState())
		}
		if c.tty && r.out.String() != "Are you sure you want to uninstall zone web (y/[n])? " {
			t.Errorf("asked %q", r.out.String())
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestUninstallFails(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	r.door.err = api.ErrNoServer
	r.image.uninstall = image.ErrBusy
	err := r.Uninstall(t.Context(), admin.Forced)
	if !errors.Is(err, image.ErrBusy) || r.indexState() != configs.Incomplete || r.image.during != configs.Incomplete {
		t.Errorf("%v; the index says %v", err, r.indexState())
	}
}

// TestUninstallSendsSupervisorAway: one that refuses stops it, one that is told leaves first.
func TestUninstallSendsSupervisorAway(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	r.door.rval = -1
	r.door.messages = []api.Reply{{Level: api.LevelError, Text: "note_uninstall operation is invalid for zones in state 'ready'"}}
	if err := r.Uninstall(t.Context(), admin.Forced); !errors.Is(err, admin.ErrSaid) || r.indexState() != configs.Installed {
		t.Errorf("refused: %v, the index says %v", err, r.indexState())
	}
	if got := r.err.String(); got != "zoneadm: zone 'web': note_uninstall operation is invalid for zones in state 'ready'\n" {
		t.Errorf("said %q", got)
	}
	dir, err := sys.OpenDir(r.Layout.ZoneState("web"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	lock, _, err := sys.LockFile(dir, api.ZschedPid)
	if err != nil {
		t.Fatal(err)
	}
	r.door = fakeDoor{hook: func() { go lock.Release() }}
	if err := r.Uninstall(t.Context(), admin.Forced); err != nil || r.indexState() != configs.Configured {
		t.Errorf("%v, the index says %v", err, r.indexState())
	}
	if _, err := os.Stat(r.Layout.ZoneState("web")); err == nil {
		t.Error("run-time files are left")
	}
	if r.door.requests[0].Verb != api.VerbNoteUninstalling {
		t.Errorf("asked %+v", r.door.requests)
	}
}

func TestMark(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	var usage *admin.UsageError
	if err := r.Mark("installed"); !errors.As(err, &usage) {
		t.Errorf("mark installed: %v", err)
	}
	if err := r.Mark("incomplete"); err != nil || r.indexState() != configs.Incomplete {
		t.Errorf("%v, the index says %v", err, r.indexState())
	}
}

// TestMarkInAltRoot makes no run-time directory there.
func TestMarkInAltRoot(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	r.AltRoot = true
	if err := r.Mark("incomplete"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Layout.ZoneState("web")); err == nil {
		t.Error("a state directory was made")
	}
}

// TestOneOperationAtATime: installations exclude everybody, transitions only those.
func TestOneOperationAtATime(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Running)
	r.zone("new", configs.Configured)
	busy := "another zoneadm may have an operation in progress."
	r.door.hook = func() {
		r.door.hook = nil
		if err := r.Transition(t.Context(), admin.Halt, admin.TransitionOptions{}); err != nil {
			t.Errorf("halt during reboot: %v", err)
		}
		if err := r.Mark("incomplete"); text(err) != busy {
			t.Errorf("mark during reboot: %v", err)
		}
	}
	if err := r.Transition(t.Context(), admin.Reboot, admin.TransitionOptions{}); err != nil {
		t.Error(err)
	}
	r.Zone = "new"
	r.image.install = func(context.Context) error {
		if err := r.Mark("incomplete"); text(err) != busy {
			t.Errorf("mark during install: %v", err)
		}
		if err := r.Uninstall(t.Context(), admin.Forced); text(err) != busy {
			t.Errorf("uninstall during install: %v", err)
		}
		return nil
	}
	if err := r.Install(t.Context(), admin.SourceOptions{}); err != nil {
		t.Error(err)
	}
}

// TestStateDirectoryOfOthers is not used: whoever could enter it could take the lock or the door.
func TestStateDirectoryOfOthers(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Running)
	if err := os.MkdirAll(r.Layout.ZoneState("web"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.Layout.ZoneState("web"), 0o777); err != nil {
		t.Fatal(err)
	}
	err := r.Transition(t.Context(), admin.Halt, admin.TransitionOptions{})
	if err == nil || !strings.Contains(err.Error(), "only its owner can enter") {
		t.Error(err)
	}
}
