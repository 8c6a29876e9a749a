/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The maps, and how much they hold. */
#ifndef ZONES_MAPS_H
#define ZONES_MAPS_H

#include "collector.h"

/* How many contracts there may be on a host; a bucket takes 16 bytes, an entry 160 when used. */
enum { CONTRACTS_MAX = 32768 };
enum { ZONES_MAX = 8192 };
/* How many members there may be on a host, a power of two. The loader takes the host's numbers
 * of processes, as far as its memory could hold so many (load.go). */
enum { PROCS_MAX = 4096 };
/* Ends of processes that no note was made of, to tell of each once. */
enum { DEAD_MAX = 1024 };

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	UINT(max_entries, CONTRACTS_MAX);
	TYPE(key, u64);
	TYPE(value, struct contract);
} contracts SEC(".maps");

struct ring {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096); /* each zone's has its own size */
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	UINT(max_entries, ZONES_MAX);
	TYPE(key, u64);
	UINT(value_size, 4);
	__attribute__((unused)) struct ring *values[];
} zones SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	UINT(max_entries, ZONES_MAX);
	TYPE(key, u64);
	TYPE(value, struct user);
} users SEC(".maps");

/*
 * A note of a member: the contract in which it was counted. Its state, with the start of the
 * process beside it, decides between threads that both see that no thread is left, and
 * between the end and a move: who changes it tells. A note may become another process's
 * between a look and the change: then the start is another, and the change fails.
 */
enum { LIVE = 1, MOVING, ENDED };
/* It has an entry in senders; there was no place for one. */
enum { KEPT = 1, MISSED = 2 };

struct note {
	u64 state; /* start_boottime << 2 | LIVE, MOVING or ENDED; 0 in a place that is free */
	u64 contract;
	u32 signalled; /* bits of KEPT and MISSED */
	u32 pad;
};

/* A note's place is given by the process's number. To allocate each, or to hash, would double
 * what a birth in a contract costs. */
struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, PROCS_MAX);
	TYPE(key, u32);
	TYPE(value, struct note);
} notes SEC(".maps");

/* Notes of whom the place is taken, by the address of the signal_struct: only where there are
 * more numbers than places. */
struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	UINT(max_entries, PROCS_MAX);
	TYPE(key, u64);
	TYPE(value, struct note);
} crowd SEC(".maps");

/* Who sent a member signals that can kill: SIGKILL has slot 0, the others the rest (slot_of).
 * Written with the member's siglock held, read at its end. All members may have an entry, or
 * one zone's could take the place of another's. */
enum { SLOTS = 17 };

struct senders {
	struct sender slot[SLOTS];
	u64 kept;    /* signals that have a slot, besides SIGKILL */
	u32 used;    /* slots */
	u32 missed;  /* there was no slot for one */
	u8 at[64];   /* a signal's slot, by its number less one */
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	UINT(max_entries, PROCS_MAX);
	TYPE(key, u64);
	TYPE(value, struct senders);
} senders SEC(".maps");

static const struct senders no_senders;

struct deadkey {
	u64 signal;
	u64 start;
};

struct {
	UINT(type, BPF_MAP_TYPE_LRU_HASH);
	UINT(max_entries, DEAD_MAX);
	TYPE(key, struct deadkey);
	TYPE(value, u8);
} dead SEC(".maps");

/* The number of places for notes less one, by the loader. */
const volatile u32 places_mask = PROCS_MAX - 1;
/* At which levels contracts live, plus one; 0 ends the list. */
static volatile u32 levels[LEVELS_MAX];
/* Whether a note ever had no place of its own, and whether one could not be made at all. */
static volatile u32 crowded;
static volatile u32 unsure;

#endif
