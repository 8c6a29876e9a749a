package badinput

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestArguments: what a shell can get wrong.
func TestArguments(t *testing.T) {
	t.Parallel()
	z := zones(t)
	for _, c := range []bad{
		{"no subcommand", "zoneadm", []string{"-z", "old"}, "", 2, "usage"},
		{"unknown subcommand", "zoneadm", []string{"-z", "old", "frobnicate"}, "", 2, "frobnicate"},
		{"unknown option", "zoneadm", []string{"-q", "list"}, "", 2, "q"},
		{"option without its value", "zoneadm", []string{"-z"}, "", 2, "z"},
		{"unknown option of a subcommand", "zoneadm", []string{"-z", "old", "boot", "-q"}, "", 2, "q"},
		{"operand too many", "zoneadm", []string{"-z", "old", "halt", "now"}, "", 2, "now"},
		{"no zone", "zoneadm", []string{"boot"}, "", 1, "no zone specified"},
		{"unknown zone", "zoneadm", []string{"-z", "nosuch", "boot"}, "", 1, "nosuch"},
		{"empty zone name", "zoneadm", []string{"-z", "", "boot"}, "", 1, "no zone specified"},
		{"a name that climbs", "zoneadm", []string{"-z", "../../etc", "boot"}, "", 2, "../../etc"},
		{"a name that paints", "zoneadm", []string{"-z", "a\x1b[2J\nb", "boot"}, "", 2, ""},
		{"a name of a book", "zoneadm", []string{"-z", strings.Repeat("a", 5000), "boot"}, "", 2, ""},
		{"the global zone", "zoneadm", []string{"-z", "global", "halt"}, "", 1, "global zone"},
		{"a reserved name", "zoneadm", []string{"-z", "SUNWx", "boot"}, "", 1, "SUNW"},
		{"-p with -v", "zoneadm", []string{"list", "-p", "-v"}, "", 2, ""},
		{"unknown format", "zoneadm", []string{"list", "-o", "yaml"}, "", 2, "yaml"},
		{"an identifier of nobody", "zoneadm", []string{"-u", "not-a-uuid", "boot"}, "", 1, ""},
		{"mark as something", "zoneadm", []string{"-z", "old", "mark", "finished"}, "", 2, "finished"},
		{"help for nothing", "zoneadm", []string{"help", "frobnicate"}, "", 2, "frobnicate"},
		{"boot arguments of a book", "zoneadm", []string{"-z", "old", "boot", "--", "-m", strings.Repeat("x", 300)}, "", 1, "boot argument string too long"},
		{"an init that is not there", "zoneadm", []string{"-z", "old", "boot", "--", "-i", "/nonexistent"}, "", 1, "could not stat /nonexistent"},
		{"zlogin to nowhere", "zlogin", nil, "", 2, "usage"},
		{"zlogin: unknown zone", "zlogin", []string{"nosuch", "id"}, "", 1, "zone 'nosuch' unknown"},
		{"zlogin: the global zone", "zlogin", []string{"global", "id"}, "", 1, "'global' not applicable to the global zone"},
		{"zlogin: console with a command", "zlogin", []string{"-C", "up", "id"}, "", 2, ""},
		{"zlogin: -d without -C", "zlogin", []string{"-d", "up"}, "", 2, "-d may only be specified with console login"},
		{"zlogin: -S with -l", "zlogin", []string{"-S", "-l", "root", "up"}, "", 2, ""},
		{"zlogin: an escape of two", "zlogin", []string{"-e", "ab", "up"}, "", 2, ""},
		{"zlogin: not running", "zlogin", []string{"old", "id"}, "", 1, "login allowed only to running zones (old is 'installed')."},
		{"zlogin: configured", "zlogin", []string{"-C", "new"}, "", 1, ""},
		{"zlogin: unknown user", "zlogin", []string{"-l", "mallory", "up", "id"}, "", 1, "mallory"},
		{"zlogin: a user that paints", "zlogin", []string{"-l", "\x1b]0;x\a", "up", "id"}, "", 1, ""},
	} {
		check(t, z, c)
	}
}

