package svcprop

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

const one = "svc:/network/web:one"

// TestOutput is what svcprop prints, and says, of one repository.
func TestOutput(t *testing.T) {
	r := full(t)
	for _, c := range []struct {
		args string
		out  string
		errs string
		code int
	}{
		// One property is its values.
		{"-p restarter/state " + one, "online\n", "", 0},
		{"-p restarter/state network/web:one", "online\n", "", 0},
		{"-p restarter/state ssh", "offline\n", "", 0},
		{"-p config/port " + one, "80\n", "", 0},
		{"-p config/empty " + one, "\"\"\n", "", 0},
		{"-p config/list " + one, `a\ b "" c\"d\\` + "\n", "", 0},
		{"-p config/none " + one, "\n", "", 0},
		{"-t -p config/port " + one, "config/port count 80\n", "", 0},
		{"-tp config/none " + one, "config/none astring \n", "", 0},
		{"-f -p config/port " + one, one + "/:properties/config/port count 80\n", "", 0},
		{"-fpconfig/port " + one, one + "/:properties/config/port count 80\n", "", 0},
		// Two of one entity are values still; with a whole group, they have names.
		{"-p config/port -p config/both " + one, "80\ninstance\n", "", 0},
		{"-p config/port -p restarter " + one, "config/port count 80\nrestarter/state astring online\n", "", 0},
		{"-p restarter " + one, "restarter/state astring online\n", "", 0},
		// Views.
		{"-p config/both " + one, "instance\n", "", 0},
		{"-c -p config/both " + one, "changed\n", "", 0},
		{"-c -p config/under " + one, "service\n", "", 0},
		{"-C -p config/both " + one, "changed\n", "", 0},
		{"-C -p config/under " + one, "", "svcprop: Couldn't find property `config/under' for instance `svc:/network/web:one'.\n", 1},
		{"-s initial -p config/both " + one, "instance\n", "", 0},
		{"-s initial -p restarter/state " + one, "online\n", "", 0},
		{"-p later/word " + one, "", "svcprop: Couldn't find property group `later' for instance `svc:/network/web:one'.\n", 1},
		{"-c -p later/word " + one, "new\n", "", 0},
		{"-p config/both svc:/network/web", "service\n", "", 0},
		{"-c svc:/network/web", "config/both astring service\nconfig/under astring service\n", "", 0},
		{"bare", "config/word astring bare\n", "", 0},
		{"-s none " + one, "", "svcprop: No such snapshot.\n", 1},
		{"-s 9 " + one, "", "svcprop: Invalid snapshot name.\n", 1},
		{"-s running svc:/network/web", "", "svcprop: Only instances have snapshots.\n", 1},
		// Several are told apart.
		{"-p restarter/state ssh web:one", "svc:/network/ssh:default/:properties/restarter/state astring offline\n" + one + "/:properties/restarter/state astring online\n", "", 0},
		{"-p config/under network/web", one + "/:properties/config/under astring service\nsvc:/network/web:two/:properties/config/under astring service\n", "", 0},
		{"-p restarter/state ssh ssh svc:/network/ssh:default", "offline\n", "", 0},
		{"-p restarter/state nothing ssh", "offline\n", "svcprop: Pattern 'nothing' doesn't match any entities\n", 1},
		{"-p restarter/state -a", "svc:/network/ssh:default/:properties/restarter/state astring offline\n" + one + "/:properties/restarter/state astring online\n",
			"svcprop: Couldn't find property group `restarter' for service `svc:/bare'.\n" +
				"svcprop: Couldn't find property group `restarter' for service `svc:/network/ssh'.\n" +
				"svcprop: Couldn't find property group `restarter' for service `svc:/network/web'.\n" +
				"svcprop: Couldn't find property group `restarter' for instance `svc:/network/web:two'.\n", 1},
		// Operands that name groups and properties.
		{one + "/:properties/config/port", "80\n", "", 0},
		{one + "/:properties/restarter", "restarter/state astring online\n", "", 0},
		{"-p state " + one + "/:properties/restarter", "online\n", "", 0},
		{"-p none " + one + "/:properties/restarter", "", "svcprop: Couldn't find property `none' in property group `svc:/network/web:one/:properties/restarter'.\n", 1},
		{one + "/:properties/config/absent", "", "svcprop: Pattern '" + one + "/:properties/config/absent' doesn't match any entities\n", 1},
		{"-p a/b " + one + "/:properties/restarter", "", "svcprop: -p argument `a/b' has too many components for property group `svc:/network/web:one/:properties/restarter'.\n", 2},
		{"-p a " + one + "/:properties/restarter/state", "", "svcprop: The -p option cannot be used with property operands.\n" + usage, 2},
		// Nothing is said.
		{"-q " + one, "", "", 0},
		{"-q nothing", "", "", 1},
		{"-q -p config/port " + one, "", "", 0},
		{"-q -p config/absent " + one, "", "", 1},
		{"-q -p absent " + one, "", "", 1},
		{"-qv -p absent " + one, "", "svcprop: Couldn't find property group `absent' for instance `svc:/network/web:one'.\n", 1},
		{"-q -s none " + one, "", "", 1},
		// No FMRI at all.
		{"svc:/a:b:c", "", "svcprop: Pattern 'svc:/a:b:c' doesn't match any entities\n", 1},
		{"svc:/9", "", "svcprop: Pattern 'svc:/9' doesn't match any entities\n", 1},
		{"x\x1b[2J", "", "svcprop: Pattern 'x?[2J' doesn't match any entities\n", 1},
		{strings.Repeat("x", 1024), "", "svcprop: Argument '" + strings.Repeat("x", 1023) + "' is too long, ignoring\n", 1},
		// Zones.
		{"-z web " + one, "", "svcprop: svcprop -z may only be used from the global zone\n", 1},
	} {
		out, errs, code := r.run(strings.Split(c.args, " ")...)
		if out != c.out || errs != c.errs || code != c.code {
			t.Errorf("svcprop %s: status %d\n%s%s, want %d\n%s%s", c.args, code, out, errs, c.code, c.out, c.errs)
		}
	}
}

