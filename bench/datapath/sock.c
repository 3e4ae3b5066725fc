#define _GNU_SOURCE
#include "sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { STALL_SECONDS = 20 };

void die(const char *fmt, ...) {
    va_list args;

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double usedseconds(void) {
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void nodelay(int fd) {
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A server that stops answering must not hang the harness.
static void limitstall(int fd) {
    struct timeval t = {.tv_sec = STALL_SECONDS};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

static int connected(int family, const void *sa, socklen_t len, const char *addr) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket for %s: %s", addr, strerror(errno));
    limitstall(fd);
    if (connect(fd, sa, len) < 0)
        die("connect %s: %s", addr, strerror(errno));
    return fd;
}

static int unixdial(const char *addr, const char *path) {
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof sa.sun_path)
        die("%s: a unix socket's path has at most %zu bytes", addr, sizeof sa.sun_path - 1);
    strcpy(sa.sun_path, path);
    return connected(AF_UNIX, &sa, sizeof sa, addr);
}

static int tcpdial(const char *addr, const char *rest) {
    struct sockaddr_in sa = {.sin_family = AF_INET};
    char host[32];
    int port, fd;

    if (sscanf(rest, "%31[0-9.]!%d", host, &port) != 2 || inet_pton(AF_INET, host, &sa.sin_addr) != 1)
        die("%s: want tcp!127.0.0.1!PORT", addr);
    if (ntohl(sa.sin_addr.s_addr) >> 24 != 127)
        die("%s: not a loopback address; this is a benchmark, not a load generator", addr);
    sa.sin_port = htons((uint16_t)port);
    fd = connected(AF_INET, &sa, sizeof sa, addr);
    nodelay(fd);
    return fd;
}

int sockdial(const char *addr) {
    if (strncmp(addr, "unix!", 5) == 0)
        return unixdial(addr, addr + 5);
    if (strncmp(addr, "tcp!", 4) == 0)
        return tcpdial(addr, addr + 4);
    die("%s: want unix!PATH or tcp!127.0.0.1!PORT", addr);
}

void sendall(int fd, const void *buf, size_t len) {
    const char *p = buf;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0)
            die("send: %s", errno == EAGAIN ? "no progress for 20 s" : strerror(errno));
        p += n;
        len -= (size_t)n;
    }
}

void recvall(int fd, void *buf, size_t len) {
    char *p = buf;

    while (len > 0) {
        ssize_t n = recv(fd, p, len, 0);
        if (n == 0)
            die("recv: the other side hung up");
        if (n < 0)
            die("recv: %s", errno == EAGAIN ? "nothing for 20 s" : strerror(errno));
        p += n;
        len -= (size_t)n;
    }
}

void raisefds(void) {
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}
