package testenv

import "testing"

// For is the instance as a subtest uses it: what fails is the subtest's failure.
func (z *Zones) For(t testing.TB) *Zones {
	one := *z
	one.t = t
	return &one
}

// In runs a command in a zone that has to succeed, and gives its standard output.
func (z *Zones) In(zone, command string) string {
	z.t.Helper()
	return z.Must("zlogin", zone, command)
}

// Write writes a file of a zone, as the zone's root, and makes the directory.
func (z *Zones) Write(zone, path, text string) {
	z.t.Helper()
	out, errs, exit := z.RunInput(text, "zlogin", zone, "mkdir -p $(dirname "+path+") && cat >"+path)
	if exit != 0 {
		z.t.Fatalf("write %s of zone %s: exit %d\n%s%s", path, zone, exit, out, errs)
	}
}
