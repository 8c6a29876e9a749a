package vplat

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
)

// pick gives one of the list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// anyZone makes a configuration, good or bad, of pieces that meet the rules' edges.
func anyZone(r *rand.Rand) *configs.Zone {
	z := zone(pick(r, "sparse", "sparse", "whole", "linux"))
	z.IPType = pick(r, configs.IPShared, configs.IPExclusive)
	z.LimitPriv = pick(r, "", "", "default,sys_mount", "basic,sys_boot")
	if z.Brand == "sparse" && r.IntN(2) == 0 {
		attr(AttrSparseUsr, pick(r, usrReadOnly, usrCopyOnWrite))(z)
		attr(AttrSparseUsrLocal, pick(r, localEmpty, localHost))(z)
	}
	if r.IntN(4) == 0 {
		everything(z)
	}
	for range r.IntN(6) {
		fs := configs.FS{
			Dir:     pick(r, "/data", "/data/a", "/data/a/b", "/export", "/usr/share/x", "/tmp", "/run", "/run/lock", "/etc", "/opt", "/dev/x", "/proc", "data"),
			Type:    pick(r, "lofs", "lofs", "lofs", "tmpfs", "ext4", "hsfs", "xfs", "pcfs", "nfs"),
			Special: pick(r, "/srv/a", "/srv/b", "/export/home", "/etc", "/usr", "/", "/var/lib/zones", "/run", "swap", "/dev/sda1", "/home"),
		}
		if fs.Type == "ext4" {
			fs.Special, fs.Raw = "/dev/sda1", pick(r, "", "/dev/sda1")
		}
		if fs.Type == "tmpfs" {
			fs.Special = "swap"
		}
		for range r.IntN(3) {
			fs.Options = append(fs.Options, pick(r, "ro", "ro", "nosetuid", "setuid", "nodevices", "noexec", "noatime", "size=1m", "rw", "bogus"))
		}
		z.FS = append(z.FS, fs)
	}
	return z
}

// TestPropertiesOfAnyPlan builds many configurations and holds of each plan what a zone
// must never get. The seed is fixed: a failure names a configuration that fails again.
func TestPropertiesOfAnyPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	built, refused := 0, 0
	for range 5000 {
		z := anyZone(r)
		p, err := Build(z, pick(r, debian(), oldDebian()), someRun())
		if err != nil {
			checkRefusal(t, err, nil)
			refused++
			continue
		}
		built++
		checkWritable(t, z, p)
		checkFlags(t, z, p)
		checkOrder(t, p)
		checkNamespaces(t, z, p)
		checkRoundTrip(t, p)
		if t.Failed() {
			t.Fatalf("configuration: %+v", z)
		}
	}
	if built < 500 || refused < 500 {
		t.Errorf("%d built, %d refused: the configurations are too much alike", built, refused)
	}
}

// checkWritable: of the host, the zone may write its own files and what is shared with it
// for writing, and nothing else.
func checkWritable(t *testing.T, z *configs.Zone, p *Plan) {
	t.Helper()
	allowed := []string{z.Path + "/root", z.Path + "/usr-upper", z.Path + "/usr-local"}
	for _, fs := range z.FS {
		if !slices.Contains(fs.Options, "ro") {
			allowed = append(allowed, fs.Special)
		}
	}
	for _, s := range p.Root {
		if s.ReadOnly {
			if s.Upper != "" {
				t.Errorf("%s is read-only and has an upper layer", s.Target)
			}
			continue
		}
		for _, path := range []string{s.Source, s.Upper} {
			if path != "" && !slices.Contains(allowed, path) {
				t.Errorf("%s is writable", path)
			}
			for _, host := range []string{"/", "/etc", "/usr", "/run", "/var/lib/zones"} {
				if path == host {
					t.Errorf("%s of the host is writable", path)
				}
			}
		}
		if s.Op == OpOverlay && s.Upper == "" {
			t.Errorf("the overlay on %s has no upper layer and is not read-only", s.Target)
		}
	}
	for _, m := range p.Spec.Mounts {
		if m.Type == "bind" && !strings.HasPrefix(m.Source, StagePrefix) &&
			!slices.Contains(m.Options, "ro") && !slices.Contains(m.Options, "rro") {
			t.Errorf("%s of the host is writable on %s", m.Source, m.Destination)
		}
	}
}