// TestStates: what a zone's state forbids.
func TestStates(t *testing.T) {
	t.Parallel()
	z := zones(t)
	for _, c := range []struct{ zone, verb, want string }{
		{"new", "boot", "must be installed before boot."},
		{"new", "ready", "must be installed before ready."},
		{"new", "halt", "halt operation is invalid"},
		{"new", "reboot", "not running"},
		{"new", "uninstall -F", "is already in state 'configured'."},
		{"half", "boot", "must be installed before boot."},
		{"half", "install", "zone is incomplete; uninstall required."},
		{"half", "verify", "zone is incomplete; uninstall required."},
		{"old", "install", "is already installed."},
		{"old", "uninstall", "-F"},
		{"old", "reboot", "not running"},
		{"old", "shutdown", "not running"},
		{"up", "install", "install operation is invalid for running zones."},
		{"up", "uninstall -F", "uninstall operation is invalid for running zones."},
	} {
		check(t, z, bad{c.zone + " " + c.verb, "zoneadm", append([]string{"-z", c.zone}, strings.Fields(c.verb)...), "", 1, c.want})
	}
	for _, c := range []bad{
		{"delete an installed zone", "zonecfg", []string{"-z", "old", "delete -F"}, "", 1, ""},
		{"delete a running zone", "zonecfg", []string{"-z", "up", "delete -F"}, "", 1, ""},
		{"move an installed zone", "zonecfg", []string{"-z", "old", "set zonepath=/elsewhere"}, "", 1, "zonepath"},
		{"rename a running zone", "zonecfg", []string{"-z", "up", "set zonename=down"}, "", 1, ""},
		{"create over a zone", "zonecfg", []string{"-z", "old", "create"}, "", 1, ""},
	} {
		check(t, z, c)
	}
}

// TestConfigurations: what zonecfg must not take.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	z := zones(t)
	const zone = "new"
	for _, c := range []struct{ command, want string }{
		{"set autoboot=maybe", "autoboot"},
		{"set brand=nosuch", "nosuch"},
		{"set ip-type=both", "ip-type"},
		{"set zonepath=relative/path", "zonepath"},
		{"set zonepath=/", "zonepath"},
		{"set limitpriv=default,no_such_priv", "no_such_priv"},
		{"set limitpriv=default,!proc_fork", "proc_fork"},
		{"set nosuch=1", "nosuch"},
		{"set", "set"},
		{"set autoboot", "set"},
		{"add nosuch", "nosuch"},
		{"add fs; set dir=relative; set special=/x; set type=lofs; end", "dir"},
		{"add fs; set dir=/x; end", "special"},
		{"add fs; set dir=/x; set special=/y; set type=lofs; set nosuch=1; end", "nosuch"},
		{"add rctl; set name=zone.cpu-shares; add value (priv=privileged,limit=many,action=none); end", "limit"},
		{"add net; set physical=; end", ""},
		{"add attr; set name=a b; set type=string; set value=c; end", ""},
		{"add attr; set name=x; set type=colour; set value=red; end", "type"},
		{"select fs dir=/nowhere", "fs"},
		{"remove fs dir=/nowhere", "fs"},
		{"end", "end"},
		{"cancel", "cancel"},
		{"frobnicate", "frobnicate"},
		{"set bootargs=\"unfinished", ""},
		{"info nosuch", "nosuch"},
		{"clear zonepath", "zonepath"},
		{"export -f /nonexistent/dir/file", "/nonexistent"},
		{"set hostid=zz", "hostid"},
	} {
		exit := 1
		check(t, z, bad{c.command, "zonecfg", []string{"-z", zone, c.command}, "", exit, c.want})
	}
	file := filepath.Join(t.TempDir(), "commands")
	for name, text := range map[string]string{
		"a syntax error":    "set autoboot=true\nset (\n",
		"a bad value":       "set autoboot=true\nset ip-type=neither\n",
		"binary":            "\x00\x01\x02\xff\n",
		"an unknown word":   "set autoboot=true\nfrobnicate\n",
		"half a resource":   "add fs\nset dir=/x\n",
		"a very long line":  "set bootargs=" + strings.Repeat("x", 1<<20) + "\n",
		"a foreign command": "set autoboot=true\nrm -rf /\n",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o644))
		check(t, z, bad{"a file with " + name, "zonecfg", []string{"-z", zone, "-f", file}, "", 1, ""})
	}
	for _, c := range []bad{
		{"a file that is not there", "zonecfg", []string{"-z", zone, "-f", "/nonexistent"}, "", 1, "/nonexistent"},
		{"a directory for a file", "zonecfg", []string{"-z", zone, "-f", "/"}, "", 1, "/"},
		{"no zone", "zonecfg", []string{"info"}, "", 2, ""},
		{"an unknown option", "zonecfg", []string{"-z", zone, "-q"}, "", 2, ""},
		{"a bad name", "zonecfg", []string{"-z", "a/b", "create"}, "", 2, "a/b"},
		{"a reserved name", "zonecfg", []string{"-z", "SUNWx", "create"}, "", 2, "SUNW"},
		{"a property that the global zone has not", "zonecfg", []string{"-z", "global", "set autoboot=true"}, "", 1, "global zone"},
		{"a long name", "zonecfg", []string{"-z", strings.Repeat("z", 65), "create"}, "", 2, "Bogus zone name"},
		{"a template that is not there", "zonecfg", []string{"-z", "fresh", "create -t nosuch"}, "", 1, "nosuch"},
		{"a zone that is not there", "zonecfg", []string{"-z", "fresh", "info"}, "", 1, "fresh: No such zone configured"},
		{"a zonepath of another zone", "zonecfg", []string{"-z", "fresh", "create; set zonepath=" + z.ZonePath("old")}, "", 1, "zonepath"},
	} {
		check(t, z, c)
	}
}
