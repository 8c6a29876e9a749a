package svccfg

import (
	"errors"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/repo"
)

// colonNames is what below an entity is no entity.
const colonNames = ":properties"

func (s *Session) selectCommand(a *args) error { return s.selectEntity(a.word(0)) }

// selectEntity selects what a text means from here.
func (s *Session) selectEntity(text string) error {
	store, err := s.open()
	switch {
	case err != nil:
		return err
	case s.snapshot != "":
		return s.selectLevel(text)
	case text == "svc:":
		s.at = repo.Entity{}
		return nil
	case text == colonNames:
		return problem(":properties is not an entity.  Try 'listprop' to list properties.")
	}
	child, is, err := s.child(text)
	if err != nil {
		return err
	}
	if is {
		s.at = child
		return nil
	}
	m, err := operand.One(store, text, operand.Entities)
	if err != nil {
		return err
	}
	s.at = m.On
	return nil
}

// child is what has the name below the selection.
func (s *Session) child(name string) (e repo.Entity, is bool, err error) {
	switch {
	case s.at.Instance != "":
		return e, false, nil
	case s.at.Service != "":
		e = repo.Entity{Service: s.at.Service, Instance: name}
		is = fmri.CheckName(name) == nil
	default:
		e = repo.Entity{Service: name}
		is = fmri.CheckService(name) == nil
	}
	if is {
		is, err = s.store.Exists(e)
	}
	return e, is, err
}

// selectLevel goes down in a snapshot.
func (s *Session) selectLevel(name string) error {
	switch {
	case s.below:
		return problem("No children.")
	case name != s.at.Instance:
		return problem("No such child.")
	}
	s.below = true
	return nil
}

func (s *Session) unselect(*args) error {
	switch {
	case s.snapshot != "" && !s.below:
		return problem("No parent levels.")
	case s.snapshot != "":
		s.below = false
	case s.at.Instance != "":
		s.at.Instance = ""
	case s.at.Service != "":
		s.at.Service = ""
	default:
		return problem("Cannot unselect at scope level.")
	}
	return nil
}

// Selection is what is selected, as prompts show it.
func (s *Session) Selection() string {
	switch {
	case s.at.Service == "":
		return "svc:"
	case s.snapshot == "":
		return s.at.String()
	case s.below:
		return "[" + s.snapshot + "]" + s.at.String()
	}
	return "[" + s.snapshot + "]svc:/" + s.at.Service + "[:" + s.at.Instance + "]"
}

// list shows what is below the selection.
func (s *Session) list(a *args) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	var names []string
	switch {
	case s.snapshot != "":
		if s.print(colonNames + "\n"); !s.below {
			s.print(s.at.Instance + "\n")
		}
		return nil
	case s.at.Instance != "":
		s.print(colonNames + "\n")
		return nil
	case s.at.Service != "":
		names, err = store.Instances(s.at.Service)
	default:
		names, err = store.Services()
	}
	if err != nil {
		return err
	}
	if s.at.Service != "" {
		s.print(colonNames + "\n")
	}
	for _, name := range names {
		if len(a.words) == 0 || fmri.Match(a.word(0), name) {
			s.print(name + "\n")
		}
	}
	return nil
}

// add makes a service, or an instance of the one that is selected.
func (s *Session) add(a *args) error {
	_, err := s.open()
	switch {
	case err != nil:
		return err
	case s.snapshot != "":
		return errSnapshot
	case s.at.Instance != "":
		return problem("Cannot add entities to an instance.")
	}
	e := repo.Entity{Service: a.word(0)}
	exists := problem("Service already exists.")
	if s.at.Service != "" {
		e = repo.Entity{Service: s.at.Service, Instance: a.word(0)}
		exists = problem("Instance already exists.")
	}
	if !valid(e, a.word(0)) {
		return problem("Invalid name.")
	}
	var b repo.Batch
	b.Create(e)
	err = s.do(&b)
	if errors.Is(err, repo.ErrExists) {
		return exists
	}
	return err
}

// valid says whether name, which is part of e, can be one: an empty instance would be its service.
func valid(e repo.Entity, name string) bool {
	if e.Instance == "" && e.Service != name {
		return false
	}
	if e.Instance != "" {
		return fmri.CheckName(e.Instance) == nil
	}
	return fmri.CheckService(e.Service) == nil
}
