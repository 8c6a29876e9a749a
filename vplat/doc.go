// Package vplat is the virtual platform of a zone: what root file system, namespaces,
// mounts, devices, limits and identity a zone has.
//
// A zone's configuration becomes a Plan: an OCI runtime-spec Spec and the host-side steps
// around it. Build is pure: the same configuration and the same facts about the host give
// the same document, golden-tested and shown by `zoneadm plan`. Nothing else decides how a
// zone is built; vplat/oci carries a Plan out.
//
// It promises nothing about a running zone. It is linked into zrun and zoneadm only: the
// resident programs do without it. No goroutines, no locks, no kernel calls but Probe's.
package vplat
