/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Members: notes of them, counts, births and ends. */
#ifndef ZONES_MEMBER_H
#define ZONES_MEMBER_H

#include "ring.h"

INLINE u64 state_of(struct who *w, u32 what)
{
	return w->start << 2 | what;
}

/* change is whether a note was this process's and in one state, and is in another now. */
INLINE int change(struct note *n, struct who *w, u32 from, u32 to)
{
	u64 was = state_of(w, from);

	return __sync_val_compare_and_swap(&n->state, was, state_of(w, to)) == was;
}

INLINE struct note *place_of(struct who *w)
{
	u32 place = w->number & places_mask;

	return map_lookup(&notes, &place);
}

/* note_of gives the note of a process. */
INLINE struct note *note_of(struct who *w)
{
	u64 key = (u64)w->signal;
	struct note *n = place_of(w);

	if (n && n->state >> 2 == w->start)
		return n;
	if (!crowded)
		return NULL;
	n = map_lookup(&crowd, &key);
	return n && n->state >> 2 == w->start ? n : NULL;
}

/* forget gives a note's place back. Whose it is has made its state ENDED. */
INLINE void forget(struct note *n, struct who *w)
{
	u64 key = (u64)w->signal;

	if (place_of(w) == n)
		__sync_val_compare_and_swap(&n->state, state_of(w, ENDED), 0);
	else
		map_delete(&crowd, &key);
}

INLINE void mark_unsure(struct contract *c)
{
	unsure = 1;
	__sync_fetch_and_or(&c->flags, UNSURE);
}

/* make_note gives a new note, in state MOVING, or nothing: there is one already (*had), or
 * no place for one. */
INLINE struct note *make_note(struct who *w, u64 contract, int *had)
{
	struct note fresh = { .contract = contract, .state = state_of(w, MOVING) };
	struct note *n = place_of(w);
	u64 key = (u64)w->signal, was;

	*had = 0;
	if (!n)
		return NULL;
	was = __sync_val_compare_and_swap(&n->state, 0, fresh.state);
	if (!was) {
		n->contract = contract;
		n->signalled = 0;
		return n;
	}
	if (was >> 2 == w->start) {
		*had = 1;
		return NULL;
	}
	crowded = 1;
	if (map_update(&crowd, &key, &fresh, BPF_NOEXIST)) {
		n = map_lookup(&crowd, &key);
		if (n && n->state >> 2 == w->start) {
			*had = 1;
			return NULL;
		}
		/* A note of a process that had this address before, whose end was not seen. */
		if (!n || map_update(&crowd, &key, &fresh, BPF_ANY))
			return NULL;
	}
	return map_lookup(&crowd, &key);
}

INLINE void count_in(struct contract *c, struct who *w, u8 flags)
{
	if (__sync_fetch_and_add(&c->members, 1) == 0)
		flags |= FIRST;
	__sync_fetch_and_add(&c->forks, 1);
	tell_fork(c, w, flags);
}

/* count_out tells when the member was the last. */
INLINE void count_out(struct contract *c, struct who *w)
{
	__sync_fetch_and_add(&c->exits, 1);
	switch (__sync_fetch_and_add(&c->members, -1)) {
	case 1:
		tell_empty(c, w);
		break;
	case 0: /* of those whom no note was made of */
		__sync_fetch_and_add(&c->members, 1);
		break;
	}
}

#define DUMPS                                                                                  \
	(BIT(SIGQUIT) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGBUS) | BIT(SIGFPE) | \
	 BIT(SIGSEGV) | BIT(SIGXCPU) | BIT(SIGXFSZ) | BIT(SIGSYS))

/* remember keeps the last member that a signal of known sender has killed. Two that write at
 * the same time are both the last. */
INLINE void remember(struct contract *c, struct who *w, u32 sig, struct sender *s)
{
	struct numbers n;

	if (__sync_val_compare_and_swap(&c->killer_lock, 0, 1))
		return;
	numbers_of(pid_of(w->signal), c->pid_level, c->pid_ns, &n);
	c->killer_pid = n.host;
	c->killer_sig = sig;
	c->killer = *s;
	__sync_fetch_and_add(&c->killer_seq, 1);
	__sync_fetch_and_add(&c->killer_lock, -1);
}

/* cause tells why a member died of a signal, if that is told. */
INLINE void cause(struct contract *c, struct who *w, u32 status, struct sender *s)
{
	struct signal_struct *signal = w->signal;
	u32 sig = status & 0x7f;
	int foreign, unkept;

	if (s->kind != FROM_PROCESS && s->kind != FROM_CONTRACT && sig == SIGKILL && READ(signal, oom_mm)) {
		/* The OOM killer acts in whoever asked for memory. */
		__builtin_memset(s, 0, sizeof(*s));
		s->kind = FROM_OOM;
	}
	unkept = s->kind == UNKEPT;
	if (unkept)
		s->kind = NO_SENDER;
	if (s->kind != NO_SENDER)
		remember(c, w, sig, s);
	foreign = unkept || s->kind == FROM_OOM || (s->kind == FROM_PROCESS && (s->ct != c->ct || s->zone != c->zone));
	if (sig == SIGBUS && s->kind == FROM_KERNEL && (s->code == BUS_MCEERR_AR || s->code == BUS_MCEERR_AO)) {
		if (c->want & WANT_HWERR)
			tell_death(c, w, HWERR, status, s);
	} else if (foreign) {
		if (c->want & WANT_SIGNAL)
			tell_death(c, w, SIGNAL, status, s);
	} else if (sig <= SIGSYS && (BIT(sig) & DUMPS)) {
		if (c->want & WANT_CORE)
			tell_death(c, w, CORE, status, s);
	}
}

