// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The collector's programs. What they promise stands in the reader's doc.go, what each record
 * holds in record.go.
 *
 * A process is known by the address of its signal_struct: it is the same from fork to the end
 * of the last thread, whichever thread executes a program (which takes the leader's place, so
 * that what is stored with a task would be lost).
 */
#include "collector.h"

char words_of_license[] SEC("license") = "Dual BSD/GPL"; /* the kernel knows no word for ours */

/* How many contracts there may be on a host; a bucket takes 16 bytes, an entry 150 when used. */
enum { CONTRACTS_MAX = 32768 };
enum { ZONES_MAX = 8192 };
/* How many members there may be on a host, by its memory (load.go): beyond, counts are no
 * longer sure (UNSURE). */
enum { PROCS_MAX = 4096 };
/* Members that were sent a signal that can kill: all of them may be (load.go), or one zone's
 * could take the place of another's. */
enum { SENDERS_MAX = PROCS_MAX };
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

/* A member: the contract in which it was counted. The state, with the start of the process
 * beside it, decides between threads that both see that no thread is left, and between the
 * end and a move: who changes it tells. An entry may have become another process's between
 * its look-up and the change: then the start is another, and the change fails. */
enum { LIVE = 1, MOVING, ENDED };

struct proc {
	u64 state; /* start_boottime << 2 | LIVE, MOVING or ENDED */
	u64 contract;
	u32 signalled; /* it has an entry in senders */
	u32 pad;
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, PROCS_MAX);
	TYPE(key, u64);
	TYPE(value, struct proc);
} procs SEC(".maps");

/* Who sent a member signals that can kill: SIGKILL has slot 0, the others the rest, the
 * oldest goes first. Written with the member's siglock held, read at its end. */
enum { SLOTS = 4 };

struct senders {
	struct sender slot[SLOTS];
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	UINT(max_entries, SENDERS_MAX);
	TYPE(key, u64);
	TYPE(value, struct senders);
} senders SEC(".maps");

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

static const struct senders no_senders;

/* At which levels contracts live, plus one; 0 ends the list. */
static volatile u32 levels[LEVELS_MAX];
/* Whether a note of a member could ever not be made. */
static volatile u32 unsure;

INLINE u64 id_of(struct cgroup *cgrp)
{
	struct kernfs_node *kn = READ(cgrp, kn);

	return READ(kn, id);
}

/* ancestor is the id of the directory at a level above a cgroup, or of it. */
INLINE u64 ancestor(struct cgroup *cgrp, u32 level)
{
	return id_of(READ(cgrp, ancestors[level]));
}

/* find gives the contract of who lives in a cgroup, and its key. */
APART struct contract *find(struct cgroup *cgrp, u64 *key)
{
	u32 depth = READ(cgrp, level);

	for (int i = 0; i < LEVELS_MAX; i++) {
		u32 level = levels[i];
		struct contract *c;

		if (!level)
			return NULL;
		if (--level > depth)
			continue;
		*key = ancestor(cgrp, level);
		c = map_lookup(&contracts, key);
		if (c && !(c->flags & SUPERVISOR))
			return c;
	}
	return NULL;
}

INLINE struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = READ(task, cgroups);

	return READ(set, dfl_cgrp);
}

INLINE struct signal_struct *signal_of(struct task_struct *task)
{
	return READ(task, signal);
}

INLINE struct pid *pid_of(struct task_struct *task)
{
	struct signal_struct *signal = signal_of(task);

	return READ(signal, pids[PIDTYPE_TGID]);
}

/* alive is how many threads of a process have not ended. */
INLINE int alive(struct task_struct *task)
{
	struct signal_struct *signal = signal_of(task);

	return READ(signal, live.counter);
}

/* Numbers of a process or a group: where the contract's supervisor lives, and one level
 * below, which is the contract's zone if ns is that of a member. */
struct numbers {
	s32 host;
	s32 zone;
	struct pid_namespace *ns;
};

