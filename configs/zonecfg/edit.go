package zonecfg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

const globalCaution = "Setting a global zone resource control too low could deny service to even the root user; " +
	"this could render the system impossible to administer.  Please use caution."

// add begins a resource, or adds to a list of the resource at hand.
func (s *Session) add(a args) error {
	if s.scope != nil {
		return s.addValue(a)
	}
	name, err := a.word("a resource type")
	if err != nil {
		return err
	}
	k := findResource(name)
	if k == nil {
		return noResource(name)
	}
	if err := a.none(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if k.local && s.name == configs.GlobalName {
		return fmt.Errorf("Cannot add a %s resource to the global zone.", k.name)
	}
	if k.single {
		if err := s.roomFor(k); err != nil {
			return err
		}
	}
	if s.name == configs.GlobalName && (k.name == "rctl" || k.name == "capped-memory") {
		s.warn("%s", globalCaution)
	}
	s.scope = &scope{kind: k, now: record{}, at: -1}
	return nil
}

// roomFor refuses a second resource of a kind that stands once, and one that excludes
// another.
func (s *Session) roomFor(k *resource) error {
	if len(k.load(s.work)) > 0 {
		return fmt.Errorf("The %s resource already exists, use 'select %s' to change it.", k.name, k.name)
	}
	switch k.name {
	case "dedicated-cpu":
		if _, set, _ := s.work.Alias(configs.AliasCPUCap); set {
			return errors.New("The capped-cpu resource already exists, it is incompatible with the dedicated-cpu resource.")
		}
		if s.work.Pool != "" {
			return errors.New("The pool property is already set.  A persistent pool is incompatible with the dedicated-cpu resource.")
		}
	case "capped-cpu":
		if s.work.DedicatedCPU != nil {
			return errors.New("The dedicated-cpu resource already exists, it is incompatible with the capped-cpu resource.")
		}
		if _, _, err := s.work.Alias(configs.AliasCPUCap); err != nil {
			return fmt.Errorf("capped-cpu: %w", err)
		}
	}
	return nil
}

// addValue adds to a list property.
func (s *Session) addValue(a args) error {
	p, err := s.listProperty(&a)
	if err != nil {
		return err
	}
	now := s.scope.now.clone()
	if err := s.extend(now, p, a.rest[0].Value); err != nil {
		return err
	}
	s.scope.now = now
	return nil
}

// listProperty takes the name of a list property and leaves exactly its value in a.
func (s *Session) listProperty(a *args) (*property, error) {
	name, err := a.word("a property name")
	if err != nil {
		return nil, err
	}
	p := s.scope.kind.property(name)
	if p == nil || p.shape == simple {
		var lists []string
		for _, q := range s.scope.kind.props {
			if q.shape != simple {
				lists = append(lists, q.name)
			}
		}
		return nil, fmt.Errorf("%.40s: No such property type for %s, the lists of %s are: %s", name, a.verb, s.scope.kind.name,
			cmpOr(strings.Join(lists, ", "), "none"))
	}
	if len(a.rest) != 1 || a.rest[0].Name != "" {
		return nil, a.bad("want one value for %s", name)
	}
	return p, nil
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// extend adds a value, or the elements of a list, to a property.
func (s *Session) extend(r record, p *property, v lang.Value) error {
	for _, e := range v.Elements() {
		if err := s.checkElement(p, e); err != nil {
			return err
		}
		if slices.ContainsFunc(r[p.name], func(o lang.Value) bool { return o.String() == e.String() }) {
			return fmt.Errorf("%s: %s is there already", p.name, e)
		}
		r[p.name] = append(r[p.name], e)
	}
	return nil
}

// checkElement checks an element of a list.
func (s *Session) checkElement(p *property, e lang.Value) error {
	if p.shape == list {
		if e.Kind != lang.Simple {
			return fmt.Errorf("%s: A simple or list value was expected here.", p.name)
		}
		return named(p.name, configs.CheckProperty(s.scope.kind.name, p.name, e.Text))
	}
	if e.Kind != lang.Complex {
		return fmt.Errorf("%s: A complex or list value was expected here: (%s=...)", p.name, strings.Join(p.fields, "=...,"))
	}
	seen := map[string]bool{}
	for _, q := range e.Pairs {
		if !slices.Contains(p.fields, q.Name) {
			return fmt.Errorf("%s: %.40s: No such property type, allowed are %s", p.name, q.Name, strings.Join(p.fields, ", "))
		}
		if seen[q.Name] {
			return fmt.Errorf("%s: %s already specified", p.name, q.Name)
		}
		seen[q.Name] = true
		if err := configs.CheckProperty("", "", q.Value); err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
	}
	for _, f := range p.fields {
		if !seen[f] {
			return fmt.Errorf("%s: %s not specified", p.name, f)
		}
	}
	// The canonical order, so that equal values are equal as text.
	slices.SortStableFunc(e.Pairs, func(a, b lang.Pair) int { return slices.Index(p.fields, a.Name) - slices.Index(p.fields, b.Name) })
	return nil
}

// named puts a property's name before an error, unless it begins with it.
func named(property string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), property) {
		return err
	}
	return fmt.Errorf("%s: %w", property, err)
}

// cancel leaves the resource scope.
func (s *Session) cancel(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	s.scope = nil
	return nil
}

