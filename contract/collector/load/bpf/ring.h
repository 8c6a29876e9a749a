/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Records on their way to the reader. */
#ifndef ZONES_RING_H
#define ZONES_RING_H

#include "task.h"

/* lose counts a record that had no place. */
APART void lose(struct contract *c, int critical)
{
	u64 zone = c->zone;
	struct user *u = map_lookup(&users, &zone);

	__sync_fetch_and_add(critical ? &c->lost_critical : &c->lost, 1);
	if (u)
		__sync_fetch_and_add(critical ? &u->lost_critical : &u->lost, 1);
}

/* place gives room in the ring of the contract's zone, or counts the loss. What is not
 * critical leaves a quarter free for what is. The first member's birth is critical, since
 * who gives birth waits for it. */
#define PLACE(c, size, critical)                                                               \
	({                                                                                     \
		void *_to = NULL, *_ring;                                                      \
		u64 _zone = (c)->zone;                                                         \
		_ring = map_lookup(&zones, &_zone);                                            \
		if (_ring && ((critical) || has_room(_ring, c, size)))                            \
			_to = ringbuf_reserve(_ring, size, 0);                                 \
		if (!_to)                                                                      \
			lose(c, critical);                                                     \
		_to;                                                                           \
	})

enum { HEADER = 8 };

INLINE int has_room(void *ring, struct contract *c, u32 size)
{
	u64 bytes = ringbuf_query(ring, BPF_RB_RING_SIZE);
	u64 used = ringbuf_query(ring, BPF_RB_AVAIL_DATA);

	if (used > bytes / 2)
		c->quiet = CROWDED;
	return used + size + HEADER <= bytes - bytes / 4;
}

/* How long a woken reader is left alone, but for what is critical: to wake somebody costs more
 * than all the rest of a record. It is longer while many records keep coming, at least one in
 * BUSY_NS, and the shortest when the ring is half full. The reader looks again by itself when
 * it is over (ring.go). */
enum { PACE_MIN = 1000000, PACE_MAX = 32000000, BUSY_NS = 500000 };

/* pace is how long a reader that is woken now is left alone. */
INLINE u64 pace(struct user *u, u64 zone, s64 since)
{
	void *ring = map_lookup(&zones, &zone);
	u64 at = ring ? ringbuf_query(ring, BPF_RB_PROD_POS) : 0;
	u64 records = (at - u->at) / (sizeof(struct shortrec) + HEADER);

	u->at = at;
	if (since > (s64)(records * BUSY_NS))
		return PACE_MIN;
	return u->pace < PACE_MAX / 4 ? 4 * u->pace : PACE_MAX;
}

/* submit hands a record over. It was reserved before its time was taken: so a reader that
 * looks when the zone's quiet is over finds it, or finds it being written. */
APART void submit(struct contract *c, struct shortrec *r, int critical)
{
	u64 now = r->time, zone = c->zone, how = BPF_RB_FORCE_WAKEUP;
	u64 quiet = c->quiet;
	struct user *u;
	s64 since, least;

	if (!critical && now < quiet) {
		how = BPF_RB_NO_WAKEUP;
		goto out;
	}
	u = map_lookup(&users, &zone);
	if (!u)
		goto out;
	since = now - u->woken;
	least = quiet == CROWDED ? PACE_MIN : u->pace;
	if (since >= least) {
		u->pace = pace(u, zone, since);
		u->woken = now;
	} else if (!critical) {
		how = BPF_RB_NO_WAKEUP;
	}
	c->quiet = u->woken + u->pace;
out:
	ringbuf_submit(r, how);
}

APART void fill(struct shortrec *r, struct contract *c, struct who *w, u8 kind, u8 flags)
{
	u32 level = c->pid_level, inum = c->pid_ns;
	struct signal_struct *signal = w->signal;
	struct numbers n;

	r->kind = kind;
	r->flags = flags;
	r->sig = 0;
	r->ct = c->ct;
	r->time = ktime_get_boot_ns();
	r->start = w->start;
	numbers_of(pid_of(signal), level, inum, &n);
	r->pid = n.host;
	r->zpid = n.zone;
	r->status = 0;
	r->dest = 0;
	if (kind == FORK) {
		struct task_struct *parent = READ(w->leader, real_parent);

		numbers_of(pid_of(READ(parent, signal)), level, inum, &n);
		r->ppid = n.host;
		r->zppid = n.zone;
		r->pgrp = 0; /* as its parent is */
	} else {
		struct cred *cred = READ(w->leader, cred);

		r->euid = READ(cred, euid.val);
		r->zppid = 0;
		numbers_of(READ(signal, pids[PIDTYPE_PGID]), level, inum, &n);
		r->pgrp = n.host;
	}
}

