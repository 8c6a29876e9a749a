package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// The host sees the contracts of all zones, each with its zone, and one zone's on request; no
// server of the host's own contracts is started for that.
func TestContractsOfZones(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	z := testenv.Instance(t)
	for _, name := range []string{"a", "b"} {
		z.Sparse(name)
		z.Must("zoneadm", "-z", name, "boot")
	}
	type status struct {
		ID      int    `json:"ctid"`
		Zone    string `json:"zone"`
		Creator string `json:"creator"`
		Members []int  `json:"members"`
	}
	of := func(args ...string) map[string]status {
		t.Helper()
		byZone := map[string]status{}
		var list []status
		if err := json.Unmarshal([]byte(z.Must("ctstat", append([]string{"-o", "json"}, args...)...)), &list); err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			if one.Creator == "zsched" { // init and services have their own
				byZone[one.Zone] = one
			}
		}
		return byZone
	}
	all := of()
	if len(all) != 2 || all["a"].ID == all["b"].ID {
		t.Fatalf("the contracts are %v", all)
	}
	for name, st := range all {
		// The members have the host's numbers.
		if len(st.Members) == 0 || st.Members[0] != z.Status(name).Init.Pid {
			t.Errorf("zone %s: %+v", name, st)
		}
	}
	if only := of("-z", "b"); len(only) != 1 || only["b"].ID != all["b"].ID {
		t.Errorf("the contracts of b are %v", only)
	}

	watch := z.Pty("ctwatch", "-v")
	watch.Expect("SUMMARY")
	zombie := z.KillZoned("a") // who watches does not notice
	inside := strings.TrimSpace(z.Must("zlogin", "a", "ctrun -i exit -l child sh -c 'exit 7'; ctrun -i signal -l none sleep 1000; until pgrep -x sleep >/dev/null; do :; done; pkill -9 -x sleep; echo done"))
	if !strings.HasSuffix(inside, "done") {
		t.Fatalf("killed %d; the zone said %q", zombie, inside)
	}
	watch.Expect(`exited, code 7`)
	for _, want := range []string{`received a fatal signal`, `signal: +9 \(SIGKILL\)`, `sender pid: +\d+`, `sender ctid: +\d+`, `sender command: +pkill`, `sender zone: +a`} {
		watch.Expect(want)
	}
	watch.Send("\x03")
	watch.Wait()
	if text := watch.Output(); strings.Contains(strings.ToLower(text), "lost") {
		t.Errorf("events were lost:\n%s", text)
	}
	_, stderr, exit := z.RunInput("", "ctwatch", "2147483000")
	if exit == 0 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a contract that is not there: exit %d, %q", exit, stderr)
	}
	z.Must("zoneadm", "-z", "a", "halt")
	if left := of(); len(left) != 1 || left["b"].ID == 0 {
		t.Errorf("after the halt of a: %v", left)
	}
}
