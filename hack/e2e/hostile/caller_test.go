package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// nobody is a user without privilege.
const nobody = 65534

// asNobody runs a program of the instance without privilege.
func asNobody(t *testing.T, z *testenv.Zones, dir, program string, args ...string) said {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, program), args...)
	cmd.Env, cmd.Dir = z.Env(), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return said{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// TestUnprivileged: the programs themselves refuse, in the original's words, and lists work.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	dir := filepath.Join(z.Root, "bin") // open to everybody, as t.TempDir is not
	must(t, os.Mkdir(dir, 0o755))
	for _, program := range []string{"zoneadm", "zonecfg", "zlogin"} {
		b, err := os.ReadFile(filepath.Join(z.Bin, program))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, program), b, 0o755))
	}
	before := z.Status("web")
	for _, verb := range []string{"boot", "halt", "ready", "reboot", "shutdown", "install", "uninstall", "mark"} {
		args := []string{"-z", "web", verb}
		switch verb {
		case "uninstall":
			args = append(args, "-F")
		case "mark":
			args = append(args, "incomplete")
		}
		want := said{"", "zoneadm: zone 'web': only a privileged user may " + verb + " a zone.\n", 1}
		if got := asNobody(t, z, dir, "zoneadm", args...); got != want {
			t.Errorf("zoneadm %s: %v\nwant %v", verb, got, want)
		}
	}
	for _, list := range [][]string{{"list"}, {"list", "-cp"}, {"list", "-iv"}, {"-z", "web", "list", "-p"}} {
		want := z.Must("zoneadm", list...)
		// The identifier is in the index, which is root's.
		if got := asNobody(t, z, dir, "zoneadm", list...); got.exit != 0 || !sameList(got.out, want) {
			t.Errorf("zoneadm %q: %v\nroot sees %q", list, got, want)
		}
	}
	for _, c := range []struct {
		program string
		args    []string
	}{
		{"zonecfg", []string{"-z", "web", "set autoboot=true"}},
		{"zonecfg", []string{"-z", "web", "delete -F"}},
		{"zonecfg", []string{"-z", "new", "create; set zonepath=/x; commit"}},
		{"zlogin", []string{"web", "id"}},
		{"zlogin", []string{"-S", "web", "id"}},
		{"zlogin", []string{"-C", "web"}},
	} {
		if got := asNobody(t, z, dir, c.program, c.args...); got.exit != 1 || got.out != "" || !oneLine(got.err) {
			t.Errorf("%s %q: %v\nwant one line and exit 1", c.program, c.args, got)
		}
	}
	if after := z.Status("web"); after != before {
		t.Errorf("the zone was %+v and is %+v", before, after)
	}
}

func sameList(got, want string) bool {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(g) != len(w) {
		return false
	}
	for i := range g {
		if g[i] != w[i] && !strings.HasPrefix(w[i], strings.Split(g[i], "::")[0]) {
			return false
		}
	}
	return true
}

func oneLine(s string) bool { return strings.Count(s, "\n") == 1 && strings.HasSuffix(s, "\n") }

// refusals judges what an attacker printed who asked for everything.
func refusals(t *testing.T, who, output string) {
	t.Helper()
	asked := map[string]int{}
	for line := range strings.Lines(output) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), "frame ")
		if !found {
			continue
		}
		verb, body, _ := strings.Cut(rest, " ")
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Errorf("%s: %s: %q", who, verb, body)
			continue
		}
		asked[verb]++
		switch {
		case a.Type == "message" && a.Text == "insufficient privileges" && a.Key != "" && a.Level == "error":
		case a.Type == "result" && a.Rval == -1 && a.State == "":
		default:
			t.Errorf("%s: %s: answered %s", who, verb, body)
		}
	}
	for _, v := range verbs {
		if verb := v["verb"].(string); asked[verb] != 2 {
			t.Errorf("%s: %s: %d frames, want a message and a result:\n%s", who, verb, asked[verb], output)
		}
	}
}

// pidOf is what an attacker says of itself.
func pidOf(output string) int {
	for line := range strings.Lines(output) {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), "pid "); found {
			n, _ := strconv.Atoi(rest)
			return n
		}
	}
	return 0
}

// audited counts the refusals of a caller; pid 0 stands for any.
func audited(t *testing.T, z *testenv.Zones, zone string, uid uint32, pid int) int {
	n := 0
	for _, r := range audit(t, z, zone) {
		if r.Event == "refused" && r.UID == uid && (pid == 0 || r.Pid == pid) && strings.Contains(r.Why, "insufficient privileges") {
			n++
		}
	}
	return n
}

// idBase is the first host uid of a running zone.
func idBase(t *testing.T, z *testenv.Zones, zone string) uint32 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", z.Status(zone).Init.Pid))
	must(t, err)
	var in, out, count uint32
	if _, err := fmt.Sscan(string(text), &in, &out, &count); err != nil || in != 0 || count != 65536 {
		t.Fatalf("uid_map of the zone: %q %v", text, err)
	}
	return out
}

