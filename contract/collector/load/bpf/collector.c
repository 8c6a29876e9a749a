// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The collector's programs. What they promise stands in the reader's doc.go, what each record
 * holds in record.go.
 */
#include "member.h"

/* To the kernel, which knows no word for ours; it lets such programs read its memory. */
char words_of_license[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_process_fork")
int forked(u64 *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx[1];
	struct contract *c;
	struct who w;
	u64 key = 0;

	if (child->pid != child->tgid)
		return 0;
	c = find(cgroup_of(child), &key);
	if (!c)
		return 0;
	know(&w, child);
	enter(c, key, &w, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int ended(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct who w;

	/* Several threads may see that none is left. */
	if (alive(READ(task, signal)))
		return 0;
	know(&w, READ(task, group_leader));
	return finish(task, &w);
}

#define HARMLESS                                                                               \
	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) | BIT(SIGTSTP) | \
	 BIT(SIGTTIN) | BIT(SIGTTOU))

/* by_process says whether a signal is current's doing. info is 0 for kill by current, 1 for
 * the kernel, else what came with the signal. A process may claim any si_code below 0 but
 * SI_TKILL, those of the kernel among them; it is believed. */
INLINE int by_process(u64 info, s32 code)
{
	struct task_struct *me = get_current_task_btf();

	if (info == 1)
		return 0;
	/* A worker of the kernel, or the death of a parent (PR_SET_PDEATHSIG). */
	if (me->flags & (PF_KTHREAD | PF_EXITING))
		return 0;
	if (!info)
		return 1;
	return code <= 0 && code != SI_TIMER && code != SI_MESGQ && code != SI_ASYNCIO && code != SI_SIGIO &&
	       code != SI_DETHREAD && code != SI_ASYNCNL;
}

/* highest is the highest signal of a set that is not empty. */
INLINE u32 highest(u64 set)
{
	u32 sig = 1;

	for (int shift = 32; shift; shift >>= 1)
		if (set >> shift) {
			set >>= shift;
			sig += shift;
		}
	return sig;
}

/* slot_of is where the sender of a signal is kept: where one of the same number is, else in a
 * slot that is free or whose signal waits no more, so that it did not kill. Of more signals
 * than slots, all of which wait behind a mask, those of the lowest numbers stay, since they
 * are delivered first. */
INLINE struct sender *slot_of(struct senders *all, u32 sig, u64 waiting)
{
	u32 slot = 0, other;

	if (sig == SIGKILL)
		return &all->slot[0];
	if (all->kept & BIT(sig)) {
		slot = all->at[(sig - 1) & 63];
	} else if (all->used < SLOTS - 1) {
		slot = ++all->used;
	} else {
		if (all->kept & ~waiting) {
			other = highest(all->kept & ~waiting);
		} else {
			all->missed = 1; /* one that waits has no slot, or none any more */
			other = highest(all->kept);
			if (other < sig)
				return NULL;
		}
		all->kept &= ~BIT(other);
		slot = all->at[(other - 1) & 63];
	}
	if (slot >= SLOTS)
		return NULL;
	all->kept |= BIT(sig);
	all->at[(sig - 1) & 63] = slot;
	return &all->slot[slot];
}

/* waiting is the signals that wait for a thread or for its process. */
INLINE u64 waiting(struct task_struct *task)
{
	struct signal_struct *signal = READ(task, signal);

	return READ(task, pending.signal.sig[0]) | READ(signal, shared_pending.signal.sig[0]);
}

/* The signal's number is all that ties it to a death: a signal that the victim handles is
 * noted too, and the next of that number, whoever sends it, takes its place. Of several of
 * one real-time number that wait behind a mask the last is told, though the first kills. */
SEC("tp_btf/signal_generate")
int signaled(u64 *ctx)
{
	int sig = (int)ctx[0], result = (int)ctx[4];
	struct task_struct *victim = (struct task_struct *)ctx[2];
	u64 info = ctx[1], key, ckey;
	struct numbers numbers;
	struct senders *all;
	struct contract *c;
	struct sender *s;
	struct note *n;
	struct who w;
	s32 code = 0;

	if (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO)
		return 0;
	if (sig < 1 || sig > SIGMAX || (BIT(sig) & HARMLESS))
		return 0;
	know(&w, READ(victim, group_leader));
	n = note_of(&w);
	if (!n)
		return 0;
	ckey = n->contract;
	c = map_lookup(&contracts, &ckey);
	if (!c)
		return 0;
	key = (u64)w.signal;
	all = map_lookup(&senders, &key);
	if (!all) {
		if (!map_update(&senders, &key, &no_senders, BPF_ANY))
			all = map_lookup(&senders, &key);
		if (!all) {
			n->signalled |= MISSED;
			return 0;
		}
		n->signalled |= KEPT;
	}
	s = slot_of(all, sig, waiting(victim));
	if (!s)
		return 0;
	if (info > 1)
		probe_read_kernel(&code, sizeof(code), &((struct kernel_siginfo *)info)->si_code);
	if (by_process(info, code)) {
		numbers_of(pid_of(w.signal), c->pid_level, c->pid_ns, &numbers);
		describe(s, c, numbers.ns);
	} else {
		__builtin_memset(s, 0, sizeof(*s));
		s->time = ktime_get_boot_ns();
		s->kind = FROM_KERNEL;
	}
	s->code = code;
	s->sig = sig;
	return 0;
}

/* Moves come one after the other (cgroup_mutex), and no process of the group forks meanwhile
 * (cgroup_threadgroup_rwsem), but it may end. */
SEC("tp_btf/cgroup_attach_task")
int moved(u64 *ctx)
{
	struct cgroup *to = (struct cgroup *)ctx[0];
	struct task_struct *task = (struct task_struct *)ctx[2];
	struct cgroup_root *root = READ(to, root);
	struct contract *c;
	struct note *n;
	struct who w;
	u64 key = 0;

	/* The old hierarchies pass by here too. */
	if (READ(root, hierarchy_id))
		return 0;
	know(&w, READ(task, group_leader));
	/* Who is ending stays where it was. */
	if (!alive(w.signal))
		return 0;
	if (!(READ(w.leader, flags) & PF_EXITING) && cgroup_of(w.leader) != to)
		return 0;
	c = find(to, &key);
	n = note_of(&w);
	if (!n && c)
		join(c, key, &w, MOVED);
	else if (n && (!c || n->contract != key))
		pass(n, c, key, &w, id_of(to));
	return 0;
}

/* Walks over all tasks and counts members whom no note was made of. It may come upon one that is
 * only being born: the kernel lets it be found, then tells of it (forked), then wakes it, and it
 * is new up to there. Whoever notes it first tells, and of its birth in either case. */
SEC("iter/task")
int adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct contract *c;
	struct who w;
	u64 key = 0;

	if (!task || task->pid != task->tgid || !alive(READ(task, signal)))
		return 0;
	c = find(cgroup_of(task), &key);
	if (!c)
		return 0;
	know(&w, task);
	join(c, key, &w, READ(task, __state) & TASK_NEW ? 0 : ADOPTED);
	return 0;
}

/* What the reader has done in its own context, and to values that programs write too. */
SEC("raw_tp/control")
int control(u64 *ctx)
{
	struct task_struct *me = get_current_task_btf();
	struct contract *c;
	u64 op = ctx[0], key = ctx[1], want = ctx[2], critical = ctx[3];

	switch (op) {
	case OP_LEVELS:
		return READ(cgroup_of(me), level) | READ(pid_of(READ(me, signal)), level) << 16;
	case OP_ADD_LEVEL:
		for (int i = 0; i < LEVELS_MAX; i++) {
			u32 was = __sync_val_compare_and_swap(&levels[i], 0, (u32)key + 1);

			if (!was || was == (u32)key + 1)
				return 1;
		}
		return 0;
	case OP_WANT:
		c = map_lookup(&contracts, &key);
		if (!c)
			return 0;
		c->want = want;
		c->critical = critical;
		return 1;
	}
	return 0;
}
