// The load: it runs one workload, prints one line of JSON and ends. To every server it is the same
// ordinary program that opens files.
//
//	driver [options] stat | open | list PATH
//	driver [options] echo | write | read PATH          on a file
//	driver [options] echo | write | read | dial TARGET on a connection: tcp!127.0.0.1!PORT
//
// A TARGET is dialled with a plain socket, or with -m MOUNT by the files below MOUNT/tcp.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../datapath/sock.h"
#include "netfiles.h"

enum { MAXSIZE = 1 << 24 };

static struct {
    const char *what;   // the PATH or TARGET
    const char *mount;  // where /net is mounted; NULL: plain sockets
    size_t size;        // of one write or read
    double seconds;     // how long to measure
    uint64_t most;      // operations at most
    int polls;          // echo: wait in poll(2) before the read
} opt = {.size = 1 << 20, .seconds = 1, .most = UINT64_MAX};

typedef struct Result {
    uint64_t ops, bytes;
} Result;

static int netdial(const char *target) {
    char message[64];

    snprintf(message, sizeof message, "connect %s", target + strlen("tcp!"));
    return filesdial(opt.mount, "tcp", message);
}

static int istarget(const char *what) { return strncmp(what, "tcp!", 4) == 0; }

// The file, socket or data file that a workload reads and writes.
static int channel(void) {
    if (!istarget(opt.what))
        return opened(opt.what);
    return opt.mount != NULL ? netdial(opt.what) : sockdial(opt.what);
}

static int fd = -1;
static char *buffer;

static void openchannel(void) {
    fd = channel();
    buffer = calloc(1, opt.size);
    if (buffer == NULL)
        die("out of memory");
}

// ---- workloads: each function is one operation --------------------------------------------

static void statonce(Result *r) {
    struct stat st;

    (void)r;
    if (stat(opt.what, &st) < 0)
        fail("stat", opt.what);
}

static void openonce(Result *r) {
    (void)r;
    close(opened(opt.what));
}

// As `ls -l` does: the names, then each file's attributes.
static void listonce(Result *r) {
    DIR *dir = opendir(opt.what);
    struct dirent *e;
    struct stat st;

    (void)r;
    if (dir == NULL)
        fail("opendir", opt.what);
    while ((e = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            fail("stat", e->d_name);
    closedir(dir);
}

static ssize_t moved(ssize_t n, const char *verb) {
    if (n < 0)
        fail(verb, opt.what);
    if (n == 0)
        die("%s %s: moved 0 bytes", verb, opt.what);
    return n;
}

static void echoonce(Result *r) {
    char out = (char)(r->ops & 0x7f), in = (char)~out;

    moved(write(fd, &out, 1), "write");
    if (opt.polls) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, -1) < 0)
            fail("poll", opt.what);
    }
    moved(read(fd, &in, 1), "read");
    if (in != out)
        die("echo: wrote %d, read %d", out, in);
    r->bytes++;
}

static void writeonce(Result *r) { r->bytes += (uint64_t)moved(write(fd, buffer, opt.size), "write"); }

static void readonce(Result *r) { r->bytes += (uint64_t)moved(read(fd, buffer, opt.size), "read"); }

static void dialonce(Result *r) {
    (void)r;
    close(channel());
}

static const struct {
    const char *name;
    void (*start)(void);
    void (*once)(Result *);
} workloads[] = {
    {"stat", NULL, statonce},         {"open", NULL, openonce},          {"list", NULL, listonce},
    {"echo", openchannel, echoonce},  {"write", openchannel, writeonce}, {"read", openchannel, readonce},
    {"dial", NULL, dialonce},
};

static void run(void (*once)(Result *)) {
    Result r = {0};
    double start = now(), used = usedseconds(), seconds;

    do {
        once(&r);
        r.ops++;
        seconds = now() - start;
    } while (seconds < opt.seconds && r.ops < opt.most);
    printf("{\"ops\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"loadSeconds\":%.6f}\n", (unsigned long long)r.ops,
           (unsigned long long)r.bytes, seconds, usedseconds() - used);
}

// ---- command line -------------------------------------------------------------------------

static _Noreturn void usage(void) {
    die("usage: driver [-n SECONDS] [-s SIZE] [-c COUNT] [-m MOUNT] [-p] "
        "stat | open | list | echo | write | read | dial PATH | TARGET");
}

static void setoption(int c, const char *value) {
    switch (c) {
    case 'n': opt.seconds = atof(value); break;
    case 's': opt.size = strtoul(value, NULL, 10); break;
    case 'c': opt.most = strtoull(value, NULL, 10); break;
    case 'm': opt.mount = value; break;
    case 'p': opt.polls = 1; break;
    default: usage();
    }
}

int main(int argc, char **argv) {
    int c;

    while ((c = getopt(argc, argv, "n:s:c:m:p")) != -1)
        setoption(c, optarg);
    if (optind != argc - 2)
        usage();
    if (opt.size < 1 || opt.size > MAXSIZE)
        die("-s: want 1 to %d", MAXSIZE);
    opt.what = argv[optind + 1];
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(argv[optind], workloads[i].name) == 0) {
            if (workloads[i].start != NULL)
                workloads[i].start();
            run(workloads[i].once);
            return 0;
        }
    usage();
}