APART void numbers_of(struct pid *pid, u32 level, u32 inum, struct numbers *n)
{
	struct upid u[2] = {};
	u32 depth;

	n->host = n->zone = 0;
	n->ns = NULL;
	if (!pid)
		return;
	depth = READ(pid, level);
	if (depth < level)
		return;
	if (depth > level)
		probe_read_kernel(&u, sizeof(u), &pid->numbers[level]);
	else
		probe_read_kernel(&u, sizeof(u[0]), &pid->numbers[level]);
	if (level) { /* there is one namespace at level 0 alone */
		if (READ(u[0].ns, ns.inum) != inum)
			return;
	}
	n->host = u[0].nr;
	n->zone = u[1].nr;
	n->ns = u[1].ns;
}

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
		if (_ring && ((critical) || has_room(_ring, size)))                            \
			_to = ringbuf_reserve(_ring, size, 0);                                 \
		if (!_to)                                                                      \
			lose(c, critical);                                                     \
		_to;                                                                           \
	})

enum { HEADER = 8 };

INLINE int has_room(void *ring, u32 size)
{
	u64 bytes = ringbuf_query(ring, BPF_RB_RING_SIZE);

	return ringbuf_query(ring, BPF_RB_AVAIL_DATA) + size + HEADER <= bytes - bytes / 4;
}

/* How long a woken reader is left alone: it looks again by itself after twice that long
 * (ring.go). To wake somebody costs more than all the rest of a record. */
enum { WAKE_NS = 1000000 };

/* submit hands a record over. It was reserved before its time was taken: so a reader that
 * looks later than WAKE_NS after it was woken finds it, or finds it being written. */
APART void submit(struct contract *c, struct shortrec *r, int critical)
{
	u64 now = r->time, zone = c->zone, how = BPF_RB_FORCE_WAKEUP;
	struct user *u;

	if (!critical && (s64)(now - c->woken) < WAKE_NS) {
		how = BPF_RB_NO_WAKEUP;
	} else {
		u = map_lookup(&users, &zone);
		if (u && !critical && (s64)(now - u->woken) < WAKE_NS) {
			c->woken = u->woken;
			how = BPF_RB_NO_WAKEUP;
		} else {
			if (u)
				u->woken = now;
			c->woken = now;
		}
	}
	ringbuf_submit(r, how);
}

APART void fill(struct shortrec *r, struct contract *c, struct task_struct *leader, u8 kind, u8 flags)
{
	struct signal_struct *signal = signal_of(leader);
	u32 level = c->pid_level, inum = c->pid_ns;
	struct numbers n;

	r->kind = kind;
	r->flags = flags;
	r->sig = 0;
	r->ct = c->ct;
	r->time = ktime_get_boot_ns();
	r->start = READ(leader, start_boottime);
	numbers_of(pid_of(leader), level, inum, &n);
	r->pid = n.host;
	r->zpid = n.zone;
	r->pgrp = 0;
	r->ppid = 0;
	if (kind != FORK) { /* who was just born is as its parent is */
		struct cred *cred = READ(leader, cred);

		r->euid = READ(cred, euid.val);
		numbers_of(READ(signal, pids[PIDTYPE_PGID]), level, inum, &n);
		r->pgrp = n.host;
	}
	r->zppid = 0;
	r->status = 0;
	r->dest = 0;
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

	numbers_of(pid_of(me), c->pid_level, c->pid_ns, &n);
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

INLINE void mark_unsure(struct contract *c)
{
	unsure = 1;
	__sync_fetch_and_or(&c->flags, UNSURE);
}

INLINE void tell_fork(struct contract *c, struct task_struct *leader, u8 flags)
{
	struct shortrec *r;
	struct numbers n;
	int critical = (flags & FIRST) || (c->critical & WANT_FORK);

	if (!(c->want & WANT_FORK))
		return;
	r = PLACE(c, sizeof(*r), critical);
	if (!r)
		return;
	fill(r, c, leader, FORK, flags);
	numbers_of(pid_of(READ(leader, real_parent)), c->pid_level, c->pid_ns, &n);
	r->ppid = n.host;
	r->zppid = n.zone;
	submit(c, r, critical);
}

/* state_of is what the state of a process's note is when it is this. */
INLINE u64 state_of(struct task_struct *leader, u32 what)
{
	return READ(leader, start_boottime) << 2 | what;
}

/* change is whether a note was this process's and in one state, and is in another now. */
INLINE int change(struct proc *p, struct task_struct *leader, u32 from, u32 to)
{
	u64 was = state_of(leader, from);

	return __sync_val_compare_and_swap(&p->state, was, state_of(leader, to)) == was;
}

INLINE void count_in(struct contract *c, struct task_struct *leader, u8 flags)
{
	if (__sync_fetch_and_add(&c->members, 1) == 0)
		flags |= FIRST;
	__sync_fetch_and_add(&c->forks, 1);
	tell_fork(c, leader, flags);
}

/* enter notes and counts a new member. It does nothing for one that is noted: it was moved
 * between its birth and our look at it. */
INLINE int enter(struct contract *c, u64 key, struct task_struct *leader, u8 flags)
{
	u64 signal = (u64)signal_of(leader);
	struct proc p = { .contract = key, .state = state_of(leader, LIVE) };

	if (map_update(&procs, &signal, &p, BPF_NOEXIST)) {
		struct proc *old = map_lookup(&procs, &signal);

		if (old && old->state >> 2 == p.state >> 2)
			return 0;
		/* There is no place; or it is the note of a process that had this address
		 * before, and whose end was not seen. */
		if (!old || map_update(&procs, &signal, &p, BPF_ANY))
			mark_unsure(c);
	}
	count_in(c, leader, flags);
	return 1;
}

INLINE void tell_empty(struct contract *c, struct task_struct *leader)
{
	struct shortrec *r = PLACE(c, sizeof(*r), 1);

	if (!r)
		return;
	fill(r, c, leader, EMPTY, 0);
	submit(c, r, 1);
}

/* leave counts a member out, and tells when it was the last. */
INLINE void leave(struct contract *c, struct task_struct *leader)
{
	__sync_fetch_and_add(&c->exits, 1);
	switch (__sync_fetch_and_add(&c->members, -1)) {
	case 1:
		tell_empty(c, leader);
		break;
	case 0: /* of those whom no note was made of */
		__sync_fetch_and_add(&c->members, 1);
		break;
	}
}

SEC("tp_btf/sched_process_fork")
int forked(u64 *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx[1];
	struct contract *c;
	u64 key = 0;

	if (child->pid != child->tgid)
		return 0;
	c = find(cgroup_of(child), &key);
	if (c)
		enter(c, key, child, 0);
	return 0;
}

#define DUMPS                                                                                  \
	(BIT(SIGQUIT) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGBUS) | BIT(SIGFPE) | \
	 BIT(SIGSEGV) | BIT(SIGXCPU) | BIT(SIGXFSZ) | BIT(SIGSYS))

