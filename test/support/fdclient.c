/*
 * Makes system calls on a FUSE mount for a test, any number at a time, and can be told to end one early.
 *
 *   fdclient mount DIR FD                   mounts at DIR and hands /dev/fuse over the unix socket FD
 *   fdclient join DIR PID UID GID GROUP...  in the mount namespace of fdclient PID, as this caller
 *
 * The mount is in a namespace of its own: nobody else sees it, and it goes with the last fdclient.
 *
 * Numbers are little-endian. Requests come on stdin and answers go to stdout, in any order:
 *
 *   size[4] id[4] call[4] a[8] b[8] c[8] bytes
 *   size[4] id[4] result[8] bytes               a negative result is an errno
 *
 * The answer 0 comes first: mounted, or joined.
 *
 * Every call has a thread of its own. A request is read when the call before it has returned or waits in
 * the kernel, so calls are begun in the order in which they were asked for. With stdin everything ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* fdclient.ts has the same list. */
enum {
	/* of the kernel */
	OPEN = 1, CLOSE, READ, WRITE, LSEEK, STAT, FSTAT, GETDENTS, CHMOD, CHOWN, TRUNCATE, FTRUNCATE, UTIMES,
	ACCESS, DUP, FCNTL, POLL, SELECT, EPOLL, MKDIR, UNLINK, RMDIR, RENAME, SYMLINK, LINK, MKNOD, FSYNC,
	/* FORK: a process that reads once from fd a; WAIT: its end, and what it read */
	FORK, KILL, WAIT,
	/* CANCEL: call a ends with EINTR if it does not end otherwise */
	CANCEL,
	/* BARRIER: every call asked for before has returned and been answered, or waits for what is to come */
	BARRIER,
	/* of the kernel; SETGROUPS: a groups, 4 bytes each, for every thread */
	CHDIR, OPENAT, SETGROUPS,
};

enum { STARTING, RUNNING, RETURNED };

struct head {
	uint32_t size, id, call;
	int64_t a, b, c;
} __attribute__((packed));

struct call {
	struct call *next, *prev;
	struct head head;
	pthread_t thread;
	pid_t tid;
	atomic_int phase;
	int cancelled;
	size_t length;
	char bytes[];
};