/* describe says who current is, to a reader of contract c; ns is the pid namespace of the
 * contract's zone. */
APART void describe(struct sender *s, struct contract *c, struct pid_namespace *ns)
{
	struct task_struct *me = get_current_task_btf();
	struct task_struct *leader = READ(me, group_leader);
	struct cgroup *cgrp = cgroup_of(me);
	struct contract *mine;
	struct numbers n;
	u64 key = 0;

	numbers_of(pid_of(READ(me, signal)), c->pid_level, c->pid_ns, &n);
	s->pid = n.host;
	s->zpid = n.ns == ns ? n.zone : 0;
	s->start = READ(leader, start_boottime);
	s->uid = get_current_uid_gid();
	s->kind = FROM_PROCESS;
	s->zone = 0;
	s->ct = 0;
	s->time = ktime_get_boot_ns();
	probe_read_kernel(s->comm, sizeof(s->comm), &leader->comm);
	mine = find(cgrp, &key);
	if (mine) {
		s->zone = mine->zone;
		s->ct = mine->ct;
		return;
	}
	key = id_of(cgrp);
	mine = map_lookup(&contracts, &key);
	if (mine && (mine->flags & SUPERVISOR)) {
		s->zone = mine->zone;
		if (mine->zone == c->zone)
			s->kind = FROM_CONTRACT;
	}
}

INLINE void tell_fork(struct contract *c, struct who *w, u8 flags)
{
	int critical = (flags & FIRST) || (c->critical & WANT_FORK);
	struct shortrec *r;

	if (!(c->want & WANT_FORK))
		return;
	r = PLACE(c, sizeof(*r), critical);
	if (!r)
		return;
	fill(r, c, w, FORK, flags);
	submit(c, r, critical);
}

INLINE void tell_exit(struct contract *c, struct who *w, u32 status)
{
	int critical = (c->critical & WANT_EXIT) != 0;
	struct shortrec *r;

	if (!(c->want & WANT_EXIT))
		return;
	r = PLACE(c, sizeof(*r), critical);
	if (!r)
		return;
	fill(r, c, w, EXIT, 0);
	r->status = status;
	submit(c, r, critical);
}

/* tell_empty needs no place: its cgroup tells that a contract is empty too. */
INLINE void tell_empty(struct contract *c, struct who *w)
{
	u64 zone = c->zone;
	void *ring = map_lookup(&zones, &zone);
	struct shortrec *r;

	if (!ring)
		return;
	r = ringbuf_reserve(ring, sizeof(*r), 0);
	if (!r)
		return;
	fill(r, c, w, EMPTY, 0);
	submit(c, r, 1);
}

/* tell_death says why a member died of a signal: kind is SIGNAL, CORE or HWERR. */
INLINE void tell_death(struct contract *c, struct who *w, u8 kind, u32 status, struct sender *s)
{
	struct longrec *r = PLACE(c, sizeof(*r), 1);

	if (!r)
		return;
	fill(&r->head, c, w, kind, 0);
	r->head.sig = status & 0x7f;
	r->head.status = status;
	r->sender = *s;
	submit(c, &r->head, 1);
}

INLINE void tell_left(struct contract *c, struct who *w, u64 dest)
{
	struct longrec *r = PLACE(c, sizeof(*r), 1);
	struct numbers n;

	if (!r)
		return;
	fill(&r->head, c, w, LEFT, 0);
	r->head.dest = dest;
	numbers_of(pid_of(w->signal), c->pid_level, c->pid_ns, &n);
	__builtin_memset(&r->sender, 0, sizeof(r->sender));
	describe(&r->sender, c, n.ns);
	submit(c, &r->head, 1);
}

#endif