// set gives a property a value.
func (s *Session) set(a args) error {
	if len(a.rest) != 1 || a.rest[0].Name == "" {
		return a.bad("want <property-name>=<property-value>; values with blanks or = are put in quotes")
	}
	name, v := a.rest[0].Name, a.rest[0].Value
	if s.scope == nil {
		return s.setGlobal(a, name, v)
	}
	if a.has('F') {
		return errors.New("Only zonepath setting can be forced.")
	}
	k := s.scope.kind
	p := k.property(name)
	if p == nil {
		return noProperty(k, name)
	}
	if p.shape != simple {
		now := s.scope.now.clone()
		delete(now, name)
		if err := s.extend(now, p, v); err != nil {
			return err
		}
		s.scope.now = now
		return nil
	}
	if v.Kind != lang.Simple {
		return fmt.Errorf("%s: A simple value was expected here.", name)
	}
	if v.Text == "" {
		s.scope.now.setText(name, "")
		return nil
	}
	if err := configs.CheckProperty(k.name, name, v.Text); err != nil {
		return named(name, err)
	}
	s.scope.now.setText(name, v.Text)
	return nil
}

// clear takes a property's value away.
func (s *Session) clear(a args) error {
	name, err := a.word("a property name")
	if err != nil {
		return err
	}
	if err := a.none(); err != nil {
		return err
	}
	if s.scope == nil {
		return s.clearGlobal(name)
	}
	p := s.scope.kind.property(name)
	switch {
	case p == nil:
		return noProperty(s.scope.kind, name)
	case p.need == required:
		return fmt.Errorf("%s: Clearing this property is not allowed, a %s must have it", name, s.scope.kind.name)
	}
	delete(s.scope.now, name)
	return nil
}

// selectResource edits an existing resource.
func (s *Session) selectResource(a args) error {
	name, err := a.word("a resource type")
	if err != nil {
		return err
	}
	k := findResource(name)
	if k == nil {
		return noResource(name)
	}
	conditions, err := a.conditions(k)
	if err != nil {
		return err
	}
	if len(conditions) == 0 && !k.single {
		return a.bad("say which %s", k.name)
	}
	if err := s.load(); err != nil {
		return err
	}
	at := -1
	records := k.load(s.work)
	for i, r := range records {
		if !r.matches(k, conditions) {
			continue
		}
		if at >= 0 {
			return fmt.Errorf("select %s: Insufficient specification, several resources match", k.name)
		}
		at = i
	}
	if at < 0 {
		return fmt.Errorf("select %s: No such resource with that id", k.name)
	}
	s.scope = &scope{kind: k, now: records[at].clone(), at: at}
	return nil
}

// end checks the resource and puts it into the working copy.
func (s *Session) end(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	k := s.scope.kind
	for _, p := range k.props {
		if p.need == required && len(s.scope.now[p.name]) == 0 {
			return fmt.Errorf("%s not specified", p.name)
		}
	}
	if len(s.scope.now) == 0 {
		names := k.propertyNames()
		last := len(names) - 1
		return fmt.Errorf("No property was specified.  One of %s or %s is required.", strings.Join(names[:last], ", "), names[last])
	}
	next := s.work.Clone()
	records := k.load(next)
	if s.scope.at < 0 {
		records = append(records, s.scope.now)
	} else {
		records[s.scope.at] = s.scope.now
	}
	if err := k.store(next, records); err != nil {
		return err
	}
	if err := newProblem(s.work, next); err != nil {
		return err
	}
	if k.name == "admin" && s.KnownUser != nil && !s.KnownUser(s.scope.now.text("user")) {
		s.warn("user %s is not known on this host", s.scope.now.text("user"))
	}
	s.work, s.scope, s.dirty = next, nil, true
	return nil
}

// newProblem gives the first problem of a resource that was not there before. What
// several properties say together is left to verify: the next command may mend it.
func newProblem(before, after *configs.Zone) error {
	var old, now configs.Problems
	_ = errors.As(before.CheckResources(), &old)
	_ = errors.As(after.CheckResources(), &now)
	for _, p := range now {
		if !slices.Contains(old, p) {
			return errors.New(p.Why)
		}
	}
	return nil
}

// remove removes resources, or a value from a list.
func (s *Session) remove(a args) error {
	if s.scope != nil {
		return s.removeValue(a)
	}
	name, err := a.word("a resource type")
	if err != nil {
		return err
	}
	k := findResource(name)
	if k == nil {
		return noResource(name)
	}
	conditions, err := a.conditions(k)
	if err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	var keep []record
	found := 0
	for _, r := range k.load(s.work) {
		if r.matches(k, conditions) {
			found++
		} else {
			keep = append(keep, r)
		}
	}
	if found == 0 {
		return fmt.Errorf("No such %s resource.", k.name)
	}
	if found > 1 && !a.has('F') {
		yes, err := s.ask(fmt.Sprintf("Are you sure you want to remove ALL '%s' resources", k.name))
		if err != nil {
			return fmt.Errorf("remove %s: %d resources match; qualify the resource to remove a single one or use -F to remove all", k.name, found)
		}
		if !yes {
			return nil
		}
	}
	next := s.work.Clone()
	if err := k.store(next, keep); err != nil {
		return err
	}
	s.work, s.dirty = next, true
	return nil
}

func (s *Session) removeValue(a args) error {
	p, err := s.listProperty(&a)
	if err != nil {
		return err
	}
	now := s.scope.now.clone()
	for _, e := range a.rest[0].Value.Elements() {
		if err := s.checkElement(p, e); err != nil {
			return err
		}
		i := slices.IndexFunc(now[p.name], func(o lang.Value) bool { return o.String() == e.String() })
		if i < 0 {
			return fmt.Errorf("%s: No such property with that id: %s", p.name, e)
		}
		now[p.name] = slices.Delete(now[p.name], i, i+1)
	}
	s.scope.now = now
	return nil
}