/* Calls that have not been answered, the newest first. */
static struct call calls = { .next = &calls, .prev = &calls };
static pthread_mutex_t calls_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	fprintf(stderr, "fdclient: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* ---- requests and answers ---------------------------------------------------------------------- */

static int read_fully(void *into, size_t size)
{
	for (char *at = into; size > 0;) {
		ssize_t n = read(0, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		at += n;
		size -= n;
	}
	return 1;
}

static void write_fully(const void *from, size_t size)
{
	for (const char *at = from; size > 0;) {
		ssize_t n = write(1, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = 1, .events = POLLOUT };
			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0)
			_exit(0);
		at += n;
		size -= n;
	}
}

static void answer(uint32_t id, int64_t result, const void *bytes, size_t length)
{
	struct {
		uint32_t size, id;
		int64_t result;
	} __attribute__((packed)) head = { sizeof head + length, id, result };
	pthread_mutex_lock(&out_lock);
	write_fully(&head, sizeof head);
	write_fully(bytes, length);
	pthread_mutex_unlock(&out_lock);
}

/* ---- the calls that wait ----------------------------------------------------------------------- */

/* Whether a thread sleeps; with calls_lock held, so that it is still there. */
static int sleeps(const struct call *call)
{
	char path[64], stat[512];
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", call->tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (n <= 0)
		return 0;
	stat[n] = 0;
	const char *state = strrchr(stat, ')');
	return state != NULL && (state[2] == 'S' || state[2] == 'D');
}

static struct call *find(uint32_t id)
{
	for (struct call *each = calls.next; each != &calls; each = each->next)
		if (each->head.id == id)
			return each;
	return NULL;
}

/* Until a call has been answered or waits in the kernel. */
static void settle(uint32_t id)
{
	for (;;) {
		pthread_mutex_lock(&calls_lock);
		struct call *call = find(id);
		int settled = call == NULL || (call->phase == RUNNING && sleeps(call));
		pthread_mutex_unlock(&calls_lock);
		if (settled)
			return;
		sched_yield();
	}
}

/* Returns whether one of those that wait is on its way to a file. */
static int settle_all(void)
{
	size_t count = 0;
	int opens = 0;
	pthread_mutex_lock(&calls_lock);
	for (struct call *each = calls.next; each != &calls; each = each->next)
		count++;
	uint32_t *ids = malloc(count * sizeof *ids + 1);
	count = 0;
	for (struct call *each = calls.next; each != &calls; each = each->next)
		if (each->head.call != BARRIER) {
			ids[count++] = each->head.id;
			opens |= each->head.call == OPEN;
		}
	pthread_mutex_unlock(&calls_lock);
	for (size_t i = 0; i < count; i++)
		settle(ids[i]);
	free(ids);
	return opens;
}

/*
 * A statfs is answered by the server behind all that was asked before. An open asks several times: for
 * each name, and then for the file.
 */
static void barrier(void)
{
	struct statfs statistics;
	for (int i = 0; i == 0 || (i < 8 && settle_all()); i++) {
		settle_all();
		statfs(".", &statistics);
	}
	settle_all();
}

static void interrupted(int signal)
{
	(void)signal;
}

static void interrupt(struct call *call)
{
	if (call->phase == RUNNING)
		pthread_kill(call->thread, SIGUSR1);
}

static void cancel(uint32_t id)
{
	pthread_mutex_lock(&calls_lock);
	struct call *call = find(id);
	if (call != NULL) {
		call->cancelled = 1;
		interrupt(call);
	}
	pthread_mutex_unlock(&calls_lock);
}

/* A signal that came just before the call waited was in vain: it is sent until the call has returned. */
static void *keep_interrupting(void *none)
{
	for (;; usleep(2000)) {
		pthread_mutex_lock(&calls_lock);
		for (struct call *each = calls.next; each != &calls; each = each->next)
			if (each->cancelled)
				interrupt(each);
		pthread_mutex_unlock(&calls_lock);
	}
	return none;
}

/* ---- the calls --------------------------------------------------------------------------------- */

static int64_t stat_answer(const struct stat *stat, int64_t *out)
{
	int64_t fields[] = {
		stat->st_ino, stat->st_mode, stat->st_nlink, stat->st_uid, stat->st_gid, stat->st_size,
		stat->st_atime, stat->st_mtime, stat->st_blksize,
	};
	memcpy(out, fields, sizeof fields);
	return sizeof fields;
}

/* The events that are there, waited for so many milliseconds; in poll(2)'s bits whoever is asked. */
static int64_t wait_events(int call, int fd, int events, int timeout)
{
	if (call == POLL) {
		struct pollfd poller = { .fd = fd, .events = events };
		int n = poll(&poller, 1, timeout);
		return n < 0 ? n : poller.revents;
	}
	if (call == SELECT) {
		struct timeval time = { timeout / 1000, timeout % 1000 * 1000 };
		fd_set readable, writable;
		FD_ZERO(&readable);
		FD_ZERO(&writable);
		if (events & POLLIN)
			FD_SET(fd, &readable);
		if (events & POLLOUT)
			FD_SET(fd, &writable);
		int n = select(fd + 1, &readable, &writable, NULL, timeout < 0 ? NULL : &time);
		return n < 0 ? n : (FD_ISSET(fd, &readable) ? POLLIN : 0) | (FD_ISSET(fd, &writable) ? POLLOUT : 0);
	}
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int n = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	if (n == 0)
		n = epoll_wait(epoll, &event, 1, timeout);
	int error = errno;
	close(epoll);
	errno = error;
	return n <= 0 ? n : (int64_t)event.events;
}

/* Returns what the call does, -1 with errno; *out is given memory for *length bytes of answer. */
static int64_t perform(struct call *call, char **out, size_t *length)
{
	const int64_t a = call->head.a, b = call->head.b, c = call->head.c;
	const char *path = call->bytes, *second = path + strlen(path) + 1;
	struct stat stat;
	int64_t n;

	switch (call->head.call) {
	case OPEN:
		return open(path, a | O_CLOEXEC, (mode_t)b);
	case CLOSE:
		return close(a);
	case READ:
		*out = malloc(b + 1);
		n = c < 0 ? read(a, *out, b) : pread(a, *out, b, c);
		*length = n < 0 ? 0 : n;
		return n;
	case WRITE:
		return b < 0 ? write(a, call->bytes, call->length) : pwrite(a, call->bytes, call->length, b);
	case LSEEK:
		return lseek(a, b, c);
	case STAT:
	case FSTAT:
		n = call->head.call == STAT ? lstat(path, &stat) : fstat(a, &stat);
		if (n == 0)
			*length = stat_answer(&stat, (int64_t *)(*out = malloc(sizeof stat)));
		return n;
	case GETDENTS:
		*out = malloc(b);
		n = syscall(SYS_getdents64, (int)a, *out, b);
		*length = n < 0 ? 0 : n;
		return n;
	case CHMOD:
		return chmod(path, a);
	case CHOWN:
		return chown(path, a, b);
	case TRUNCATE:
		return truncate(path, a);
	case FTRUNCATE:
		return ftruncate(a, b);
	case UTIMES: {
		struct timespec times[] = { { .tv_sec = a, .tv_nsec = 0 }, { .tv_sec = b, .tv_nsec = 0 } };
		if (a < 0)
			times[0].tv_nsec = UTIME_OMIT;
		return utimensat(AT_FDCWD, path, times, 0);
	}
	case ACCESS:
		return access(path, a);
	case DUP:
		return dup(a);
	case FCNTL:
		return fcntl(a, b, c);
	case POLL:
	case SELECT:
	case EPOLL:
		return wait_events(call->head.call, a, b, c);
	case MKDIR:
		return mkdir(path, 0755);
	case UNLINK:
		return unlink(path);
	case RMDIR:
		return rmdir(path);
	case RENAME:
		return renameat2(AT_FDCWD, path, AT_FDCWD, second, a);
	case SYMLINK:
		return symlink(path, second);
	case LINK:
		return link(path, second);
	case MKNOD:
		return mknod(path, S_IFREG | 0644, 0);
	case FSYNC:
		return fsync(a);
	case KILL:
		return kill(a, b);
	case WAIT: {
		int status;
		n = waitpid(a, &status, 0);
		*out = malloc(c);
		ssize_t taken = read(b, *out, c);
		*length = taken < 0 ? 0 : taken;
		close(b);
		return n < 0 ? n : status;
	}
	case BARRIER:
		barrier();
		return 0;
	case CHDIR:
		return chdir(path);
	case OPENAT:
		return openat(a, path, b | O_CLOEXEC);
	case SETGROUPS:
		return setgroups(a, (const gid_t *)call->bytes);
	}
	errno = ENOSYS;
	return -1;
}

static void *run(void *argument)
{
	struct call *call = argument;
	char *out = NULL;
	size_t length = 0;

	call->thread = pthread_self();
	call->tid = gettid();
	call->phase = RUNNING;
	int64_t result = perform(call, &out, &length);
	if (result < 0)
		result = -errno;
	call->phase = RETURNED;
	answer(call->head.id, result, out, length);
	free(out);
	pthread_mutex_lock(&calls_lock);
	call->prev->next = call->next;
	call->next->prev = call->prev;
	pthread_mutex_unlock(&calls_lock);
	free(call);
	return NULL;
}

/* In the main thread, whose death the new process is told of. Answers its pid, and a pipe of what it read. */
static void fork_reader(const struct head *head)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		static char bytes[65536];
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ssize_t n = read(head->a, bytes, head->b < (int64_t)sizeof bytes ? head->b : (int64_t)sizeof bytes);
		int error = errno;
		if (n > 0 && write(ends[1], bytes, n) != n)
			_exit(255);
		_exit(n < 0 ? error : 0);
	}
	close(ends[1]);
	int32_t reads = ends[0];
	answer(head->id, pid < 0 ? -errno : pid, &reads, sizeof reads);
}

