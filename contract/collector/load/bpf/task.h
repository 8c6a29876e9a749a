/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is read of tasks: who it is, in which contract it lives. */
#ifndef ZONES_TASK_H
#define ZONES_TASK_H

#include "maps.h"

/*
 * A process. Its signal_struct is the same from fork to the end of the last thread, and so
 * are its number and its start, whichever thread executes a program and takes the first
 * one's place.
 */
struct who {
	struct task_struct *leader;
	struct signal_struct *signal;
	u64 start;
	u32 number; /* in the host's first pid namespace */
};

INLINE void know(struct who *w, struct task_struct *leader)
{
	w->leader = leader;
	w->signal = READ(leader, signal);
	w->start = READ(leader, start_boottime);
	w->number = READ(leader, tgid);
}

/* alive is how many threads of the process have not ended. */
INLINE int alive(struct signal_struct *signal)
{
	return READ(signal, live.counter);
}

INLINE struct pid *pid_of(struct signal_struct *signal)
{
	return READ(signal, pids[PIDTYPE_TGID]);
}

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

#endif