/* remember keeps the last member that a signal of known sender has killed. Two that write at
 * the same time are both the last. */
INLINE void remember(struct contract *c, struct task_struct *leader, u32 sig, struct sender *s)
{
	struct numbers n;

	if (__sync_val_compare_and_swap(&c->killer_lock, 0, 1))
		return;
	numbers_of(pid_of(leader), c->pid_level, c->pid_ns, &n);
	c->killer_pid = n.host;
	c->killer_sig = sig;
	c->killer = *s;
	__sync_fetch_and_add(&c->killer_seq, 1);
	__sync_fetch_and_add(&c->killer_lock, -1);
}

/* cause tells why a member died of a signal, if that is told. */
INLINE void cause(struct contract *c, struct task_struct *leader, u32 status, struct sender *s)
{
	u32 sig = status & 0x7f, kind, want;
	int foreign;
	struct signal_struct *signal = signal_of(leader);
	struct longrec *r;

	if (s->kind != FROM_PROCESS && s->kind != FROM_CONTRACT && sig == SIGKILL && READ(signal, oom_mm)) {
		/* The OOM killer acts in whoever asked for memory. */
		__builtin_memset(s, 0, sizeof(*s));
		s->kind = FROM_OOM;
	}
	if (s->kind != NO_SENDER)
		remember(c, leader, sig, s);
	foreign = s->kind == FROM_OOM || (s->kind == FROM_PROCESS && (s->ct != c->ct || s->zone != c->zone));
	if (sig == SIGBUS && s->kind == FROM_KERNEL && (s->code == BUS_MCEERR_AR || s->code == BUS_MCEERR_AO)) {
		kind = HWERR;
		want = WANT_HWERR;
	} else if (foreign) {
		kind = SIGNAL;
		want = WANT_SIGNAL;
	} else if (sig <= SIGSYS && (BIT(sig) & DUMPS)) {
		kind = CORE;
		want = WANT_CORE;
	} else {
		return;
	}
	if (!(c->want & want))
		return;
	r = PLACE(c, sizeof(*r), 1);
	if (!r)
		return;
	fill(&r->head, c, leader, kind, 0);
	r->head.sig = sig;
	r->head.status = status;
	r->sender = *s;
	submit(c, &r->head, 1);
}

