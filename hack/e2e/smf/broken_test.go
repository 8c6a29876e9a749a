package smf

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestStartdKilled: svc.startd is killed while clients write; nothing that was done is lost, and
// none of them notices.
func TestStartdKilled(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.put("/var/tmp/m.xml", manifest("site/m", "0"))
	z.in("svccfg import /var/tmp/m.xml")
	kills := testenv.Rounds(8, 3)
	// It takes as long as the kills do.
	clients := z.Cmd("zlogin", z.name, "n=0; until test -e /var/tmp/stop; do n=$((n+1)); svccfg -s m setprop app/port=$n || exit 1; test $(svcprop -c -p app/port m) = $n || exit 2; done; echo $n")
	var out, errs strings.Builder
	clients.Stdout, clients.Stderr = &out, &errs
	must(t, clients.Start())
	defer func() { _ = clients.Process.Kill() }()
	pids := map[string]bool{}
	for range kills {
		pid := z.startd()
		pids[pid] = true
		z.in("kill -9 " + pid)
		testenv.Eventually(t, func() bool { return z.try("pgrep -o svc.startd | grep -vx "+pid).exit == 0 }, "the next svc.startd")
	}
	z.in("touch /var/tmp/stop")
	_ = clients.Wait()
	s := said{out.String(), errs.String(), clients.ProcessState.ExitCode()}
	n, err := strconv.Atoi(strings.TrimSpace(s.out))
	if s.exit != 0 || err != nil || n < 1 || len(pids) != kills {
		t.Errorf("%d kills: %v", len(pids), s)
	}
	// An import is not done twice in one boot.
	if twice := z.in("cat /var/svc/log/svc.startd.log /var/svc/log/system-manifest-import:default.log | grep -o '/[^ ]*: imported$' | sort | uniq -d"); twice != "" {
		t.Errorf("imported twice: %s", twice)
	}
	t.Logf("%d kills, %d changes", kills, n)
}

// TestStartdsContract: svc.startd lives in a contract of init's, which inherits what it owns; after
// its death the next one has another, and the one before is not left over.
func TestStartdsContract(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	before := ""
	for i := range testenv.Rounds(6, 3) {
		pid := z.startd()
		var ids []string
		testenv.Eventually(t, func() bool {
			ids = strings.Fields(z.try("grep -lx 'svc_fmri svc:/system/svc/restarter:default' /system/contract/process/*/status | cut -d/ -f5").out)
			return len(ids) == 1 && ids[0] != before
		}, fmt.Sprintf("round %d: one contract, and another than %s", i, before))
		before = ids[0]
		status := z.in("cat /system/contract/process/" + before + "/status")
		for _, line := range []string{"holder 1", "state owned", "params inherit regent", "members " + pid, "initial " + pid + " " + z.started(pid)} {
			if !strings.Contains(status, line+"\n") {
				t.Errorf("round %d: %q is not in\n%s", i, line, status)
			}
		}
		z.in("kill -9 " + pid)
		testenv.Eventually(t, func() bool { return z.try("pgrep -o svc.startd | grep -vx "+pid).exit == 0 }, "the next svc.startd")
	}
}

// TestDamagedRepository: it is not replaced; the console says what is wrong and what to do, and
// doing that is all that is needed.
func TestDamagedRepository(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	console := z.Pty("zlogin", "-C", z.name)
	console.Expect(`\[Connected to zone 'a' console\]`)
	z.put("/var/tmp/m.xml", manifest("site/m", "80"))
	z.in("svccfg import /var/tmp/m.xml")
	z.Must("zoneadm", "-z", z.name, "reboot") // which makes a backup
	z.imported()
	z.says("restore_repository | sed 's/.*  //' | sort -u", 0, "good\n", "")
	z.in("svccfg -s m setprop app/port=81") // after the backup
	z.in("dd if=/dev/urandom of=/etc/svc/repository.db bs=4096 seek=4 count=40 conv=notrunc 2>/dev/null; sum /etc/svc/repository.db >/var/tmp/sum; kill -9 " + z.startd())
	found := console.Expect(`svc.startd: the repository cannot be used, and no service is: /etc/svc/repository.db is damaged: [^;]*; go back to a backup with: (/lib/svc/bin/restore_repository) (\S+)`)
	if s := z.try("svccfg list"); s.exit != 1 || !strings.Contains(s.err, "svccfg: Could not connect to repository server") {
		t.Errorf("%v", s)
	}
	z.in("sum /etc/svc/repository.db | cmp - /var/tmp/sum")
	console.Send("\r") // the shell on the console is there for this
	console.Expect(`[#$] `)
	console.Send(found[1] + " " + found[2] + "\r")
	console.Expect(`/etc/svc/repository.db is now what .* was`)
	console.Expect(`svc.startd: the repository can be used again`)
	z.says("svcprop -p app/port m:default", 0, "80\n", "")
	z.says("ls /etc/svc/repository-replaced-* | wc -l", 0, "1\n", "")
	console.Send("\r~.")
	console.Wait()
}
