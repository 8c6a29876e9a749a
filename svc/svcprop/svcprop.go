package svcprop

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Env is what the program gives svcprop.
type Env struct {
	Out, Err io.Writer
	// Open finds the repository.
	Open func() (door.Store, error)
	// Zone finds that of a zone; nil within zones.
	Zone func(name string) (door.Store, error)
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Main is svcprop; args are without its name. The result is the exit code. ctx ends a wait.
func Main(ctx context.Context, env *Env, args []string) int {
	r := &run{env: env}
	o, bad := parse(args)
	r.order = o
	if bad != nil {
		return r.misused(bad)
	}
	s, err := r.open()
	if err != nil {
		return r.end(err)
	}
	defer s.Close()
	r.store = s
	if o.wait {
		err = r.wait(ctx)
	} else {
		err = r.print()
	}
	return r.end(err)
}

// run is one svcprop.
type run struct {
	env   *Env
	order order
	store door.Store
	out   []byte
	code  int
}

// fatal ends svcprop with status 1 and a message, which -q takes away.
type fatal struct{ text string }

func (f *fatal) Error() string { return f.text }

// errSilent ends svcprop with status 1 and no message.
var errSilent = errors.New("")

func (r *run) open() (door.Store, error) {
	if !r.order.hasZone {
		s, err := r.env.Open()
		if err != nil {
			return nil, &fatal{"Could not connect to configuration repository: " + err.Error() + "."}
		}
		return s, nil
	}
	if r.env.Zone == nil {
		return nil, &fatal{"svcprop -z may only be used from the global zone"}
	}
	s, err := r.env.Zone(r.order.zone)
	if err != nil {
		return nil, &fatal{"invalid zone '" + r.order.zone + "': " + err.Error()}
	}
	return s, nil
}

// end prints what is to be printed, says what went wrong, and gives the exit code.
func (r *run) end(err error) int {
	flushed := r.flush()
	var bad *misuse
	switch {
	case errors.As(err, &bad):
		return r.misused(bad)
	case err != nil:
		r.code = exitError
		r.warn(err.Error())
	case flushed != nil:
		r.code = exitError
		r.warn("write: " + flushed.Error())
	}
	return r.code
}

func (r *run) misused(m *misuse) int {
	if m.text != "" {
		r.say(m.text)
	}
	if m.usage {
		_, _ = io.WriteString(r.env.Err, usage)
	}
	return exitUsage
}

// warn says what -q takes away.
func (r *run) warn(text string) {
	if !r.order.quiet && text != "" {
		r.say(text)
	}
}

// say prints a message, each of its lines with the program's name. What is said of names that
// others chose ends on terminals.
func (r *run) say(text string) {
	text = strings.ReplaceAll(text, "\n", "\nsvcprop: ")
	_, _ = io.WriteString(r.env.Err, "svcprop: "+strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, text)+"\n")
}

// missing is what is said of what -p names and is not there. -v says it in spite of -q.
func (r *run) missing(text string) error {
	if r.order.quiet && !r.order.verbose {
		return errSilent
	}
	r.code = exitError
	r.say(text)
	return nil
}

// outMax is how much is kept before it is written.
const outMax = 64 << 10

func (r *run) flush() error {
	if len(r.out) == 0 {
		return nil
	}
	_, err := r.env.Out.Write(r.out)
	r.out = r.out[:0]
	return err
}

// print is svcprop without -w. What operands do not stand for is said first, as with the
// original, which then shows the others.
func (r *run) print() error {
	matches, err := r.matches()
	if err != nil {
		return err
	}
	if len(matches) > 1 { // several things are told apart by their FMRIs
		r.order.types, r.order.fmris = true, true
	}
	for _, m := range matches {
		if err := r.match(m); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) matches() (all []operand.Match, err error) {
	operands := r.order.operands
	if r.order.all {
		q := door.Query{Levels: door.Services | door.Instances, View: door.Direct, Names: true}
		result, err := r.store.Scan(q)
		for i := range result.Entries {
			all = append(all, operand.Match{On: result.Entries[i].On})
		}
		return all, err
	}
	seen := map[operand.Match]bool{}
	for _, text := range operands {
		matches, err := operand.Find(r.store, text, operand.Properties)
		var none *operand.NoMatchError
		var long *operand.TooLongError
		switch {
		case errors.As(err, &none), errors.As(err, &long):
			r.code = exitError
			r.warn(err.Error())
		case err != nil:
			return nil, err
		}
		for _, m := range matches {
			if !seen[m] {
				seen[m] = true
				all = append(all, m)
			}
		}
	}
	return slices.Clip(all), nil
}

// match shows one thing that an operand stands for.
func (r *run) match(m operand.Match) error {
	switch {
	case m.Property != "" && len(r.order.paths) > 0:
		return &misuse{"The -p option cannot be used with property operands.", true}
	case m.Property != "":
		g, err := r.store.Group(m.On, door.Direct, m.Group)
		if err != nil {
			return err
		}
		if p := g.Prop(m.Property); p != nil {
			return r.property(m.On, &g, p)
		}
		return nil // it has gone meanwhile
	case m.Group != "":
		return r.groupOperand(m)
	}
	return r.entity(m.On)
}

// groupOperand shows a group that was named by its FMRI.
func (r *run) groupOperand(m operand.Match) error {
	g, err := r.store.Group(m.On, door.Direct, m.Group)
	if err != nil {
		return err
	}
	if len(r.order.paths) == 0 {
		return r.group(m.On, &g)
	}
	for _, p := range r.order.paths {
		if p.two {
			return &misuse{"-p argument `" + p.String() + "' has too many components for property group `" + m.String() + "'.", false}
		}
		x := g.Prop(p.first)
		if x == nil {
			if err := r.missing("Couldn't find property `" + p.first + "' in property group `" + m.String() + "'."); err != nil {
				return err
			}
			continue
		}
		if err := r.property(m.On, &g, x); err != nil {
			return err
		}
	}
	return nil
}

func kind(e repo.Entity) string {
	if e.Instance == "" {
		return "service"
	}
	return "instance"
}
