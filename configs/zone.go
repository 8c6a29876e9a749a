package configs

// New gives the configuration that `create` starts from, by the built-in template
// SUNWdefault; its Path is empty.
func New(name string) *Zone {
	return &Zone{Name: name, Brand: DefaultBrand, IPType: IPExclusive}
}

// newGlobal is the host's configuration where none was committed.
func newGlobal() *Zone {
	return &Zone{Name: GlobalName, Path: "/", Brand: DefaultBrand, IPType: IPShared}
}
