package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/linuxzones/zones/internal/testenv"
)

// paint is what would do something to a terminal: a title, a colour as old terminals take it, a
// change of direction, a line of its own.
const paint = "\x1b]0;evil\a\u009b7m\u202eevil\x9b7m"

// painted is a service that the test starts, whose words are all paint.
const painted = `<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='site/paint'><service name='site/paint' type='service' version='1'>
<create_default_instance enabled='true'/><single_instance/>
<exec_method type='method' name='start' exec='/var/tmp/start' timeout_seconds='60'/>
<exec_method type='method' name='stop' exec=':kill' timeout_seconds='60'/>
</service></service_bundle>
`

// canvas puts paint wherever a zone's words are kept: names and arguments of processes, values of
// services, terms of contracts, and who killed whom.
func canvas(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	name := "/var/tmp/" + paint[:9] + "\x9b" // the kernel keeps 15 bytes
	for _, tool := range []string{"sleep", "kill"} {
		text, err := os.ReadFile("/usr/bin/" + tool)
		must(t, err)
		must(t, os.MkdirAll(inside(z, zone, "/var/tmp/"+tool), 0o755))
		must(t, os.WriteFile(inside(z, zone, "/var/tmp/"+tool+"/"+filepath.Base(name)), text, 0o755))
	}
	z.Write(zone, "/var/tmp/start", fmt.Sprintf("#!/bin/sh\n'/var/tmp/sleep/%s' 1000 '%[1]s' 2>/dev/null &\n'/var/tmp/sleep/%[1]s' 1000 &\nexit 0\n", filepath.Base(name)))
	z.Write(zone, "/var/tmp/paint.xml", painted)
	z.In(zone, "chmod 755 /var/tmp/start; svccfg import /var/tmp/paint.xml")
	testenv.Eventually(t, func() bool { return strings.TrimSpace(z.In(zone, "svcs -Ho state paint")) == "online" }, "the painted service")
	valid := strings.ToValidUTF8(paint, "")
	z.Write(zone, "/var/tmp/cfg", strings.NewReplacer("PAINT", `"`+valid+`"`).Replace(`select site/paint
addpg tm_common_name template
setprop tm_common_name/C = ustring: PAINT
addpg tm_description template
setprop tm_description/C = ustring: PAINT
addpg tm_man_paint template
setprop tm_man_paint/title = astring: PAINT
setprop tm_man_paint/section = astring: PAINT
addpg tm_doc_paint template
setprop tm_doc_paint/name = astring: PAINT
setprop tm_doc_paint/uri = astring: PAINT
addpg app application
setprop app/title = astring: (PAINT PAINT)
select site/paint:default
setprop restarter/auxiliary_state = astring: PAINT
setprop restarter/logfile = astring: PAINT
addpg general_ovr framework
setprop general/comment = astring: PAINT
refresh
`))
	zlogin(t, z, zone, "svccfg -f /var/tmp/cfg") // what the repository refuses is not in it
	zlogin(t, z, zone, `svccfg import /var/tmp/paint.xml; ctrun -F "svc:/x:$(printf '`+octal(valid)+`')" -A "$(printf '`+octal(valid)+`')" sleep 1000 </dev/null >/dev/null 2>&1 &`)
	// A service is online when its method has ended: what that has started may be a shell still.
	z.In(zone, `while test "$(pgrep -fc 'sleep/.*1000$')" -lt 1; do sleep 0.1; done`)
	zlogin(t, z, zone, `"/var/tmp/kill/$(printf '`+octal(filepath.Base(name))+`')" -SEGV $(pgrep -f 'sleep/.*1000$' | tail -n 1)`)
	// Words at other doors: the console's log, and a failing program's last line.
	zlogin(t, z, zone, `printf '`+octal(paint)+`\n' >/dev/console`)
}

func octal(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return b.String()
}

// unpainted fails where text has what a terminal may do more with than show it.
func unpainted(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		bad := r < ' ' && r != '\n' && r != '\r' && r != '\t' || 0x7f <= r && r < 0xa0 || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
		if _, size := utf8.DecodeRuneInString(text[i:]); bad || r == utf8.RuneError && size == 1 {
			t.Errorf("%s shows %q", what, text[max(0, i-60):min(len(text), i+20)])
			return
		}
	}
}

// shown: no tool of the host, at a terminal, passes a zone's words on as more than text.
func shown(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "a")
	z.ServicesUp("a")
	watch := z.Cmd("ctwatch", "-vz", "a", "process")
	file, err := os.Create(filepath.Join(t.TempDir(), "watched"))
	must(t, err)
	defer file.Close()
	watch.Stdout = file
	must(t, watch.Start())
	watched := func() string {
		text, err := os.ReadFile(file.Name())
		must(t, err)
		return string(text)
	}
	testenv.Eventually(t, func() bool { // what was before it came is not told
		z.In("a", "ctrun -l child true")
		return strings.Contains(watched(), " process ")
	}, "ctwatch to tell of something")
	canvas(t, z, "a")
	all := ""
	for _, line := range []string{
		"svcs -z a -l paint", "svcs -z a -xv paint", "svcs -z a -xv", "svcs -z a -p paint", "svcs -z a -av", "svcs -z a -L paint", "svcs -z a -d paint", "svcs -Z -p", "svcs -z a -o FMRI,DESC,CTID,STATE,SVC paint",
		"svcprop -z a paint", "svcprop -z a -C site/paint", "svcprop -z a -p app/title site/paint", "svccfg -z a -s site/paint listprop", "svccfg -z a -s paint:default listprop", "svccfg -z a export site/paint", "svccfg -z a list", "svccfg -z a -s site/paint describe", "svccfg -z a -s paint:default listsnap",
		"svcadm -z a clear paint", "svcadm -z a disable no-such-thing", "ctstat -z a -av", "ctstat -Z", "ctstat -z a -o json", "zoneadm list -v", "zoneadm list -cp", "zoneadm -z a list -p",
	} {
		words := strings.Fields(line)
		p := z.Pty(words[0], words[1:]...)
		p.Wait()
		unpainted(t, line, p.Output())
		all += p.Output()
	}
	// It was there to be shown: as question marks between what is text.
	if n := strings.Count(all, "evil"); n < 10 {
		t.Errorf("what the zone has painted was seen %d times only:\n%s", n, all)
	}
	for end := time.Now().Add(testenv.Deadline(20 * time.Second)); !strings.Contains(watched(), "]0;evil") && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	_ = watch.Process.Signal(os.Interrupt)
	_ = watch.Wait()
	unpainted(t, "ctwatch", watched())
	if !strings.Contains(watched(), "]0;evil") {
		t.Errorf("ctwatch saw nothing of it: %s", watched())
	}
	for _, log := range []string{"a.log", "a.audit"} {
		text, err := os.ReadFile(filepath.Join(z.Log, log))
		must(t, err)
		unpainted(t, log, string(text))
	}
	halted(t, z, "a")
}
