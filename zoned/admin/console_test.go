package admin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/admin"
)

// TestRecordKeepsWhatWasThere: a recording that does not come about leaves what the file had, and no
// file where there was none, forced or not.
func TestRecordKeepsWhatWasThere(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	r.Console = func(context.Context, string) (*sys.FD, error) { return nil, errors.New("nobody there") }
	name := filepath.Join(t.TempDir(), "web.cast")
	for _, force := range []admin.Force{admin.Unforced, admin.Forced} {
		if err := r.ConsoleRecord(context.Background(), name, force); !errors.Is(err, admin.ErrSaid) {
			t.Fatal(err)
		}
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("forced %v: a file was made for nothing: %v", force, err)
		}
	}
	const before = "an earlier recording\n"
	r.file(name, before)
	if err := r.ConsoleRecord(context.Background(), name, admin.Unforced); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("%v", err)
	}
	if err := r.ConsoleRecord(context.Background(), name, admin.Forced); !errors.Is(err, admin.ErrSaid) {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != before {
		t.Errorf("the earlier recording is %q, %v", b, err)
	}
}

// TestRecordOverwrites: nothing of the earlier one is left once there is something to record.
func TestRecordOverwrites(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	name := filepath.Join(t.TempDir(), "web.cast")
	r.file(name, strings.Repeat("an earlier recording\n", 1000))
	ours, theirs, err := sys.Pair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	r.Console = func(context.Context, string) (*sys.FD, error) { return theirs, nil }
	if err := sys.WriteAll(ours.Int(), []byte("OK 00000000000000ff:0 v=2 as=reader\nD\x00\x00\x05hello")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	time.AfterFunc(500*time.Millisecond, func() { _ = unix.Shutdown(ours.Int(), unix.SHUT_WR) })
	if err := r.ConsoleRecord(ctx, name, admin.Forced); err != nil {
		t.Fatal(err, r.err.String())
	}
	b, err := os.ReadFile(name)
	if err != nil || !strings.HasPrefix(string(b), `{"version":2,`) || !strings.HasSuffix(string(b), "\"hello\"]\n") || strings.Contains(string(b), "earlier") {
		t.Errorf("%q, %v", b, err)
	}
}
