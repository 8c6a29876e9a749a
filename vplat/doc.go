// Package vplat is the virtual platform of a zone: what root file system, namespaces,
// mounts, devices, limits and identity a zone has.
//
// A zone's configuration becomes a Plan: an OCI runtime-spec Spec and the host-side steps
// around it. Build is pure: the same configuration and the same facts about the host give
// the same document, golden-tested and shown by `zoneadm plan`. Nothing else decides how a
// zone is built; vplat/oci carries a Plan out.
//
// A plan that was written down is read by Decode alone, which is strict.
//
// Where a promise of the plan holds, by who mounts what: a root step is carried out before
// the zone's mount namespace is made, so that it and its flags (read-only, nodev, nosuid) are
// locked even for a zone with CAP_SYS_ADMIN; a mount of the Spec is made inside, and such a
// zone can undo its flags. So what is both shifted into the zone's ids and read-only, and what
// the supervisor serves (/system/contract, /etc/mnttab), is always a root step.
//
// It promises nothing about a running zone. It is linked into zrun and zoneadm only: the
// resident programs do without it. No goroutines, no locks, no kernel calls but Probe's.
package vplat