// checkFlags: no device node works in what is mounted, but in /dev and /dev/pts; setuid
// programs of a shared directory only where the configuration says so; and what is shifted
// read-only is so before the zone's mount namespace exists.
func checkFlags(t *testing.T, z *configs.Zone, p *Plan) {
	t.Helper()
	has := func(options []string, names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(options, n) })
	}
	for _, m := range p.Spec.Mounts {
		if !has(m.Options, "nodev", "rnodev") && m.Destination != "/dev" && m.Destination != "/dev/pts" {
			t.Errorf("%s is not nodev", m.Destination)
		}
		i := slices.IndexFunc(z.FS, func(fs configs.FS) bool { return fs.Dir == m.Destination })
		setuid := i >= 0 && (z.FS[i].Type != "lofs" || has(z.FS[i].Options, "setuid", "suid"))
		if !has(m.Options, "nosuid", "rnosuid") && !setuid {
			t.Errorf("%s is not nosuid", m.Destination)
		}
		if m.Type == "tmpfs" && !slices.ContainsFunc(m.Options, func(o string) bool { return strings.HasPrefix(o, "size=") }) {
			t.Errorf("%s has no bound", m.Destination)
		}
		if m.Type != "bind" || has(m.Options, "rro") {
			continue
		}
		if has(m.Options, "ridmap") || has(m.Options, "idmap") && i >= 0 && z.FS[i].Type == "lofs" {
			t.Errorf("%s is shifted inside the zone, where read-only does not hold", m.Destination)
		}
		name, staged := strings.CutPrefix(m.Source, StagePrefix)
		if !staged {
			continue
		}
		j := slices.IndexFunc(p.Root, func(s RootStep) bool { return s.Target == StageDir+"/"+name })
		if j < 0 || p.Root[j].ReadOnly != has(m.Options, "ro") {
			t.Errorf("%s: staged and shown differ in being read-only", m.Destination)
		}
		if j >= 0 && has(p.Root[j].Options, "nosuid") != has(m.Options, "nosuid") {
			t.Errorf("%s: staged and shown differ in nosuid", m.Destination)
		}
	}
}

// checkOrder: a mount never hides one that was made before it, and no place is used twice.
func checkOrder(t *testing.T, p *Plan) {
	t.Helper()
	for i, m := range p.Spec.Mounts {
		for _, earlier := range p.Spec.Mounts[:i] {
			if below(earlier.Destination, m.Destination) {
				t.Errorf("%s hides %s", m.Destination, earlier.Destination)
			}
		}
	}
}

func checkNamespaces(t *testing.T, z *configs.Zone, p *Plan) {
	t.Helper()
	own := false
	for _, ns := range p.Spec.Linux.Namespaces {
		own = own || ns.Type == "network"
	}
	if own != (z.IPType == configs.IPExclusive) {
		t.Errorf("ip-type %s, own network namespace %v", z.IPType, own)
	}
	c := p.Spec.Process.Capabilities
	if len(c.Inheritable)+len(c.Ambient) > 0 || len(c.Bounding) == 0 || !slices.Equal(c.Bounding, c.Permitted) || !slices.Equal(c.Bounding, c.Effective) {
		t.Errorf("capabilities: %+v", c)
	}
	if nested := p.Spec.Linux.Sysctl["user.max_user_namespaces"] != "0"; nested != slices.Contains(c.Bounding, "CAP_SYS_ADMIN") {
		t.Errorf("user namespaces in the zone: %v", nested)
	}
}

func checkRoundTrip(t *testing.T, p *Plan) {
	t.Helper()
	doc, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := again.Encode(); err != nil || !bytes.Equal(doc, second) {
		t.Errorf("what is read back differs\n%s", firstDifference(string(doc), string(second)))
	}
}

// TestNothingIsLeftOutSilently: each part of a configuration is put into effect, listed as
// deferred, or not the platform's. A new field has to be put in one of the three.
func TestNothingIsLeftOutSilently(t *testing.T) {
	inEffect := []string{"Name", "Path", "Brand", "LimitPriv", "IPType", "FS", "Attrs"}
	elsewhere := []string{
		"Autoboot", "Bootargs", // the boot's
		"Admins", // the door's
		"UUID",   // the index'
	}
	full := zone("whole", everything)
	for i := range reflect.TypeFor[configs.Zone]().NumField() {
		name := reflect.TypeFor[configs.Zone]().Field(i).Name
		if slices.Contains(inEffect, name) || slices.Contains(elsewhere, name) {
			continue
		}
		value := reflect.ValueOf(full).Elem().Field(i)
		if value.IsZero() {
			t.Errorf("the field %s is in none of the lists of this test", name)
			continue
		}
		z := zone("whole")
		reflect.ValueOf(z).Elem().Field(i).Set(value)
		p, err := Build(z, debian(), someRun())
		if err != nil {
			t.Fatal(err)
		}
		want := 1
		if value.Kind() == reflect.Slice {
			want = value.Len()
		}
		if len(p.Deferred) != want {
			t.Errorf("%s: deferred is %q, %d are asked for", name, p.Deferred, want)
		}
	}
	if p, err := Build(zone("whole"), debian(), someRun()); err != nil || p.Deferred != nil {
		t.Errorf("nothing is asked for, and deferred is %q (%v)", p.Deferred, err)
	}
}
