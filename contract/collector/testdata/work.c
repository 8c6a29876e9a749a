/*
 * What the tests have processes do. Each line on standard output is the process's own word of
 * what it has done: "fork PID PPID", "exit PID STATUS" (wait status, from who waited). A scenario
 * is the first argument.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	_exit(99);
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	printf("exit %d %d\n", pid, status);
	fflush(stdout);
}

static void say(const char *word)
{
	printf("%s\n", word);
	fflush(stdout);
}

/* hold waits until standard input ends, then ends with status. */
static void hold(int status)
{
	char c;

	while (read(0, &c, 1) > 0)
		;
	exit(status);
}

/* tree DEPTH WIDTH: every process but the leaves has WIDTH children and waits for each. */
static void tree(int depth, int width)
{
	for (int i = 0; depth > 0 && i < width; i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			tree(depth - 1, width);
			exit(depth);
		}
		printf("fork %d %d\n", pid, getpid());
		reap(pid);
	}
}

/* storm COUNT: births and ends as fast as they come, each told at the end. */
static void storm(int count)
{
	pid_t *pids = calloc(count, sizeof(*pids));

	for (int i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(i & 0x7f);
		if (pids[i] < 0 || waitpid(pids[i], NULL, 0) != pids[i])
			die("storm");
	}
	for (int i = 0; i < count; i++)
		printf("fork %d %d\nexit %d %d\n", pids[i], getpid(), pids[i], (i & 0x7f) << 8);
}

static pthread_barrier_t gate;
static volatile int go;

static void *racer(void *arg)
{
	pthread_barrier_wait(&gate);
	while (!go)
		;
	(void)arg;
	syscall(SYS_exit, 0); /* this thread, without the C library's order */
	return NULL;
}

/* A process whose threads end at the same moment, on both processors. */
static void race_child(int threads, int status)
{
	pthread_t t;

	pthread_barrier_init(&gate, NULL, threads + 1);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t, NULL, racer, NULL))
			die("pthread_create");
	pthread_barrier_wait(&gate);
	go = 1;
	syscall(SYS_exit, status);
}

static void race(int count)
{
	for (int i = 0; i < count; i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			race_child(1 + i % 3, 7);
		if (pid < 0)
			die("fork");
		printf("fork %d %d\n", pid, getpid());
		reap(pid);
	}
}

/* pairs COUNT: two processes end together, as often. */
static void pairs(int count)
{
	for (int i = 0; i < count; i++) {
		int p[2];
		pid_t a, b;

		fflush(stdout);
		if (pipe(p))
			die("pipe");
		for (int n = 0; n < 2; n++) {
			pid_t pid = fork();

			if (pid == 0) {
				char c;

				close(p[1]);
				(void)!read(p[0], &c, 1);
				_exit(0);
			}
			if (n == 0)
				a = pid;
			else
				b = pid;
			printf("fork %d %d\n", pid, getpid());
		}
		close(p[0]);
		close(p[1]);
		reap(a);
		reap(b);
	}
}

static void *executes(void *arg)
{
	char **argv = arg;

	execv("/proc/self/exe", argv);
	die("execv");
	return NULL;
}

/* The process's program is executed by a thread that is not its first. */
static void threadexec(char *self, char *what, char *rest)
{
	static char *argv[4];
	pthread_t t;

	argv[0] = self;
	argv[1] = what;
	argv[2] = rest;
	if (pthread_create(&t, NULL, executes, argv))
		die("pthread_create");
	for (;;)
		pause();
}

static void *lasts(void *arg)
{
	(void)arg;
	hold(5);
	return NULL;
}

/* The first thread ends at once; another one lives on. */
static void leaderless(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, lasts, NULL))
		die("pthread_create");
	say("ready");
	syscall(SYS_exit, 3);
}

static void handler(int sig)
{
	(void)sig;
}

/* mceerr CODE: a bus error of failed memory, as the kernel tells it, sent to itself. */
static void mceerr(int code)
{
	siginfo_t info = { .si_signo = SIGBUS, .si_code = code };

	signal(SIGBUS, SIG_DFL);
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info))
		die("rt_tgsigqueueinfo");
	for (;;)
		pause();
}

/* poison: memory that the kernel has declared failed is touched. */
static void poison(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = 1;
	if (madvise(p, 4096, 100 /* MADV_HWPOISON */)) {
		printf("none %d\n", errno);
		fflush(stdout);
		hold(0);
	}
	*p = 2;
}

/* send HOW PID SIG: signals a process in one of the ways there are. */
static void send_signal(const char *how, pid_t pid, int sig)
{
	union sigval v = { .sival_int = 1 };
	long err;

	printf("sender %d\n", getpid());
	fflush(stdout);
	if (!strcmp(how, "kill")) {
		err = kill(pid, sig);
	} else if (!strcmp(how, "group")) {
		err = kill(-pid, sig);
	} else if (!strcmp(how, "tgkill")) {
		err = syscall(SYS_tgkill, pid, pid, sig);
	} else if (!strcmp(how, "queue")) {
		err = sigqueue(pid, sig, v);
	} else if (!strcmp(how, "pidfd")) {
		int fd = syscall(SYS_pidfd_open, pid, 0);

		err = syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	} else if (!strcmp(how, "timer")) { /* the claim to be a timer */
		siginfo_t info = { .si_signo = sig, .si_code = SI_TIMER };

		err = syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
	} else {
		err = -1;
	}
	if (err)
		die(how);
	say("sent");
	hold(0);
}

