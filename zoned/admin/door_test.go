package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/admin"
	"github.com/linuxzones/zones/zoned/api"
)

func TestTransitionRequests(t *testing.T) {
	for _, c := range []struct {
		cmd   admin.Command
		state configs.State
		o     admin.TransitionOptions
		want  api.Request
	}{
		{admin.Ready, configs.Installed, admin.TransitionOptions{}, api.Request{Verb: api.VerbReady}},
		{admin.Boot, configs.Installed, admin.TransitionOptions{}, api.Request{Verb: api.VerbBoot}},
		{admin.Boot, configs.Ready, admin.TransitionOptions{Args: []string{"-s", "-m", "verbose"}},
			api.Request{Verb: api.VerbBoot, BootArgs: "-s -m verbose", BootArgsGiven: true}},
		{admin.Boot, configs.Installed, admin.TransitionOptions{Args: []string{""}}, api.Request{Verb: api.VerbBoot, BootArgsGiven: true}},
		{admin.Boot, configs.Incomplete, admin.TransitionOptions{Force: admin.Forced}, api.Request{Verb: api.VerbBoot, Force: true}},
		{admin.Halt, configs.Running, admin.TransitionOptions{}, api.Request{Verb: api.VerbHalt}},
		{admin.Shutdown, configs.Running, admin.TransitionOptions{Reboot: true, Args: []string{"-s"}},
			api.Request{Verb: api.VerbShutdown, Reboot: true, BootArgs: "-s", BootArgsGiven: true}},
	} {
		r := newRig(t)
		r.zone("web", c.state)
		if err := r.Transition(t.Context(), c.cmd, c.o); err != nil {
			t.Errorf("%s: %v %s", c.cmd, err, r.err.String())
			continue
		}
		got, _ := json.Marshal(r.door.requests[0])
		want, _ := json.Marshal(c.want)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: asked %s, want %s", c.cmd, got, want)
		}
		if r.err.Len()+r.out.Len() > 0 {
			t.Errorf("%s: success said %q %q", c.cmd, r.out.String(), r.err.String())
		}
	}
}

func TestBootArgumentsTooLong(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	args := []string{strings.Repeat("x", 200), strings.Repeat("y", 55)}
	if err := r.Transition(t.Context(), admin.Boot, admin.TransitionOptions{Args: args}); text(err) != "boot argument string too long" {
		t.Errorf("256 bytes: %v", err)
	}
	args[1] = args[1][1:]
	if err := r.Transition(t.Context(), admin.Boot, admin.TransitionOptions{Args: args}); err != nil {
		t.Errorf("255 bytes: %v", err)
	}
}

func TestTransitionOutcomes(t *testing.T) {
	message := func(l api.Level, s string) api.Reply { return api.Reply{Type: api.ReplyMessage, Level: l, Text: s} }
	for _, c := range []struct {
		name string
		door fakeDoor
		want string // of the error
		said string
	}{
		{"note", fakeDoor{messages: []api.Reply{message(api.LevelNote, "zone is already booted")}}, "", "zoneadm: zone 'web': zone is already booted\n"},
		{"progress is silent", fakeDoor{messages: []api.Reply{message(api.LevelProgress, "step")}}, "", ""},
		{"failed with a reason", fakeDoor{rval: -1, messages: []api.Reply{message(api.LevelError, "could not stat /sbin/init: no such file")}},
			"already said", "zoneadm: zone 'web': could not stat /sbin/init: no such file\n"},
		{"failed without", fakeDoor{rval: -1}, "call to zoneadmd failed", ""},
		{"no start", fakeDoor{err: &api.StartError{Program: "/x/zsched", Code: 3}}, "call to zoneadmd failed: zsched failed to start (exit code 3)", ""},
		{"hostile", fakeDoor{messages: []api.Reply{message(api.LevelWarning, "a\x1b[2J\nb")}}, "", `zoneadm: zone 'web': a\x1b[2J\x0ab` + "\n"},
	} {
		r := newRig(t)
		r.zone("web", configs.Running)
		r.door = c.door
		err := r.Transition(t.Context(), admin.Boot, admin.TransitionOptions{})
		if text(err) != c.want || r.err.String() != c.said {
			t.Errorf("%s: %v, said %q; want %q, %q", c.name, err, r.err.String(), c.want, c.said)
		}
	}
}

