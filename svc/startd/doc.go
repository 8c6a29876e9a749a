// Package startd is svc.startd(8): the process of a zone that holds the repository of services,
// serves it to all others, and runs the services (svc/restarter). init starts it, and again when it
// ends.
//
// It opens the repository, keeps a backup of it once in a boot, serves the door, and has the
// manifests of /lib/svc/manifest imported before it runs anything, by another program (what it takes
// is not kept by a process that stays). Those of /var/svc/manifest and the profiles are imported by
// a service, system/manifest-import, which others wait for.
//
// It promises:
//   - Killed at any instant, nothing of the repository is lost, and the next one goes on with the
//     steps of the boot that are not done: a mark on the volatile file system stands for each.
//   - A repository that cannot be used is never replaced. What is wrong, and what to do, is said
//     on the console and in the log, once, and it is tried again when one of its files has
//     changed, or after retryMax. The console's shell is init's.
//   - An import that fails, or never ends, stops nothing: it is told, and is killed at importMax.
//     It does not outlive its svc.startd.
//   - A console that nobody reads holds nothing up but for a moment.
//
// What it says goes to /var/svc/log/svc.startd.log, as long as /var cannot be written to the
// volatile file system, and to the console what a person must do something about.
//
// When the zone goes down (init says so, by a signal or with --down), nothing is started or imported
// any more, all services are stopped, and it ends with 0.
//
// Services are run as soon as the early import is done. Where there are no contracts (no zone's
// supervisor) the repository is served, and nothing is run. What runs services and fails is begun
// again, and goes on with what is there.
//
// It has boots, run levels and shutdowns recorded (svc/utmp), and leaves what people are to be told of for
// smtp-notify (svc/outbox); it waits for neither.
//
// Goroutines: the main one; that of the records; one that waits for the zone to go down; those of the door's server and of the restarter; one that waits for
// signals. Services go on when it ends. Close of the restarter, then of the server, then of the repository: SIGTERM ends it so, within seconds. Who may call: cmd/startd.
//
// Source of behaviour: svc.startd(8), svc.configd(8), smf_bootstrap(7).
package startd
