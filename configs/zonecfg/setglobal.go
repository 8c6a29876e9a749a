package zonecfg

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

// setGlobal sets a property of the zone itself.
func (s *Session) setGlobal(a args, name string, v lang.Value) error {
	alias, isAlias := configs.LookupAlias(name)
	g := findGlobal(name)
	switch {
	case g == nil && !isAlias:
		return noGlobal(name)
	case !isAlias && !g.onHost && s.name == configs.GlobalName:
		return fmt.Errorf("%s is not a valid property for the global zone.", name)
	case v.Kind != lang.Simple:
		return fmt.Errorf("%s: A simple value was expected here.", name)
	case a.has('F') && name != "zonepath":
		return errors.New("Only zonepath setting can be forced.")
	case a.has('F') && !s.AltRoot:
		return errors.New("Zonepath is changeable only in an alternate root.")
	}
	if isAlias {
		return s.setAlias(alias, v.Text)
	}
	if name == "hostid" {
		v.Text = strings.TrimPrefix(v.Text, "0x")
	}
	if v.Text == "" && !g.fixed {
		return s.clearGlobal(name)
	}
	if v.Text == "" {
		return fmt.Errorf("%s cannot be empty.", name)
	}
	if err := configs.CheckProperty("", name, v.Text); err != nil {
		return named(name, err)
	}
	if name == "zonename" {
		return s.rename(v.Text)
	}
	if err := s.load(); err != nil {
		return err
	}
	return s.change(g, v.Text, a.has('F'))
}

// change sets a checked value, when state and other properties allow it.
func (s *Session) change(g *global, value string, force bool) error {
	next := s.work.Clone()
	g.set(next, value)
	if g.name == "zonepath" || g.name == "brand" {
		if err := s.mutable(g.name, force); err != nil {
			return err
		}
		s.forcePath = s.forcePath || force
	}
	if g.name == "pool" && s.work.DedicatedCPU != nil {
		return errors.New("The dedicated-cpu resource already exists.  A persistent pool is incompatible with the dedicated-cpu resource.")
	}
	if g.name == "limitpriv" {
		if _, err := next.Privileges(); err != nil {
			return named(g.name, err)
		}
	}
	s.work, s.dirty = next, true
	return nil
}

// mutable refuses to change what an install fixed.
func (s *Session) mutable(property string, force bool) error {
	st, exists, err := s.state()
	if err != nil {
		return err
	}
	if exists && st > configs.Configured && !force {
		return fmt.Errorf("Zone %s already installed; set %s not allowed.", s.saved, property)
	}
	return nil
}

// rename gives the zone another name: before create it says which zone is meant, later
// it renames the zone at the next commit.
func (s *Session) rename(name string) error {
	if name == s.name {
		return nil
	}
	_, err := s.Store.Lookup(name)
	if err == nil && name != s.saved {
		return fmt.Errorf("%s: Zone name already in use", name)
	}
	if err != nil && !errors.Is(err, configs.ErrNoZone) {
		return err
	}
	st, exists, err := s.state()
	switch {
	case err != nil:
		return err
	case !exists && s.work == nil:
		s.saved, s.name = name, name
		return nil
	case exists && st >= configs.Ready:
		return fmt.Errorf("zonename: zone %s is in state '%s' and cannot be renamed, halt it first", s.saved, st)
	}
	if err := s.load(); err != nil {
		return err
	}
	next := s.work.Clone()
	next.Name = name
	s.work, s.name, s.dirty = next, name, true
	if !exists {
		s.saved = name
	}
	return nil
}

// setAlias sets a resource control through the property that is short for it.
func (s *Session) setAlias(a configs.RctlAlias, value string) error {
	if value == "" {
		return s.clearGlobal(a.Name)
	}
	if err := configs.CheckProperty("", a.Name, value); err != nil {
		return named(a.Name, err)
	}
	if err := s.load(); err != nil {
		return err
	}
	var limit uint64
	var err error
	if a.Memory {
		limit, err = configs.ParseMemory(value)
	} else {
		limit, err = strconv.ParseUint(value, 10, 64)
	}
	if err != nil {
		return named(a.Name, err)
	}
	if s.name == configs.GlobalName && a.Name != "cpu-shares" {
		s.warn("%s", globalCaution)
	}
	next := s.work.Clone()
	if err := next.SetAlias(a, limit); err != nil {
		return named(a.Name, err)
	}
	s.work, s.dirty = next, true
	return nil
}

// clearGlobal takes the value of a property of the zone away.
func (s *Session) clearGlobal(name string) error {
	alias, isAlias := configs.LookupAlias(name)
	g := findGlobal(name)
	switch {
	case g == nil && !isAlias:
		return noGlobal(name)
	case !isAlias && !g.onHost && s.name == configs.GlobalName:
		return fmt.Errorf("%s is not a valid property for the global zone.", name)
	case !isAlias && g.fixed:
		return fmt.Errorf("%s: Clearing this property is not allowed", name)
	}
	if err := s.load(); err != nil {
		return err
	}
	next := s.work.Clone()
	if isAlias {
		if _, _, err := next.Alias(alias); err != nil {
			return named(name, err)
		}
		if !next.ClearAlias(alias) {
			return fmt.Errorf("%s: No such property with that id, it is not set", name)
		}
	} else {
		g.set(next, "")
	}
	s.work, s.dirty = next, true
	return nil
}
