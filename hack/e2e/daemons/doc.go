// Package daemons runs daemons of the distribution as services of a zone: nginx, PostgreSQL,
// Redis, sshd and cron, unmodified, with the manifests that a zone comes with. There is nothing
// in it but tests, and one zone for all of them.
//
//	rig_test.go      the zone, and what it knows of a service: its own word and the kernel's
//	shell_test.go    commands in the zone
//	life_test.go     start, refresh, crashes, stop, upgrade of the manifest, of each at once
//	crash_test.go    a crash, and what has to come of it
//	nginx_test.go    and the others: what is peculiar to each
//	deps_test.go     hack/deps.sh installs the packages, and starts none of them on the host
//	end_test.go      svc.startd killed under all of them; the zone halted, and booted again
//
// A daemon runs when it answers on its port or socket, and its contract has those members that
// the kernel has in the contract's cgroup. It was started as often as it had a cause to be.
package daemons
