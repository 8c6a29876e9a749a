package smf

import (
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestFirstBootToSingleUser: a zone whose first boot ends at single-user has what its profile enables
// disabled until the milestone is left. The milestone of the boot does not come back, whoever is killed
// meanwhile.
func TestFirstBootToSingleUser(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := &zone{testenv.Instance(t), t, "a"}
	z.Sparse(z.name)
	z.Must("zoneadm", "-z", z.name, "boot", "--", "-s")
	z.imported()
	online := func(what string) {
		t.Helper()
		testenv.Eventually(t, func() bool { return z.try("svcs -H -o state "+what).out == "online\n" }, what+" to be online")
	}
	online("milestone/single-user")
	if got := z.in("svcprop -c -p general/enabled cron"); got != "true\n" {
		t.Errorf("the profile leaves cron %s", got)
	}
	// Outside of the milestone; what is inside may come after it.
	z.settles("svcs -H -o state cron multi-user; svcs -l cron | grep enabled", "disabled\ndisabled\nenabled      false (temporary)\n")
	z.settles("svcs -H -o state,inst 'svc:/*' | grep offline; true", "")
	z.in("svcadm milestone all; kill -9 " + z.startd())
	online("cron")
	online("multi-user-server")
	z.in("svcadm milestone -d all; kill -9 " + z.startd())
	testenv.Eventually(t, func() bool { return z.try("svcadm restart cron").exit == 0 }, "the next svc.startd")
	online("multi-user-server")
	z.settles("svcs -H -o state,fmri | grep -v '^online'; svcprop -c -p options/milestone restarter", "all\n")
}
