package telinit

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/request"
)

// stage is a zone, or not, and what was done to it.
type stage struct {
	user      bool // not root
	proveErr  error
	initErr   error
	rebootErr error
	answer    bool
	busy      bool
	cancelAt  int // which sleep is interrupted; 0: none

	clock    time.Time
	done     []string
	told     []string
	locked   bool
	unlocked bool
	sleeps   []time.Duration
}

func (s *stage) OurInit() error { return s.initErr }
func (s *stage) SignalInit(sig unix.Signal) error {
	s.done = append(s.done, "signal "+request.Of(sig).String())
	return nil
}
func (s *stage) Reboot(a inside.Action) error {
	s.done = append(s.done, "reboot(2)")
	return s.rebootErr
}

func (s *stage) machine() *machine {
	s.clock = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	return &machine{
		root:    func() bool { return !s.user },
		prove:   func() (proof, error) { return s, s.proveErr },
		now:     func() time.Time { return s.clock },
		confirm: func() bool { return s.answer },
		tell:    func(text string) { s.told = append(s.told, text) },
		note:    func(text string) { s.done = append(s.done, "note") },
		sleep: func(d time.Duration) bool {
			s.sleeps = append(s.sleeps, d)
			s.clock = s.clock.Add(d)
			return len(s.sleeps) != s.cancelAt
		},
		lock: func() (func(), error) {
			if s.busy {
				return nil, errPending
			}
			s.locked = true
			return func() { s.unlocked = true }, nil
		},
		cancel: func() error { s.done = append(s.done, "cancel"); return nil },
	}
}

func TestCarryOut(t *testing.T) {
	for name, c := range map[string]struct {
		stage stage
		line  string
		done  []string
		err   error
	}{
		"halt":              {stage{}, "halt", []string{"signal halt"}, nil},
		"init 6":            {stage{}, "init 6", []string{"signal reboot"}, nil},
		"telinit q":         {stage{}, "telinit q", []string{"signal re-examine"}, nil},
		"force":             {stage{}, "reboot -f", []string{"reboot(2)"}, nil},
		"force refused":     {stage{rebootErr: unix.EPERM}, "halt -q", []string{"reboot(2)"}, unix.EPERM},
		"wtmp only":         {stage{}, "halt -w", nil, nil},
		"boot arguments":    {stage{}, "reboot -- -s", []string{"note", "signal reboot"}, nil},
		"shutdown now":      {stage{}, "shutdown now", []string{"signal power off"}, nil},
		"shutdown later":    {stage{}, "shutdown -r +1", []string{"signal reboot"}, nil},
		"Solaris":           {stage{}, "shutdown -y -i 6 -g 10", []string{"signal reboot"}, nil},
		"not confirmed":     {stage{}, "shutdown -i 6 -g 0", nil, errNotAsked},
		"confirmed":         {stage{answer: true}, "shutdown -i 6 -g 0", []string{"signal reboot"}, nil},
		"only a warning":    {stage{}, "shutdown -k now", nil, nil},
		"a later warning":   {stage{}, "shutdown -k +5", nil, nil},
		"cancel":            {stage{}, "shutdown -c", []string{"cancel"}, nil},
		"cancelled":         {stage{cancelAt: 1}, "shutdown +1", nil, errCancelled},
		"cancelled late":    {stage{cancelAt: 3}, "shutdown +1", nil, errCancelled},
		"another waits":     {stage{busy: true}, "shutdown +1", nil, errPending},
		"halt passes it by": {stage{busy: true}, "halt", []string{"signal halt"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			words := strings.Fields(c.line)
			o, err := parse(words[0], words[1:])
			if err != nil {
				t.Fatal(err)
			}
			s := c.stage
			err = s.machine().carryOut(o)
			if !errors.Is(err, c.err) || !slices.Equal(s.done, c.done) {
				t.Errorf("%q, %v; want %q, %v", s.done, err, c.done, c.err)
			}
			if s.locked != s.unlocked {
				t.Error("the lock is kept")
			}
		})
	}
}

// Every command, in every form, does nothing where it must not.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		stage stage
		want  error
	}{
		"not root":       {stage{user: true}, errRoot},
		"host":           {stage{proveErr: inside.ErrGlobal}, inside.ErrGlobal},
		"cannot tell":    {stage{proveErr: inside.ErrUnknown}, inside.ErrUnknown},
		"another's init": {stage{initErr: inside.ErrOtherInit}, inside.ErrOtherInit},
		"user on host":   {stage{user: true, proveErr: inside.ErrGlobal}, errRoot},
	} {
		for _, line := range []string{
			"init 0", "init 6", "telinit q", "halt", "halt -f", "poweroff -fn", "reboot", "reboot -f -- -s", "reboot -- x", "halt -w",
			"shutdown now", "shutdown -y -i0 -g0", "shutdown -k now x", "shutdown -c", "shutdown +1",
		} {
			words := strings.Fields(line)
			o, err := parse(words[0], words[1:])
			if err != nil {
				t.Fatal(err)
			}
			s := c.stage
			s.answer = true
			if err := s.machine().carryOut(o); !errors.Is(err, c.want) {
				t.Errorf("%s: %s: %v", name, line, err)
			}
			if len(s.done)+len(s.told)+len(s.sleeps) != 0 || s.locked {
				t.Errorf("%s: %s: did %q, told %q", name, line, s.done, s.told)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	s := stage{}
	o, err := parse("shutdown", []string{"-r", "+3", "for\x1b[2J", "upgrade"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.machine().carryOut(o); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, when := range []string{"in 3 minutes.", "in 2 minutes.", "in 1 minute.", "in 30 seconds.", "in 10 seconds.", "now."} {
		want = append(want, "This zone is going down (reboot) "+when+"\nfor?[2J upgrade")
	}
	if !slices.Equal(s.told, want) {
		t.Errorf("%q", s.told)
	}
	if want := []time.Duration{time.Minute, time.Minute, 30 * time.Second, 20 * time.Second, 10 * time.Second}; !slices.Equal(s.sleeps, want) {
		t.Errorf("slept %v", s.sleeps)
	}
	s = stage{cancelAt: 2}
	if err := s.machine().carryOut(o); !errors.Is(err, errCancelled) {
		t.Error(err)
	}
	if last := s.told[len(s.told)-1]; last != "The shutdown of this zone is cancelled." {
		t.Errorf("%q", last)
	}
}

// A clock that is set forward while it waits does not make it wait longer.
func TestClockJumps(t *testing.T) {
	s := stage{}
	m := s.machine()
	m.sleep = func(d time.Duration) bool {
		s.sleeps = append(s.sleeps, d)
		s.clock = s.clock.Add(time.Hour)
		return true
	}
	if err := m.carryOut(order{request: request.Halt, wait: wait{after: time.Minute}}); err != nil {
		t.Fatal(err)
	}
	for _, d := range s.sleeps[1:] {
		if d > 0 {
			t.Errorf("slept %v", s.sleeps)
		}
	}
}

func TestSleepIsCancelled(t *testing.T) {
	if !sleep(time.Millisecond) {
		t.Error("cancelled by nobody")
	}
}