/* blocked SIG: blocks a signal, says so, and takes it when standard input ends. */
static void blocked(int sig)
{
	sigset_t set;
	char c;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("ready");
	while (read(0, &c, 1) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	exit(0);
}

/* masked SIG: handles SIGUSR2, blocks all other signals, says so, and takes one when standard
 * input ends. */
static void masked(int sig)
{
	sigset_t set;
	char c;

	signal(SIGUSR2, handler);
	sigfillset(&set);
	sigdelset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("ready");
	while (read(0, &c, 1))
		;
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	exit(0);
}

/* handled SIG: takes a signal in a handler, then ends by raising it. */
static void handled(int sig)
{
	sigset_t set, none;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(sig, handler);
	say("ready");
	sigsuspend(&none);
	signal(sig, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	exit(0);
}

/* eat DIR: joins a cgroup in which memory is short, and takes what there is and more. */
static void eat(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(path);
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			exit(98);
		memset(p, 1, 1 << 20);
	}
}

/* parent SIG: its child asked to be signalled when it dies; it dies. */
static void parent(int sig)
{
	int p[2];
	char c;
	pid_t pid;

	if (pipe(p))
		die("pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, sig);
		if (write(p[1], "x", 1) != 1)
			die("write");
		for (;;)
			pause();
	}
	(void)!read(p[0], &c, 1);
	printf("fork %d %d\n", pid, getpid());
	fflush(stdout);
	hold(0);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

struct clone_args3 {
	unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

/* born forks into a directory of cgroups. */
static pid_t born(int dir)
{
	struct clone_args3 a = { .flags = 0x200000000ULL, .exit_signal = SIGCHLD, .cgroup = dir };

	return syscall(SYS_clone3, &a, sizeof(a));
}

/* compare ROUNDS DIR...: microseconds for one birth in each directory, its end and the wait, as
 * the median of the rounds. The directories take turns, so that what disturbs disturbs all. */
enum { BLOCK = 20, DIRS = 8 };

static void compare(int rounds, int dirs, char **dir)
{
	static double *took[DIRS];
	int fd[DIRS];

	for (int d = 0; d < dirs; d++) {
		took[d] = calloc(rounds, sizeof(double));
		fd[d] = open(dir[d], O_RDONLY | O_DIRECTORY);
		if (fd[d] < 0)
			die(dir[d]);
	}
	for (int r = 0; r < rounds; r++) {
		for (int d = 0; d < dirs; d++) {
			double begin = now();

			for (int i = 0; i < BLOCK; i++) {
				pid_t pid = born(fd[d]);

				if (pid == 0)
					syscall(SYS_exit_group, 0);
				if (pid < 0)
					die("clone3");
				waitpid(pid, NULL, 0);
			}
			took[d][r] = (now() - begin) / BLOCK;
		}
	}
	for (int d = 0; d < dirs; d++) {
		qsort(took[d], rounds, sizeof(double), ascending);
		printf("%.3f ", took[d][rounds / 2]);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0, m = argc > 3 ? atoi(argv[3]) : 0;
	struct rlimit none = { 0, 0 };

	if (!strcmp(what, "tree")) {
		tree(n, m);
	} else if (!strcmp(what, "storm")) {
		storm(n);
	} else if (!strcmp(what, "race")) {
		race(n);
	} else if (!strcmp(what, "pairs")) {
		pairs(n);
	} else if (!strcmp(what, "compare")) {
		compare(n, argc - 3, argv + 3);
	} else if (!strcmp(what, "hold")) {
		say("ready");
		hold(n);
	} else if (!strcmp(what, "session")) { /* with a terminal of its own as standard input */
		setsid();
		if (ioctl(0, TIOCSCTTY, 0))
			die("TIOCSCTTY");
		say("ready");
		for (;;)
			pause();
	} else if (!strcmp(what, "exit")) {
		exit(n);
	} else if (!strcmp(what, "threadexec")) {
		threadexec(argv[0], argv[2], argv[3]);
	} else if (!strcmp(what, "leaderless")) {
		leaderless();
	} else if (!strcmp(what, "self")) { /* a signal of its own */
		if (m)
			setrlimit(RLIMIT_CORE, &none);
		raise(n);
	} else if (!strcmp(what, "segv")) {
		*(volatile int *)8 = 1;
	} else if (!strcmp(what, "ill")) {
		__asm__ volatile("ud2");
	} else if (!strcmp(what, "abort")) {
		abort();
	} else if (!strcmp(what, "mceerr")) {
		mceerr(n);
	} else if (!strcmp(what, "poison")) {
		poison();
	} else if (!strcmp(what, "send")) {
		send_signal(argv[2], m, atoi(argv[4]));
	} else if (!strcmp(what, "blocked")) {
		blocked(n);
	} else if (!strcmp(what, "masked")) {
		masked(n);
	} else if (!strcmp(what, "handled")) {
		handled(n);
	} else if (!strcmp(what, "eat")) {
		eat(argv[2]);
	} else if (!strcmp(what, "parent")) {
		parent(n);
	} else if (!strcmp(what, "alarm")) {
		alarm(n);
		for (;;)
			pause();
	} else {
		fprintf(stderr, "unknown scenario %s\n", what);
		return 98;
	}
	return 0;
}