static void serve(void)
{
	pthread_attr_t small;
	pthread_t thread;
	struct head head;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * 1024);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &small, keep_interrupting, NULL) != 0)
		die("pthread_create");
	while (read_fully(&head, sizeof head)) {
		size_t length = head.size - sizeof head;
		/* Two NULs: two paths, whatever came. */
		struct call *call = calloc(1, sizeof *call + length + 2);
		call->head = head;
		call->length = length;
		if (!read_fully(call->bytes, length))
			return;
		if (head.call == CANCEL || head.call == FORK) {
			if (head.call == CANCEL)
				cancel(head.a);
			else
				fork_reader(&head);
			free(call);
			continue;
		}
		pthread_mutex_lock(&calls_lock);
		call->prev = &calls;
		call->next = calls.next;
		calls.next->prev = call;
		calls.next = call;
		pthread_mutex_unlock(&calls_lock);
		if ((errno = pthread_create(&thread, &small, run, call)) != 0)
			die("pthread_create");
		if (head.call != BARRIER)
			settle(head.id);
	}
}

/* ---- the namespace, the mount, and who one is -------------------------------------------------- */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* Only root may have a mount namespace; who is not root may have a user namespace in which he may. */
static void own_namespace(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (uid == 0) {
		if (unshare(CLONE_NEWNS) != 0)
			die("a mount namespace");
	} else {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
			die("a user namespace");
		put("/proc/self/setgroups", "deny");
		snprintf(map, sizeof map, "%d %d 1", uid, uid);
		put("/proc/self/uid_map", map);
		snprintf(map, sizeof map, "%d %d 1", gid, gid);
		put("/proc/self/gid_map", map);
	}
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		die("private mounts");
}

