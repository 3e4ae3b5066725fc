// The far end of every measurement: small TCP servers on 127.0.0.1, one per argument.
//
//	peer MODE...
//
//	echo    sends back what it receives
//	sink    reads and forgets
//	source  sends without end
//	hold    accepts and keeps the connection until the other side closes it
//	greet   like hold, but sends one byte on accepting
//
// It prints the ports as one JSON array, in the order of the arguments. For each line on
// standard input it prints how many connections each server has accepted, so that the
// harness can check that every dial it counted was a real one. It ends with its input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock.h"

enum { MAXSERVERS = 32, BACKLOG = 4096, BUFSIZE = 1 << 20, EVENTS = 256 };

typedef struct Server {
    int fd, port;
    void (*serve)(struct Server *);
    void *(*talk)(void *);  // the life of one connection, for servers with a thread each
    int greets;
    atomic_ulong accepted;
} Server;

static Server servers[MAXSERVERS];
static int nservers;

static void listenon(Server *s) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;

    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sa, len) < 0 || listen(s->fd, BACKLOG) < 0)
        die("listen on 127.0.0.1: %s", strerror(errno));
    getsockname(s->fd, (struct sockaddr *)&sa, &len);
    s->port = ntohs(sa.sin_port);
}

static int acceptone(Server *s) {
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == ECONNABORTED || errno == EINTR)
            return -1;
        die("accept: %s", strerror(errno));
    }
    atomic_fetch_add(&s->accepted, 1);
    nodelay(fd);
    return fd;
}

// ---- one thread per connection: echo, sink, source ---------------------------------------

// These end a connection, not the process, when the other side goes.
static int sent(int fd, const char *buf, ssize_t len) {
    while (len > 0) {
        ssize_t n = send(fd, buf, (size_t)len, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        buf += n;
        len -= n;
    }
    return 1;
}

static char *buffer(void) {
    char *buf = calloc(1, BUFSIZE);

    if (buf == NULL)
        die("out of memory");
    return buf;
}

static void *echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    char *buf = buffer();
    ssize_t n;

    while ((n = recv(fd, buf, BUFSIZE, 0)) > 0 && sent(fd, buf, n))
        ;
    free(buf);
    close(fd);
    return NULL;
}

static void *sink(void *arg) {
    int fd = (int)(intptr_t)arg;
    char *buf = buffer();

    while (recv(fd, buf, BUFSIZE, 0) > 0)
        ;
    free(buf);
    close(fd);
    return NULL;
}

static void *source(void *arg) {
    int fd = (int)(intptr_t)arg;
    char *buf = buffer();

    while (sent(fd, buf, BUFSIZE))
        ;
    free(buf);
    close(fd);
    return NULL;
}

static void servethreads(Server *s) {
    for (;;) {
        pthread_t thread;
        int fd = acceptone(s);
        if (fd < 0)
            continue;
        if (pthread_create(&thread, NULL, s->talk, (void *)(intptr_t)fd) != 0)
            die("no thread for a connection");
        pthread_detach(thread);
    }
}

// ---- one thread for thousands: hold, greet -----------------------------------------------

static void watch(int ep, int fd) {
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void take(Server *s, int ep) {
    int fd = acceptone(s);

    if (fd < 0)
        return;
    if (s->greets)
        sent(fd, "!", 1);
    watch(ep, fd);
}

static void drop(int fd) {
    char buf[4096];

    if (recv(fd, buf, sizeof buf, MSG_DONTWAIT) <= 0 && errno != EAGAIN)
        close(fd);
}

static void servehold(Server *s) {
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    watch(ep, s->fd);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            errno = 0;
            if (events[i].data.fd == s->fd)
                take(s, ep);
            else
                drop(events[i].data.fd);
        }
    }
}

// ---- command line ------------------------------------------------------------------------

static const struct {
    const char *name;
    void (*serve)(Server *);
    void *(*talk)(void *);
    int greets;
} modes[] = {
    {"echo", servethreads, echo, 0},   {"sink", servethreads, sink, 0}, {"source", servethreads, source, 0},
    {"hold", servehold, NULL, 0},      {"greet", servehold, NULL, 1},
};

static void *servermain(void *arg) {
    Server *s = arg;

    s->serve(s);
    return NULL;
}

static void start(const char *mode) {
    Server *s = &servers[nservers++];
    pthread_t thread;

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i].name) == 0) {
            s->serve = modes[i].serve;
            s->talk = modes[i].talk;
            s->greets = modes[i].greets;
        }
    if (s->serve == NULL)
        die("peer: no mode %s", mode);
    listenon(s);
    if (pthread_create(&thread, NULL, servermain, s) != 0)
        die("no thread for a server");
}

static void printall(unsigned long (*value)(Server *)) {
    for (int i = 0; i < nservers; i++)
        printf("%c%lu", i == 0 ? '[' : ',', value(&servers[i]));
    printf("]\n");
    fflush(stdout);
}

static unsigned long port(Server *s) { return (unsigned long)s->port; }

static unsigned long accepted(Server *s) { return atomic_load(&s->accepted); }

int main(int argc, char **argv) {
    char line[16];

    if (argc < 2 || argc - 1 > MAXSERVERS)
        die("usage: peer echo | sink | source | hold | greet ...");
    raisefds();
    for (int i = 1; i < argc; i++)
        start(argv[i]);
    printall(port);
    while (fgets(line, sizeof line, stdin) != NULL)
        printall(accepted);
    return 0;
}