INLINE u32 status_of(struct signal_struct *signal, struct task_struct *leader)
{
	if (READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return READ(signal, group_exit_code);
	return READ(leader, exit_code);
}

INLINE void tell_exit(struct contract *c, struct task_struct *leader, u32 status)
{
	struct shortrec *r;
	int critical;

	if (!(c->want & WANT_EXIT))
		return;
	critical = (c->critical & WANT_EXIT) != 0;
	r = PLACE(c, sizeof(*r), critical);
	if (!r)
		return;
	fill(r, c, leader, EXIT, 0);
	r->status = status;
	submit(c, r, critical);
}

APART void died(struct contract *c, struct task_struct *leader, int signalled)
{
	struct signal_struct *signal = READ(leader, signal);
	u64 key = (u64)signal;
	u32 status = status_of(signal, leader);
	u32 sig = status & 0x7f;

	if (sig) {
		struct sender s = {};
		struct senders *all = signalled ? map_lookup(&senders, &key) : NULL;

		if (all) {
			for (int i = 0; i < SLOTS; i++)
				if (all->slot[i].sig == sig)
					s = all->slot[i];
		}
		cause(c, leader, status, &s);
	}
	if (signalled)
		map_delete(&senders, &key);
	tell_exit(c, leader, status);
	leave(c, leader);
}

/* stranger is the end of a process of which no note was made: none could be made, or it was
 * there before its contract was known. */
INLINE int stranger(struct task_struct *task, struct task_struct *leader)
{
	struct deadkey k = { .signal = (u64)signal_of(leader), .start = READ(leader, start_boottime) };
	struct contract *c;
	u64 key = 0;
	u8 one = 1;

	c = find(cgroup_of(task), &key);
	if (c && !map_update(&dead, &k, &one, BPF_NOEXIST))
		died(c, leader, 0);
	return 0;
}

/* finish tells of the end of a process that has no thread left, if nobody else does. */
APART int finish(struct task_struct *task, struct task_struct *leader)
{
	u64 key = (u64)signal_of(leader), contract;
	struct contract *c;
	struct proc *p;
	u32 signalled;
	int tries;

	p = map_lookup(&procs, &key);
	if (!p)
		return unsure ? stranger(task, leader) : 0;
	/* Who moves it sees that it has ended, and tells; unless that is just done. */
	for (tries = 0; tries < 4 && !change(p, leader, LIVE, ENDED); tries++)
		if (change(p, leader, MOVING, ENDED))
			return 0;
	if (tries == 4)
		return 0; /* another thread was first */
	contract = p->contract;
	signalled = p->signalled;
	map_delete(&procs, &key);
	c = map_lookup(&contracts, &contract);
	if (c)
		died(c, leader, signalled);
	else if (signalled)
		map_delete(&senders, &key);
	return 0;
}

/* join is enter for a process that may be ending: either its end sees the note, or it is seen
 * here that no thread is left. */
INLINE void join(struct contract *c, u64 key, struct task_struct *leader, u8 flags)
{
	if (enter(c, key, leader, flags) && !alive(leader))
		finish(leader, leader);
}

SEC("tp_btf/sched_process_exit")
int ended(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	/* Several threads may see 0 here. */
	if (!alive(task))
		finish(task, READ(task, group_leader));
	return 0;
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

/* slot_of is where the sender of a signal is kept: where one of the same number is, else the
 * oldest. */
INLINE struct sender *slot_of(struct senders *all, int sig)
{
	struct sender *s = &all->slot[1];

	if (sig == SIGKILL)
		return &all->slot[0];
	for (int i = 1; i < SLOTS; i++) {
		if (all->slot[i].sig == sig)
			return &all->slot[i];
		if (all->slot[i].time < s->time)
			s = &all->slot[i];
	}
	return s;
}

/* The signal's number is all that ties it to a death: a signal that the victim handles is
 * noted too, and the next of that number, whoever sends it, takes its place. Of several of
 * one real-time number that wait behind a mask the last is told, though the first kills. */
SEC("tp_btf/signal_generate")
int signaled(u64 *ctx)
{
	int sig = (int)ctx[0], result = (int)ctx[4];
	u64 info = ctx[1];
	struct task_struct *victim = (struct task_struct *)ctx[2];
	u64 key = (u64)signal_of(victim), ckey;
	struct numbers n;
	struct senders *all;
	struct sender *s;
	struct contract *c;
	struct proc *p;
	s32 code = 0;

	if (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO)
		return 0;
	if (sig < 1 || sig > SIGMAX || (BIT(sig) & HARMLESS))
		return 0;
	p = map_lookup(&procs, &key);
	if (!p)
		return 0;
	ckey = p->contract;
	c = map_lookup(&contracts, &ckey);
	if (!c)
		return 0;
	all = map_lookup(&senders, &key);
	if (!all) {
		if (map_update(&senders, &key, &no_senders, BPF_ANY))
			return 0;
		all = map_lookup(&senders, &key);
		if (!all)
			return 0;
		p->signalled = 1;
	}
	s = slot_of(all, sig);
	if (info > 1)
		probe_read_kernel(&code, sizeof(code), &((struct kernel_siginfo *)info)->si_code);
	if (by_process(info, code)) {
		numbers_of(pid_of(victim), c->pid_level, c->pid_ns, &n);
		describe(s, c, n.ns);
	} else {
		__builtin_memset(s, 0, sizeof(*s));
		s->time = ktime_get_boot_ns();
		s->kind = FROM_KERNEL;
	}
	s->code = code;
	s->sig = sig;
	return 0;
}

INLINE void tell_left(struct contract *c, struct task_struct *leader, u64 dest)
{
	struct longrec *r = PLACE(c, sizeof(*r), 1);
	struct numbers n;

	if (!r)
		return;
	fill(&r->head, c, leader, LEFT, 0);
	r->head.dest = dest;
	numbers_of(pid_of(leader), c->pid_level, c->pid_ns, &n);
	__builtin_memset(&r->sender, 0, sizeof(r->sender));
	describe(&r->sender, c, n.ns);
	submit(c, &r->head, 1);
}

/* pass is the move of a noted process, out of its contract and into c, if that is one. */
INLINE void pass(struct proc *p, struct contract *c, u64 key, struct task_struct *leader, u64 dest)
{
	u64 signal = (u64)signal_of(leader), old;
	struct contract *from;

	if (!change(p, leader, LIVE, MOVING))
		return; /* it has just ended, and was counted */
	old = p->contract;
	from = map_lookup(&contracts, &old);
	if (from) {
		tell_left(from, leader, dest);
		leave(from, leader);
	}
	if (c) {
		p->contract = key;
		count_in(c, leader, MOVED);
		if (change(p, leader, MOVING, LIVE))
			return;
		/* It has ended meanwhile. */
		old = p->signalled;
		map_delete(&procs, &signal);
		died(c, leader, old);
		return;
	}
	map_delete(&procs, &signal);
	map_delete(&senders, &signal);
}

/* Moves come one after the other (cgroup_mutex), and no process of the group forks meanwhile
 * (cgroup_threadgroup_rwsem), but it may end. */
SEC("tp_btf/cgroup_attach_task")
int moved(u64 *ctx)
{
	struct cgroup *to = (struct cgroup *)ctx[0];
	struct task_struct *leader = (struct task_struct *)ctx[2];
	struct cgroup_root *root = READ(to, root);
	u64 signal, key = 0;
	struct contract *c;
	struct proc *p;

	/* The old hierarchies pass by here too. */
	if (READ(root, hierarchy_id))
		return 0;
	leader = READ(leader, group_leader);
	/* Who is ending stays where it was. */
	if (!alive(leader))
		return 0;
	if (!(READ(leader, flags) & PF_EXITING) && cgroup_of(leader) != to)
		return 0;
	signal = (u64)signal_of(leader);
	c = find(to, &key);
	p = map_lookup(&procs, &signal);
	if (!p && c)
		join(c, key, leader, MOVED);
	else if (p && (!c || p->contract != key))
		pass(p, c, key, leader, id_of(to));
	return 0;
}

/* Walks over all tasks and counts members whom no note was made of. */
SEC("iter/task")
int adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct contract *c;
	u64 key = 0;

	if (!task || task->pid != task->tgid || !alive(task))
		return 0;
	c = find(cgroup_of(task), &key);
	if (c)
		join(c, key, task, ADOPTED);
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
		return READ(cgroup_of(me), level) | READ(pid_of(me), level) << 16;
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
