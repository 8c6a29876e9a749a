package smf

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestFromHost: the same commands with -z, whose files are the host's.
func TestFromHost(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	file := filepath.Join(t.TempDir(), "m.xml")
	must(t, os.WriteFile(file, []byte(manifest("site/m", "80")), 0o644))
	for _, c := range []struct {
		program   string
		args      string
		exit      int
		out, errs string
	}{
		{"svccfg", "-z a import " + file, 0, "", ""},
		{"svcprop", "-z a -p app/port m", 0, "80\n", ""},
		{"svccfg", "-z a -s m setprop app/port=82", 0, "", ""},
		{"svcprop", "-z a -c -p app/port m:default", 0, "82\n", ""},
		{"svcprop", "-z a -p app/none m", 1, "", "svcprop: Couldn't find property `app/none' for instance `svc:/site/m:default'.\n"},
		{"svccfg", "-z none list", 1, "", "svccfg: Could not connect to repository server: zone 'none' unknown.\n"},
		{"svccfg", "-z", 2, "", "Usage:\tsvccfg [-v] [-z zone] [-s FMRI] [-f file]\n\tsvccfg [-v] [-z zone] [-s FMRI] <command> [args]\n"},
		{"svccfg", "-s m -z a listprop app/port", 0, "app/port  integer  82\n", ""},
		{"svccfg", "list", 1, "", "svccfg: Could not connect to repository server: this host has no repository of services, its zones have: try -z ZONE.\n"},
	} {
		if s := z.host(c.program, strings.Fields(c.args)...); s != (said{c.out, c.errs, c.exit}) {
			t.Errorf("%s %s: %v\nwant exit %d, %q, %q", c.program, c.args, s, c.exit, c.out, c.errs)
		}
	}
	// What a zone has in its values does not get to the administrator's terminal as it is.
	z.in(`svccfg -s m addpropvalue app/title astring: "$(printf '\033]0;evil\007\302\233')"`)
	for _, args := range [][]string{{"svcprop", "-z", "a", "-c", "-p", "app/title", "m:default"}, {"svccfg", "-z", "a", "-s", "m", "listprop", "app/title"}} {
		p := z.Pty(args[0], args[1:]...)
		p.Expect(`\]0\\?;evil`)
		if p.Wait(); strings.ContainsAny(p.Output(), "\x1b\x07") || strings.Contains(p.Output(), "\u009b") {
			t.Errorf("%q: %q", args, p.Output())
		}
		if s := z.host(args[0], args[1:]...); !strings.Contains(s.out, "\x1b") {
			t.Errorf("%q: what is no terminal's is changed: %v", args, s)
		}
	}
	// Nothing stays in the zone of who looked.
	testenv.Eventually(t, func() bool { return z.try("pgrep -f repository-relay").exit == 1 }, "no relay to be left")
	// A supervisor that dies meanwhile is nothing to who is connected.
	cmd := z.Cmd("svccfg", "-z", "a")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer cmd.Process.Kill()
	answers := bufio.NewScanner(out)
	for range 3 {
		_, err := in.Write([]byte("list site/m\n"))
		must(t, err)
		if !answers.Scan() || answers.Text() != "site/m" {
			t.Fatalf("%q", answers.Text())
		}
		dead := z.KillZoned("a")
		testenv.Eventually(t, func() bool { return z.Status("a").Zoned.Pid != dead }, "the next supervisor")
	}
	must(t, in.Close())
	must(t, cmd.Wait())
	waitFromHost(t, z)
	z.Must("zoneadm", "-z", "a", "halt")
	if s := z.host("svccfg", "-z", "a", "list"); s.exit != 1 || !strings.Contains(s.err, "zone 'a' is installed, and has a repository that is served when it is running") {
		t.Errorf("%v", s)
	}
}

// waitFromHost: svcprop -w hears of a change.
func waitFromHost(t *testing.T, z *zone) {
	t.Helper()
	done := make(chan said, 1)
	go func() { done <- z.host("svcprop", "-z", "a", "-w", "-p", "general", "svc:/site/m:default") }()
	for value := true; ; value = !value { // it may have begun after a change
		select {
		case s := <-done:
			if s.exit != 0 || !strings.Contains(s.out, "enabled boolean") {
				t.Errorf("%v", s)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
		z.Must("svccfg", "-z", "a", "-s", "m:default", "setprop", "general/enabled="+strconv.FormatBool(value))
	}
}

var isManifest = regexp.MustCompile(`<service_bundle[^>]*type=.manifest`)

// TestRealManifests: others' manifests, unmodified, go in from the host, and what comes out goes in
// again and is the same.
func TestRealManifests(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	dir := filepath.Join(testenv.Root(t), "../shared/manifests")
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Join(testenv.Root(t), "configs/smf/manifest") // ours, where there are no others
	}
	z := sparse(t)
	var files []string
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		text, err := os.ReadFile(path)
		// Some are no documents yet: what builds them fills in $(NAME).
		if isManifest.Match(text) && !bytes.Contains(text, []byte("$(")) {
			files = append(files, path)
		}
		return err
	}))
	script := filepath.Join(t.TempDir(), "script")
	must(t, os.WriteFile(script, []byte("import "+strings.Join(files, "\nimport ")+"\n"), 0o644))
	if s := z.host("svccfg", "-z", "a", "-f", script); s.exit != 0 {
		t.Fatalf("%v", s)
	}
	names := strings.Fields(z.Must("svccfg", "-z", "a", "list", "*"))
	if len(names) < len(files)/2 {
		t.Fatalf("%d services of %d manifests", len(names), len(files))
	}
	before := z.in("svccfg archive")
	z.in("svccfg archive >/var/tmp/all.xml && svccfg restore /var/tmp/all.xml")
	if after := z.in("svccfg archive"); after != before {
		t.Errorf("restored from its archive it has another one: %d and %d bytes", len(before), len(after))
	}
	t.Logf("%d manifests, %d services, an archive of %d bytes", len(files), len(names), len(before))
}
