package svcs

// explain is -x.
func (r *run) explain(l *listing) error { return nil }
