// Package load loads the collector's BPF programs into the kernel, attaches them and pins them
// below a bpffs directory, where package collector finds them. It links cilium/ebpf, which
// takes some ten megabytes when it works, so only the short-lived zrun imports it.
//
// bpf/collector.o is compiled from bpf/collector.c by `make bpf` and kept beside it, so that a
// build needs no compiler for BPF; a test compiles it again and compares. It fits every kernel
// from 6.1 on that has BTF: the loader fills in the places of the fields that it reads.
//
// Loading twice, or at the same time, does nothing: who comes second waits (flock on the
// directory) and finds it done. A loader that dies leaves what the next one clears away.
package load
