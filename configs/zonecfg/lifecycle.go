package zonecfg

import (
	"errors"
	"fmt"

	"github.com/linuxzones/zones/configs"
)

// create begins a new configuration.
func (s *Session) create(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	template := configs.TemplateDefault
	switch sources := len(a.flags); {
	case a.has('F') && sources > 2, !a.has('F') && sources > 1:
		return a.bad("-a, -b and -t exclude each other")
	case a.has('b') || s.name == configs.GlobalName:
		template = configs.TemplateBlank
	case a.has('t'):
		template = a.flags['t']
	}
	base, goOn, err := s.overwrite(a.has('F'))
	if err != nil || !goOn {
		return err
	}
	var z *configs.Zone
	switch {
	case s.name == configs.GlobalName:
		z = configs.NewGlobal()
	case a.has('a'):
		z, err = s.Store.Detached(a.flags['a'], s.name)
	default:
		z, err = s.Store.Template(template, s.name)
	}
	if err != nil {
		return err
	}
	s.work, s.base, s.dirty = z, base, true
	return nil
}

// overwrite says whether create may go on, and what it will replace.
func (s *Session) overwrite(force bool) (base configs.Etag, goOn bool, err error) {
	st, exists, err := s.state()
	if err != nil {
		return "", false, err
	}
	if !exists {
		return "", true, nil
	}
	if st > configs.Configured && s.name != configs.GlobalName {
		return "", false, fmt.Errorf("Zone %s already installed; create not allowed.", s.saved)
	}
	_, base, err = s.Store.Load(s.saved)
	if err != nil || base == "" {
		return "", err == nil, err
	}
	if force {
		fmt.Fprintf(s.Out, "Zone %s already exists; overwriting.\n", s.saved)
		return base, true, nil
	}
	yes, err := s.ask(fmt.Sprintf("Zone %s already exists; create anyway", s.saved))
	if err != nil {
		return "", false, fatal{errors.New("Zone exists, input not from terminal and -F not specified: create command ignored, exiting.")}
	}
	return base, yes, nil
}

// delete removes the configuration from the disk.
func (s *Session) delete(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	_, exists, err := s.state()
	if err != nil {
		return err
	}
	if !exists && s.work == nil {
		return fmt.Errorf("%s: %w", s.saved, configs.ErrNoZone)
	}
	if !a.has('F') {
		yes, err := s.ask("Are you sure you want to delete zone " + s.saved)
		if err != nil {
			return fatal{errors.New("Input not from terminal and -F not specified: delete command ignored, exiting.")}
		}
		if !yes {
			return nil
		}
	}
	if exists {
		if err := s.Store.Delete(s.saved, ""); err != nil {
			return err
		}
	}
	s.work, s.base, s.dirty, s.name = nil, "", false, s.saved
	return nil
}

// revert returns to what is on the disk.
func (s *Session) revert(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	if s.scope != nil {
		return errors.New("You can only use revert in the global scope.  Use 'cancel' to cancel changes to a resource specification.")
	}
	if s.work == nil {
		return errors.New("No changes to revert.")
	}
	if !a.has('F') {
		yes, err := s.ask("Are you sure you want to revert")
		if err != nil {
			return fatal{errors.New("Input not from terminal and -F not specified: revert command ignored, exiting.")}
		}
		if !yes {
			return nil
		}
	}
	work, base := s.work, s.base
	s.work = nil
	err := s.load()
	if err != nil && !errors.Is(err, configs.ErrNoZone) {
		s.work, s.base = work, base
		return err
	}
	s.name, s.dirty, s.forcePath = s.saved, false, false
	if err != nil {
		s.base = ""
		return fmt.Errorf("%s: no such saved zone to revert to.", s.saved)
	}
	return nil
}

// verify checks the working copy.
func (s *Session) verify(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if s.scope != nil {
		return errors.New("resource specification incomplete: use 'end' or 'cancel' first")
	}
	return s.verdict(s.work.Validate())
}

// verdict prints all problems but the last, which it returns to be printed: each is
// one line.
func (s *Session) verdict(err error) error {
	var ps configs.Problems
	if !errors.As(err, &ps) {
		return err
	}
	for i, p := range ps {
		if i == len(ps)-1 {
			return p
		}
		s.complain(p)
	}
	return err
}

func (s *Session) runCommit(a args) error {
	if err := s.verify(a); err != nil {
		return err
	}
	return s.commit()
}

// commit writes the working copy. When it fails the working copy is as it was.
func (s *Session) commit() error {
	if s.work == nil {
		return fmt.Errorf("%s: %w", s.saved, configs.ErrNoZone)
	}
	if err := s.work.Validate(); err != nil {
		return fmt.Errorf("Zone %s failed to verify: %w", s.name, s.verdict(err))
	}
	var tag configs.Etag
	var err error
	switch {
	case s.saved != s.work.Name:
		tag, err = s.Store.Rename(s.saved, s.work, s.base)
	case s.forcePath:
		tag, err = s.Store.CommitMoved(s.work, s.base)
	default:
		tag, err = s.Store.Commit(s.work, s.base)
	}
	if errors.Is(err, configs.ErrConflict) || errors.Is(err, configs.ErrExists) && s.base == "" {
		return fmt.Errorf("%w; yours is kept here: save it with 'export -f <file>', then see theirs with 'revert'", err)
	}
	if err != nil {
		return err
	}
	s.base, s.saved, s.dirty, s.forcePath = tag, s.work.Name, false, false
	return nil
}

// exit ends the session.
func (s *Session) exit(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	s.forceLeave = a.has('F')
	if s.scope == nil || s.forceLeave {
		s.leave = true
		return nil
	}
	yes, err := s.ask("Resource incomplete; really quit")
	if err != nil {
		return fatal{errors.New("Resource incomplete, input not from terminal and -F not specified: exit command ignored, but exiting anyway.")}
	}
	s.leave = yes
	return nil
}