func TestWholeInstance(t *testing.T) {
	r := full(t)
	out, errs, code := r.run(one)
	want := `config/both astring instance
config/empty astring ""
config/list astring a\ b "" c\"d\\
config/none astring 
config/port count 80
config/under astring service
restarter/state astring online
secret/key astring hush
`
	if out != want || errs != "" || code != 0 {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}

func TestUsage(t *testing.T) {
	r := newRig(t)
	for _, args := range []string{
		"", "-p", "-x a", "-s", "-z", "-C -c a", "-c -C a", "-c -s x a", "-C -w a", "-w -s x a", "-w a b", "-w -p a -p b c", "-a x", "-a -w", "--", "-p a",
	} {
		if out, errs, code := r.run(strings.Fields(args)...); out != "" || errs != usage || code != 2 {
			t.Errorf("%s: %d %s%s", args, code, out, errs)
		}
	}
	for args, want := range map[string]string{
		"-p a/b/c x": "svcprop: -p argument `a/b/c' has too many components.\n" + usage,
		"-p 9 x":     "svcprop: Invalid component name `9'.\n",
		"-p a/ x":    "svcprop: Invalid component name `'.\n",
		"-p /a x":    "svcprop: Invalid component name `'.\n",
		"-p a/b.c x": "svcprop: Invalid component name `b.c'.\n",
	} {
		if out, errs, code := r.run(strings.Fields(args)...); out != "" || errs != want || code != 2 {
			t.Errorf("%s: %d %s%s", args, code, out, errs)
		}
	}
	if _, errs, code := r.run("-p", "", "x"); errs != "svcprop: Invalid component name `'.\n" || code != 2 {
		t.Errorf("%d %s", code, errs)
	}
}

func TestWithheld(t *testing.T) {
	r := full(t)
	s := withheld{r.store}
	out, errs, code := r.runOn(s, one)
	if !strings.Contains(out, "secret/key astring \n") || strings.Contains(out, "hush") || errs != "" || code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
	for _, args := range [][]string{{"-p", "secret/key", one}, {"-p", "secret", one}, {"-p", "key", one + "/:properties/secret"}} {
		if out, errs, code := r.runOn(s, args...); out != "" || errs != "svcprop: Permission denied.\n" || code != 1 {
			t.Errorf("%v: %d %s%s", args, code, out, errs)
		}
	}
	if out, errs, code := r.runOn(s, one+"/:properties/secret/key"); out != "\n" || errs != "" || code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if out, errs, code := r.runOn(s, "-q", "-p", "secret/key", one); out != "" || errs != "" || code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// full disks and closed pipes.
type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFails(t *testing.T) {
	r := full(t)
	var errs bytes.Buffer
	env := &Env{Out: refusing{}, Err: &errs, Open: func() (door.Store, error) { return kept{r.store}, nil }}
	if code := Main(context.Background(), env, []string{one}); code != 1 || errs.String() != "svcprop: write: no space left on device\n" {
		t.Errorf("%d %s", code, &errs)
	}
	errs.Reset()
	env.Open = func() (door.Store, error) { return nil, door.ErrNoServer }
	if code := Main(context.Background(), env, []string{one}); code != 1 || !strings.HasPrefix(errs.String(), "svcprop: Could not connect to configuration repository: ") {
		t.Errorf("%d %s", code, &errs)
	}
	errs.Reset()
	if code := Main(context.Background(), env, []string{"-q", one}); code != 1 || errs.Len() > 0 {
		t.Errorf("%d %s", code, &errs)
	}
}

func TestZone(t *testing.T) {
	r := full(t)
	var out, errs bytes.Buffer
	env := &Env{Out: &out, Err: &errs, Zone: func(name string) (door.Store, error) {
		if name != "web" {
			return nil, errors.New("no such zone")
		}
		return kept{r.store}, nil
	}}
	if code := Main(context.Background(), env, []string{"-z", "web", "-p", "restarter/state", "ssh"}); code != 0 || out.String() != "offline\n" {
		t.Errorf("%d %s%s", code, &out, &errs)
	}
	if code := Main(context.Background(), env, []string{"-z", "other", "ssh"}); code != 1 || errs.String() != "svcprop: invalid zone 'other': no such zone\n" {
		t.Errorf("%d %s", code, &errs)
	}
}

// TestMuch has more output than is kept at once.
func TestMuch(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("v", 4000)
	r.apply(func(b *repo.Batch) {
		b.Ensure(ssh)
		g := group("config")
		for i := range 100 {
			g.Props = append(g.Props, str("p"+string(rune('a'+i/26))+string(rune('a'+i%26)), long))
		}
		b.PutGroup(ssh, g)
	})
	out, _, code := r.run("ssh")
	if lines := strings.Count(out, " "+long+"\n"); lines != 100 || code != 0 {
		t.Errorf("%d lines, status %d", lines, code)
	}
}
