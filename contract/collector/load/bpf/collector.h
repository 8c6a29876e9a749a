/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The layout of maps and records, which the reader in Go knows too (record.go, contract.go).
 * A change here is a new version (Version in collector.go).
 */
#ifndef ZONES_COLLECTOR_H
#define ZONES_COLLECTOR_H

#include "kernel.h"

/* Kinds of records. */
enum { FORK = 1, EXIT, EMPTY, SIGNAL, CORE, HWERR, LEFT };
/* Flags of a record. */
enum { MOVED = 1, FIRST = 2, ADOPTED = 4 };
/* Kinds of senders. */
enum { NO_SENDER, FROM_PROCESS, FROM_KERNEL, FROM_OOM, FROM_CONTRACT };
/* Never told: there was a sender, and no place to keep it. */
enum { UNKEPT = 0xff };
/* Bits of what is wanted, those of contract.Events. */
enum { WANT_FORK = 2, WANT_EXIT = 4, WANT_CORE = 8, WANT_SIGNAL = 0x10, WANT_HWERR = 0x20 };
/* Flags of a contract. */
enum { SUPERVISOR = 1, UNSURE = 2 };
/* Operations of the program control. */
enum { OP_LEVELS = 1, OP_ADD_LEVEL, OP_WANT };

enum { LEVELS_MAX = 4 };

struct sender {
	u64 zone;
	u64 start; /* nanoseconds since boot */
	u32 ct;
	s32 pid;
	s32 zpid;
	u32 uid;
	s32 code;
	u8 kind;
	u8 sig;
	u8 pad[2];
	u64 time; /* when it was sent, nanoseconds since boot */
	char comm[16];
};

struct shortrec {
	u8 kind;
	u8 flags;
	u16 sig;
	u32 ct;
	u64 time;
	u64 start;
	s32 pid;
	s32 zpid;
	union {
		s32 ppid; /* of FORK */
		u32 euid; /* of all others */
	};
	s32 zppid;
	s32 pgrp;
	u32 status;
	u64 dest;
};

struct longrec {
	struct shortrec head;
	struct sender sender;
};

/* Of contracts: by the id of the cgroup. The reader writes the first seven fields when it
 * makes one, want and critical through control; the rest is the programs'. */
struct contract {
	u64 zone;
	u32 ct;
	u32 flags;
	u32 want;
	u32 critical;
	u32 pid_level; /* of the supervisor's pid namespace; the zone's is one below */
	u32 pid_ns;    /* its inode number */
	s64 members;
	u64 forks;
	u64 exits;
	u64 lost;
	u64 lost_critical;
	u64 quiet; /* until when the zone's reader need not be woken, as far as is known; or CROWDED */
	/* The last member killed by a signal of known sender. killer_lock: being written. */
	u32 killer_lock;
	u32 killer_seq;
	s32 killer_sig;
	s32 killer_pid;
	struct sender killer;
};

/* In quiet: the ring is half full. */
enum { CROWDED = 1 };

/* Of users: by the id of the zone's cgroup. */
struct user {
	u64 lost;
	u64 lost_critical;
	u64 woken; /* when the zone's reader was woken last, and how long it is then left alone */
	u64 pace;
	u64 at; /* how far the ring was written then */
};

_Static_assert(sizeof(struct sender) == 64, "layout");
_Static_assert(sizeof(struct shortrec) == 56, "layout");
_Static_assert(sizeof(struct longrec) == 120, "layout");
_Static_assert(sizeof(struct contract) == 160, "layout");

#endif
