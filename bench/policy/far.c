// The far end of conversations that are hung up, and the same without /net.
//
//	far peer            two TCP servers on 127.0.0.1 that keep what they are given
//	far plain PORT N    N connections to one; for a line of input all are reset
//	far chmod FILE      for a line of input, an octal mode, chmod(2)
//
// `peer` prints the two ports as a JSON array, and for each line of input an array of what each has seen:
// {accepted, reset, ended, last}, `last` the time of the last reset. `plain` prints [N] when it has
// connected, and the times before the first and after the last close; `chmod` prints [0], and then the times
// before and after. Times are CLOCK_MONOTONIC in milliseconds, as process.hrtime() of Node. All end with
// their input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../datapath/sock.h"

enum { SERVERS = 2, BACKLOG = 4096, EVENTS = 256 };

static double milliseconds(void) { return now() * 1000; }

typedef struct Server {
    int fd;
    unsigned accepted, reset, ended;
    double last;
} Server;

static Server servers[SERVERS];

// What a descriptor is of: a server's number behind its own.
static void watch(int ep, int fd, int server) {
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)server << 32 | (uint32_t)fd};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static int listenon(Server *s) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;

    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sa, len) < 0 || listen(s->fd, BACKLOG) < 0)
        die("listen on 127.0.0.1: %s", strerror(errno));
    getsockname(s->fd, (struct sockaddr *)&sa, &len);
    return ntohs(sa.sin_port);
}

static void take(Server *s, int ep, int server) {
    int fd;

    while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        s->accepted++;
        watch(ep, fd, server);
    }
    if (errno != EAGAIN)
        die("accept: %s", strerror(errno));
}

static void drop(Server *s, int fd) {
    char buf[4096];
    ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    s->ended++;
    if (n < 0 && errno == ECONNRESET) {
        s->reset++;
        s->last = milliseconds();
    }
    close(fd);
}

static void tell(void) {
    for (int i = 0; i < SERVERS; i++) {
        const Server *s = &servers[i];
        printf("%c{\"accepted\":%u,\"reset\":%u,\"ended\":%u,\"last\":%.3f}", i == 0 ? '[' : ',', s->accepted,
               s->reset, s->ended, s->last);
    }
    printf("]\n");
}

static char line[16];

// Reads a line of input; 0 at its end.
static int asked(void) {
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

    line[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void tellspan(double start) { printf("[%.3f,%.3f]\n", start, milliseconds()); }

static void peer(void) {
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 0; i < SERVERS; i++) {
        printf("%c%d", i == 0 ? '[' : ',', listenon(&servers[i]));
        watch(ep, servers[i].fd, i);
    }
    printf("]\n");
    watch(ep, STDIN_FILENO, 0);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = (int)(uint32_t)events[i].data.u64, server = (int)(events[i].data.u64 >> 32);
            if (fd == servers[server].fd)
                take(&servers[server], ep, server);
            else if (fd != STDIN_FILENO)
                drop(&servers[server], fd);
            else if (asked())
                tell();
            else
                return;
        }
    }
}

static void plain(const char *port, int count) {
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int *fds = calloc((size_t)count, sizeof *fds);
    char addr[64];

    if (fds == NULL)
        die("out of memory");
    snprintf(addr, sizeof addr, "tcp!127.0.0.1!%s", port);
    for (int i = 0; i < count; i++) {
        fds[i] = sockdial(addr);
        setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    printf("[%d]\n", count);
    if (!asked())
        return;
    double start = milliseconds();
    for (int i = 0; i < count; i++)
        close(fds[i]);
    tellspan(start);
}

static void change(const char *file) {
    printf("[0]\n");
    while (asked()) {
        double start = milliseconds();
        if (chmod(file, (mode_t)strtoul(line, NULL, 8)) < 0)
            die("chmod %s: %s", file, strerror(errno));
        tellspan(start);
    }
}

int main(int argc, char **argv) {
    raisefds();
    setlinebuf(stdout);
    if (argc == 2 && strcmp(argv[1], "peer") == 0)
        peer();
    else if (argc == 4 && strcmp(argv[1], "plain") == 0)
        plain(argv[2], atoi(argv[3]));
    else if (argc == 3 && strcmp(argv[1], "chmod") == 0)
        change(argv[2]);
    else
        die("usage: far peer | far plain PORT N | far chmod FILE");
    return 0;
}
