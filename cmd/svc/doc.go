// Svc is the programs of the repository of services, by the name that it is called by: svccfg(8),
// svcadm(8), svcprop(1), svcs(1), and in a zone /lib/svc/bin's manifest-import, restore_repository,
// smtp-notify and repository-relay. Their logic is in svc/svccfg, svc/svcadm, svc/svcprop, svc/svcs,
// svc/bootimport, svc/repo, svc/smtpnotify and svc/repo/door/client.
//
// In a zone they talk to svc.startd at its door. On the host there is no repository, and svccfg,
// svcadm, svcprop and svcs take -z ZONE: a repository-relay in the zone, started by the zone's supervisor, passes on
// what is said (zoned/admin/stream), so that nothing below the zone's root is opened from outside.
package main
