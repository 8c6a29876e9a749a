package graph

// The reference: what smf(7) says of groupings, written without counts, caches or order. It
// looks at the whole world each time and recurses as it likes.

type refInstance struct {
	there   bool
	enabled bool
	state   State
	deps    []Dependency
	broken  bool
	// Marks of a subtree that goes down; at rest nobody has them.
	disabling, falling bool
}

type refWorld struct {
	services map[string][]string // instances that are known of, by service
	inst     map[string]*refInstance
	files    map[string]bool // absent from the map: nobody told yet
}

func (w *refWorld) members(entity string) (list []string, isFile, isService bool) {
	if len(entity) > 5 && entity[:5] == "file:" {
		return nil, true, false
	}
	for i := len(entity) - 1; i > 4; i-- {
		if entity[i] == ':' {
			return []string{entity}, false, false
		}
	}
	return w.services[entity], false, true
}

// deps: 1 satisfied, 0 not yet, -1 never.
func (w *refWorld) deps(i *refInstance) int {
	if i.broken {
		return -1
	}
	worst := 1
	for _, d := range i.deps {
		worst = min(worst, w.group(d))
	}
	return worst
}

func (w *refWorld) group(d Dependency) int {
	if len(d.Entities) == 0 {
		return 1
	}
	best, worst := -1, 1
	for _, entity := range d.Entities {
		var value int
		switch d.Grouping {
		case RequireAll, RequireAny:
			value = w.require(entity)
		case OptionalAll:
			value = w.option(entity)
		case ExcludeAll:
			value = w.exclude(entity)
		}
		best, worst = max(best, value), min(worst, value)
	}
	if d.Grouping == RequireAny {
		return best
	}
	return worst
}

func (w *refWorld) file(entity string) int {
	present, known := w.files[entity]
	switch {
	case !known:
		return 0
	case present:
		return 1
	}
	return -1
}

func (w *refWorld) require(entity string) int {
	list, isFile, _ := w.members(entity)
	if isFile {
		return w.file(entity)
	}
	best := -1
	for _, name := range list {
		i := w.inst[name]
		if i == nil || !i.there {
			continue
		}
		best = max(best, w.requireInstance(i))
	}
	return best
}

func (w *refWorld) requireInstance(i *refInstance) int {
	switch {
	case i.disabling:
		return -1
	case i.falling:
		return 0
	case i.state.running():
		return 1
	case i.state == Uninitialized:
		return 0
	case i.state == Offline:
		return min(w.deps(i), 0)
	}
	return -1
}

func (w *refWorld) option(entity string) int {
	list, isFile, _ := w.members(entity)
	if isFile {
		return w.file(entity)
	}
	worst := 1
	for _, name := range list {
		i := w.inst[name]
		if i == nil || !i.there {
			continue
		}
		value := 1
		switch i.state {
		case Offline:
			if w.requireInstance(i) == 0 {
				value = 0
			}
		case Disabled:
			if i.enabled {
				value = 0
			}
		case Maintenance:
		default:
			value = w.requireInstance(i)
		}
		worst = min(worst, value)
	}
	return worst
}

func (w *refWorld) exclude(entity string) int {
	list, isFile, _ := w.members(entity)
	if isFile {
		present, known := w.files[entity]
		if known && present {
			return -1
		}
		if !known {
			return 0
		}
		return 1
	}
	worst := 1
	for _, name := range list {
		i := w.inst[name]
		if i == nil || !i.there {
			continue
		}
		switch i.state {
		case Online, Degraded:
			if i.enabled {
				return -1
			}
			worst = 0
		case Offline, Uninitialized:
			worst = 0
		}
	}
	return worst
}
