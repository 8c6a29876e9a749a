package smf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// said is what a program answered.
type said struct {
	out, err string
	exit     int
}

func (s said) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", s.exit, s.out, s.err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// zone is a zone of the test.
type zone struct {
	*testenv.Zones
	t    *testing.T
	name string
}

// sparse and whole make a zone that has booted and imported what it boots with.
func sparse(t *testing.T) *zone {
	t.Helper()
	z := &zone{testenv.Instance(t), t, "a"}
	z.Sparse(z.name)
	z.boot()
	return z
}

func whole(t *testing.T) *zone {
	t.Helper()
	z := &zone{testenv.Instance(t), t, "w"}
	z.Must("zonecfg", "-z", z.name, "create; set brand=whole; set zonepath="+z.ZonePath(z.name))
	z.Must("zoneadm", "-z", z.name, "install", "-d", testenv.DebianRoot(t))
	z.boot()
	return z
}

func (z *zone) boot() {
	z.t.Helper()
	z.Must("zoneadm", "-z", z.name, "boot")
	z.imported()
}

// imported waits for the imports of the boot.
func (z *zone) imported() {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool { return z.try("svcs -H -o state manifest-import").out == "online\n" }, "the imports of the boot")
}

func (z *zone) try(command string) said {
	out, errs, exit := z.Zlogin(z.name, command)
	return said{out, errs, exit}
}

// in runs a command in the zone that has to succeed.
func (z *zone) in(command string) string {
	z.t.Helper()
	s := z.try(command)
	if s.exit != 0 {
		z.t.Fatalf("%s: %v", command, s)
	}
	return s.out
}

// says runs a command in the zone that has to answer so.
func (z *zone) says(command string, exit int, out, errs string) {
	z.t.Helper()
	if s := z.try(command); s != (said{out, errs, exit}) {
		z.t.Errorf("%s: %v\nwant exit %d\nstdout: %s\nstderr: %s", command, s, exit, out, errs)
	}
}

// host runs a command of the host.
func (z *zone) host(program string, args ...string) said {
	out, errs, exit, err := z.Try("", program, args...)
	must(z.t, err)
	return said{out, errs, exit}
}

// put writes a file of the zone, as the host's root that sees its tree.
func (z *zone) put(path, text string) {
	z.t.Helper()
	must(z.t, os.WriteFile(filepath.Join(z.ZonePath(z.name), "root", path), []byte(text), 0o644))
}

// startd is the pid of svc.startd in the zone.
func (z *zone) startd() string {
	z.t.Helper()
	return strings.TrimSpace(z.in("pgrep -o svc.startd"))
}

// manifest is a small one.
func manifest(name, port string) string {
	return `<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='` + name + `'>
  <service name='` + name + `' type='service' version='1'>
    <create_default_instance enabled='false'/>
    <single_instance/>
    <dependency name='fs' grouping='require_all' restart_on='none' type='service'>
      <service_fmri value='svc:/system/filesystem/local'/>
    </dependency>
    <exec_method name='start' type='method' exec='/usr/bin/true' timeout_seconds='60'/>
    <exec_method name='stop' type='method' exec=':kill' timeout_seconds='60'/>
    <property_group name='app' type='application'>
      <propval name='port' type='integer' value='` + port + `'/>
      <propval name='value_authorization' type='astring' value='test.port'/>
    </property_group>
  </service>
</service_bundle>
`
}

// started is the start time of a process of the zone, as /proc/PID/stat has it.
func (z *zone) started(pid string) string {
	z.t.Helper()
	return strings.TrimSpace(z.in("sed 's/.*) //' /proc/" + pid + "/stat | cut -d' ' -f20"))
}