// TestCallers: the sockets are open to everybody, and every kind of caller that is not root
// on the host is refused, logged and audited.
func TestCallers(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web", "set ip-type=shared")
	open(t, z, "web")
	program, base, init := attacker(t, z), idBase(t, z, "web"), strconv.Itoa(z.Status("web").Init.Pid)
	zoneUID := strconv.Itoa(int(base))
	before := z.Status("web")
	for _, c := range []struct {
		name string
		uid  uint32
		with []string
		pid  bool // the number is the host's
	}{
		{"nobody", nobody, []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}, true},
		{"an id of the zone's range", base, []string{"setpriv", "--reuid", zoneUID, "--regid", zoneUID, "--clear-groups"}, true},
		{"root of another user namespace", 0, []string{"unshare", "--user", "--map-root-user"}, true},
		{"nobody, root of its own user namespace", nobody, []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "unshare", "--user", "--map-root-user"}, true},
		{"root of another pid namespace", 0, []string{"unshare", "--pid", "--fork"}, false},
		{"root in the zone's pid namespace", 0, []string{"nsenter", "--target", init, "--pid"}, false},
		{"the zone's root, by setns", base, []string{"nsenter", "--target", init, "--user", "--setuid", "0", "--setgid", "0"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := attack(t, "verbs", append(c.with, program, door(z, "web"))...)
			refusals(t, c.name, out)
			pid := pidOf(out)
			if !c.pid {
				pid = 0
			}
			testenv.Eventually(t, func() bool { return audited(t, z, "web", c.uid, pid) >= len(verbs) },
				fmt.Sprintf("%d refusals of uid %d, pid %d to be audited", len(verbs), c.uid, pid))
			if con := attack(t, "console", append(c.with, program, consoleOf(z, "web"))...); !strings.Contains(con, `console "" `) {
				t.Errorf("the console says %s", con)
			}
		})
	}
	testenv.Eventually(t, func() bool { return strings.Contains(logText(t, z, "web"), "insufficient privileges") }, "a refusal in the supervisor's log")
	if after := z.Status("web"); after != before {
		t.Errorf("the zone was %+v and is %+v", before, after)
	}
	// A caller on the host with a mount namespace of its own is on the host.
	out := attack(t, "verbs", "unshare", "--mount", program, door(z, "web"))
	if !strings.Contains(out, `frame ping {"type":"result","rval":0,"state":"running"}`) {
		t.Errorf("root with a private mount namespace: %s", out)
	}
}

// TestFromWithin: the sockets are mounted into the zone, which has the host's network stack.
func TestFromWithin(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("web", "set ip-type=shared")
	copyProgram(t, inside(z, "web", "/var/tmp/attacker"))
	for _, name := range []string{"door", "console"} {
		must(t, os.WriteFile(inside(z, "web", "/var/tmp/"+name), nil, 0o666))
	}
	silent(t, z, "web", "boot")
	closeAgain := open(t, z, "web")
	init := strconv.Itoa(z.Status("web").Init.Pid)
	for _, name := range []string{"door", "console"} {
		out := attack(t, "graft", "/proc/self/exe", filepath.Join(z.ZoneState("web"), name), init, "/var/tmp/"+name)
		if out != "" {
			t.Fatal(out)
		}
	}
	before, base := z.Status("web"), idBase(t, z, "web")
	for _, c := range []struct {
		user string
		uid  uint32
	}{{"root", base}, {"nobody", base + nobody}} {
		as := "setpriv --reuid " + c.user + " --clear-groups env " + roleVariable
		out, errs, exit := z.Zlogin("web", as+"=verbs /var/tmp/attacker /var/tmp/door")
		if exit != 0 {
			t.Fatalf("the attack itself failed: %v", said{out, errs, exit})
		}
		refusals(t, c.user+" in the zone", out)
		testenv.Eventually(t, func() bool { return audited(t, z, "web", c.uid, 0) >= len(verbs) }, "the refusals to be audited")
		if n := audited(t, z, "web", c.uid, 0); n != len(verbs) {
			t.Errorf("%d refusals of uid %d were audited, want %d", n, c.uid, len(verbs))
		}
		if out, _, _ := z.Zlogin("web", as+"=console /var/tmp/attacker /var/tmp/console"); !strings.Contains(out, `console "" `) {
			t.Errorf("the console says %s", out)
		}
	}
	if after := z.Status("web"); after != before {
		t.Errorf("the zone was %+v and is %+v", before, after)
	}
	if _, err := os.Stat(inside(z, "web", "/var/tmp/was-here")); err == nil {
		t.Error("a login was run for the attacker")
	}
	// The process numbers in the audit are the host's: each was a child of this zone.
	for _, r := range audit(t, z, "web") {
		if r.Event == "refused" && r.Pid <= 1 {
			t.Errorf("a refusal without a process: %+v", r)
		}
	}
	closeAgain()
	silent(t, z, "web", "halt")
}

// TestDoorsAreNotShared: the directory of the doors can not be given to a zone by its
// configuration, and neither can one above it.
func TestDoorsAreNotShared(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("web")
	for _, dir := range []string{z.State(), z.ZoneState("web"), z.Run, z.Root, "/", "/run", "/proc", "/sys", "/dev"} {
		z.Must("zonecfg", "-z", "web", "add fs; set dir=/srv/x; set special="+dir+"; set type=lofs; end")
		out, errs, exit := z.Zoneadm("-z", "web", "boot")
		if exit != 1 || out != "" || !strings.Contains(errs, dir) {
			t.Errorf("a zone with %s shared: %v", dir, said{out, errs, exit})
		}
		if s := listed(t, z, "web"); s != "installed" {
			t.Fatalf("the zone is %s", s)
		}
		z.Must("zonecfg", "-z", "web", "remove -F fs")
	}
	silent(t, z, "web", "boot")
}
