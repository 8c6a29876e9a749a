// Package smf holds the services that a zone of brand sparse or whole comes with. It is files,
// which are laid out as they stand in a zone, and the tests that hold them together:
//
//	manifest/  /lib/svc/manifest      manifests: milestones, file systems, network, daemons
//	method/    /lib/svc/method        what starts them; POSIX sh
//	share/     /lib/svc/share         smf_include.sh, and what the methods need beside it
//	profile/   /etc/svc/profile       what is enabled when a zone boots for the first time
//
// Names of services and instances, and what depends on what, are the original's, since
// manifests of others depend on them. Where the platform has done the work before init (mounts,
// the host name, devices, addresses) the service is there and its method is :true. Sentences
// and code are ours.
//
// A daemon is what is installed: rsyslogd, syslog-ng or a syslogd; cron or crond; sshd, nginx,
// PostgreSQL, Redis or Valkey. In a sparse zone it is the host's program, without a configuration,
// for which share/ has one, and without the directories that its package's installation makes, which
// system/filesystem/daemons does. Where there is no daemon, the method says so in one line of the
// service's log and ends with SMF_EXIT_ERR_CONFIG, which is maintenance. What waits for those
// services waits as for what is optional, so a zone without any daemon still has its console and
// reaches its milestones.
//
// The methods promise: nothing of what root of a zone can put in the place of a file makes them
// wait or write elsewhere; a missing or wrong configuration is named; a daemon's stale pid file
// does not keep it from starting; no daemon inherits the environment of a method; a refresh with
// a wrong configuration leaves a daemon as it is, and is no failure.
//
// share/smf_include.sh is for everybody's methods, share/zone_include.sh for ours alone.
//
// Source of behaviour: smf(7), smf_method(7), smf_bootstrap(7), service_bundle(5).
//
// Nothing here runs in a program of ours: no goroutines, no locks.
package smf