func TestInterruptedCallGoesOn(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Running)
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.door.hook = func() { cancel(why) }
	r.door.err = why
	err := r.Transition(ctx, admin.Halt, admin.TransitionOptions{})
	if !errors.Is(err, why) || !strings.Contains(err.Error(), "the halt goes on in the supervisor") {
		t.Error(err)
	}
}

func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*configs.Zone)
		want   string
	}{
		"fine":         {func(*configs.Zone) {}, ""},
		"lofs":         {func(z *configs.Zone) { z.FS = []configs.FS{{Dir: "/mnt", Special: "/nonexistent/x", Type: "lofs"}} }, "could not verify fs /mnt: could not access /nonexistent/x: no such file"},
		"unknown type": {func(z *configs.Zone) { z.FS = []configs.FS{{Dir: "/mnt", Special: "/dev/null", Type: "nosuchfs"}} }, "the kernel has no file system type nosuchfs"},
		"no block":     {func(z *configs.Zone) { z.FS = []configs.FS{{Dir: "/mnt", Special: "/dev/null", Type: "ext4"}} }, "/dev/null is not a block device"},
		"nic": {func(z *configs.Zone) {
			z.IPType = configs.IPShared
			z.Nets = []configs.Net{{Physical: "nonic0", Address: "192.0.2.1/24"}}
		}, "could not verify net nonic0: no such interface nonic0 on this host"},
	} {
		r := newRig(t)
		r.zone("web", configs.Configured, c.change)
		err := r.Verify(admin.Verify)
		if c.want == "" {
			if err != nil || r.err.Len() > 0 {
				t.Errorf("%s: %v %s", name, err, r.err.String())
			}
			continue
		}
		lines := strings.Split(r.err.String(), "\n")
		if !errors.Is(err, admin.ErrSaid) || !strings.Contains(lines[0], c.want) || lines[len(lines)-2] != "zoneadm: zone web failed to verify" {
			t.Errorf("%s: %v, said %q, want %q", name, err, r.err.String(), c.want)
		}
	}
	r := newRig(t)
	r.zone("web", configs.Configured)
	r.image.verify = errors.New("zonepath /var/lib/zones/web: the mode is not 0700")
	if err := r.Verify(admin.Verify); !errors.Is(err, admin.ErrSaid) ||
		!strings.HasPrefix(r.err.String(), "zoneadm: zone 'web': could not verify zonepath /var/lib/zones/web: the mode is not 0700\n") {
		t.Errorf("%v %s", err, r.err.String())
	}
}

func TestPlan(t *testing.T) {
	for _, s := range []configs.State{configs.Configured, configs.Incomplete, configs.Installed, configs.Ready, configs.Running} {
		r := newRig(t)
		r.zone("web", s)
		r.Privileged = false
		if err := r.Plan(); err != nil {
			t.Errorf("%v: %v", s, err)
			continue
		}
		var doc struct {
			Version int
			Zone    string
			IDBase  uint32 `json:"id_base"`
			Spec    map[string]any
		}
		if err := json.Unmarshal(r.out.Bytes(), &doc); err != nil || doc.Zone != "web" || doc.Version == 0 || doc.Spec == nil || doc.IDBase == 0 {
			t.Errorf("%v: %v, %+v", s, err, doc)
		}
	}
	r := newRig(t)
	r.Zone = "global"
	if err := r.Plan(); err == nil {
		t.Error("a plan of the global zone")
	}
}

// TestPlanShowsWhatRuns: from ready on the frozen configuration counts, and the ids in use.
func TestPlanShowsWhatRuns(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Running)
	r.status("web", `"state":"running","id":1,"id_base":1342242816,"zoned":`+self(t))
	z, _, err := r.Store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	z.Attrs = []configs.Attr{{Name: "hostname", Type: "string", Value: "frozen"}}
	if _, err := r.Store.Snapshot(z); err != nil {
		t.Fatal(err)
	}
	if err := r.Plan(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.out.String(), `"hostname": "frozen"`) || !strings.Contains(r.out.String(), `"id_base": 1342242816`) {
		t.Errorf("%.2000s", r.out.String())
	}
	_ = os.Remove(filepath.Join(r.Layout.ZoneState("web"), "snapshot.xml"))
	r.out.Reset()
	if err := r.Plan(); err != nil || strings.Contains(r.out.String(), "frozen") || !strings.Contains(r.err.String(), "plan of the next boot") {
		t.Errorf("%v %s", err, r.err.String())
	}
}
