/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the collector needs of the kernel: the few fields of its structures, whose places the
 * loader looks up in the BTF of the running kernel (CO-RE), and the helper functions by their
 * numbers in include/uapi/linux/bpf.h. Written by hand, so that neither a vmlinux.h of some
 * kernel nor the headers of a library are needed to compile.
 */
#ifndef ZONES_KERNEL_H
#define ZONES_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define APART static __attribute__((noinline))

#define NULL ((void *)0)

/*
 * READ gives a field of a structure of the kernel, 0 where there is none. Fields could be read
 * directly where the verifier knows the type; but for each pointer that is followed so it
 * searches all types of the kernel by name, and took 0.2 s for this program.
 */
#define READ(from, field)                                                  \
	({                                                                 \
		typeof((from)->field) _value = 0;                          \
		probe_read_kernel(&_value, sizeof(_value), &(from)->field); \
		_value;                                                    \
	})

/* BTF description of maps. */
#define UINT(name, val) int (*name)[val]
#define TYPE(name, val) typeof(val) *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1, BPF_RB_PROD_POS = 3 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*map_delete)(void *map, const void *key) = (void *)3;
static u64 (*get_current_uid_gid)(void) = (void *)15;
static long (*probe_read_kernel)(void *dst, u32 size, const void *src) = (void *)113;
static u64 (*ktime_get_boot_ns)(void) = (void *)125;
static void *(*ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*ringbuf_submit)(void *data, u64 flags) = (void *)132;
static u64 (*ringbuf_query)(void *ring, u64 what) = (void *)134;
static struct task_struct *(*get_current_task_btf)(void) = (void *)158;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct ns_common {
	u32 inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

struct mm_struct;

enum { PIDTYPE_TGID = 1, PIDTYPE_PGID = 2, PIDTYPE_MAX = 4 };

typedef struct {
	u64 sig[1];
} sigset_t;

struct sigpending {
	sigset_t signal;
};

struct signal_struct {
	atomic_t live;
	struct sigpending shared_pending;
	int group_exit_code;
	u32 flags;
	struct pid *pids[PIDTYPE_MAX];
	struct mm_struct *oom_mm;
};

struct kernfs_node {
	u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup *ancestors[1];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct task_struct {
	u32 __state;
	u32 flags;
	int pid;
	int tgid;
	int exit_code;
	u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct cred *cred;
	struct sigpending pending;
	char comm[16];
};

struct kernel_siginfo {
	int si_signo;
	int si_errno;
	int si_code;
};

struct bpf_iter__task {
	struct task_struct *task;
};

#pragma clang attribute pop

enum { TASK_NEW = 0x800 };
enum { PF_EXITING = 0x4, PF_KTHREAD = 0x200000 };
enum { SIGNAL_GROUP_EXIT = 0x4 };

enum {
	SIGHUP = 1,
	SIGQUIT = 3,
	SIGILL = 4,
	SIGTRAP = 5,
	SIGABRT = 6,
	SIGBUS = 7,
	SIGFPE = 8,
	SIGKILL = 9,
	SIGSEGV = 11,
	SIGCHLD = 17,
	SIGCONT = 18,
	SIGSTOP = 19,
	SIGTSTP = 20,
	SIGTTIN = 21,
	SIGTTOU = 22,
	SIGURG = 23,
	SIGXCPU = 24,
	SIGXFSZ = 25,
	SIGWINCH = 28,
	SIGSYS = 31,
	SIGMAX = 64,
};

/* A set of signals. */
#define BIT(sig) (1ULL << ((sig)-1))

/* si_code of signals that the kernel makes for a process's timers, queues and files. */
enum { SI_TIMER = -2, SI_MESGQ = -3, SI_ASYNCIO = -4, SI_SIGIO = -5, SI_DETHREAD = -7, SI_ASYNCNL = -60 };
enum { BUS_MCEERR_AR = 4, BUS_MCEERR_AO = 5 };

/* What trace_signal_generate calls the outcome. */
enum { TRACE_SIGNAL_DELIVERED = 0, TRACE_SIGNAL_LOSE_INFO = 4 };

#endif