INLINE u32 status_of(struct who *w)
{
	struct signal_struct *signal = w->signal;

	if (READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return READ(signal, group_exit_code);
	return READ(w->leader, exit_code);
}

/* slain is the part of died for who was killed by a signal. */
APART void slain(struct contract *c, struct who *w, u32 status, int signalled)
{
	u64 key = (u64)w->signal;
	struct senders *all = signalled & KEPT ? map_lookup(&senders, &key) : NULL;
	struct sender s = {};
	u32 sig = status & 0x7f, slot = 0;

	if (signalled & MISSED || (all && all->missed))
		s.kind = UNKEPT;
	if (all && sig != SIGKILL)
		slot = all->at[(sig - 1) & 63];
	if (all && slot < SLOTS && all->slot[slot].sig == sig)
		s = all->slot[slot];
	cause(c, w, status, &s);
}

APART void died(struct contract *c, struct who *w, int signalled)
{
	u32 status = status_of(w);
	u64 key = (u64)w->signal;

	if (status & 0x7f)
		slain(c, w, status, signalled);
	if (signalled & KEPT)
		map_delete(&senders, &key);
	tell_exit(c, w, status);
	count_out(c, w);
}

/* settle ends the state MOVING of a note whose process is counted in c: if it has ended
 * meanwhile, nobody has told. */
INLINE void settle(struct note *n, struct contract *c, struct who *w)
{
	int signalled;

	if (change(n, w, MOVING, LIVE))
		return;
	signalled = n->signalled;
	forget(n, w);
	died(c, w, signalled);
}

/* enter notes and counts a new member. It does nothing for one that is noted: it was moved
 * between its birth and our look at it. */
INLINE void enter(struct contract *c, u64 key, struct who *w, u8 flags)
{
	int had;
	struct note *n = make_note(w, key, &had);

	if (had)
		return;
	if (!n)
		mark_unsure(c);
	count_in(c, w, flags);
	if (n)
		settle(n, c, w);
}

/* stranger is the end of a process of which no note was made: there was no place, or it was
 * there before its contract was known. */
INLINE int stranger(struct task_struct *task, struct who *w)
{
	struct deadkey k = { .signal = (u64)w->signal, .start = w->start };
	struct contract *c;
	u64 key = 0;
	u8 one = 1;

	c = find(cgroup_of(task), &key);
	if (c && !map_update(&dead, &k, &one, BPF_NOEXIST))
		died(c, w, 0);
	return 0;
}

/* finish tells of the end of a process that has no thread left, if nobody else does. */
APART int finish(struct task_struct *task, struct who *w)
{
	u64 key = (u64)w->signal, contract;
	struct note *n = note_of(w);
	struct contract *c;
	u32 signalled;
	int tries;

	if (!n)
		return unsure ? stranger(task, w) : 0;
	/* Who moves it sees that it has ended, and tells; unless that is just done. */
	for (tries = 0; tries < 4 && !change(n, w, LIVE, ENDED); tries++)
		if (change(n, w, MOVING, ENDED))
			return 0;
	if (tries == 4)
		return 0; /* another thread was first */
	contract = n->contract;
	signalled = n->signalled;
	forget(n, w);
	c = map_lookup(&contracts, &contract);
	if (c)
		died(c, w, signalled);
	else if (signalled & KEPT)
		map_delete(&senders, &key);
	return 0;
}

/* join is enter for a process that may be ending: either its end sees the note, or it is seen
 * here that no thread is left. */
INLINE void join(struct contract *c, u64 key, struct who *w, u8 flags)
{
	enter(c, key, w, flags);
	if (!alive(w->signal))
		finish(w->leader, w);
}

/* pass is the move of a noted process, out of its contract and into c, if that is one. */
INLINE void pass(struct note *n, struct contract *c, u64 key, struct who *w, u64 dest)
{
	u64 signal = (u64)w->signal, old;
	struct contract *from;

	if (!change(n, w, LIVE, MOVING))
		return; /* it has just ended, and was counted */
	old = n->contract;
	from = map_lookup(&contracts, &old);
	if (from) {
		tell_left(from, w, dest);
		count_out(from, w);
	}
	if (c) {
		n->contract = key;
		count_in(c, w, MOVED);
		settle(n, c, w);
		return;
	}
	change(n, w, MOVING, ENDED);
	forget(n, w);
	map_delete(&senders, &signal);
}

#endif