static int mount_at(const char *dir)
{
	char options[256];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		die("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other", fuse,
		 geteuid(), getegid());
	if (mount("slashnet", dir, "fuse.slashnet", MS_NOSUID | MS_NODEV, options) != 0)
		die("mount");
	return fuse;
}

static void hand_over(int socket, int fd)
{
	char byte = 0;
	union {
		char bytes[CMSG_SPACE(sizeof fd)];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(rights), &fd, sizeof fd);
	if (sendmsg(socket, &message, 0) != 1)
		die("sendmsg");
	close(fd);
	close(socket);
}

static void join(const char *pid, const char *kind, int must)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, kind);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (setns(fd, 0) != 0 && must))
		die(path);
	close(fd);
}

/* As many as a test wants; the kernel's limit is 65536. */
enum { MAX_GROUPS = 4096 };

static void become(int count, char **ids)
{
	gid_t groups[MAX_GROUPS];
	for (int i = 2; i < count; i++)
		groups[i - 2] = atoi(ids[i]);
	if ((uid_t)atoi(ids[0]) == geteuid() && geteuid() != 0)
		return;
	if (setgroups(count - 2, groups) != 0 || setgid(atoi(ids[1])) != 0 || setuid(atoi(ids[0])) != 0)
		die("another user");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = interrupted };

	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Thousands of threads; each would have a heap. */
	mallopt(M_ARENA_MAX, 1);
	umask(0);
	errno = EINVAL;
	if (argc == 4 && strcmp(argv[1], "mount") == 0) {
		own_namespace();
		hand_over(atoi(argv[3]), mount_at(argv[2]));
		answer(0, 0, NULL, 0);
	} else if (argc >= 6 && argc - 6 <= MAX_GROUPS && strcmp(argv[1], "join") == 0) {
		/* One is in it already, as long as nobody needed another. */
		join(argv[3], "user", geteuid() != 0);
		join(argv[3], "mnt", 1);
	} else {
		die("usage: fdclient mount DIR FD | fdclient join DIR PID UID GID GROUP...");
	}
	/* Before the change of user: what leads to the directory may be private. */
	if (chdir(argv[2]) != 0)
		die(argv[2]);
	if (argv[1][0] == 'j') {
		become(argc - 4, argv + 4);
		answer(0, 0, NULL, 0);
	}
	serve();
	_exit(0);
}
