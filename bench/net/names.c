// Questions and connections, one system call after the other: by the files of a mounted /net, beside what
// libc does by itself. With a depth, so many threads.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../datapath/sock.h"
#include "../fuse/netfiles.h"
#include "load.h"

enum { PATHSIZE = 4096, ANSWERSIZE = 4096, TRIES = 5 };

// A worker opens what it needs once, and then does the same again and again.
typedef struct Work {
    void *(*open)(void);
    void (*once)(void *opened);
} Work;

static struct {
    Work work;
    double start;
    uint64_t ops[MAXDEPTH];
} crew;

static void *worker(void *arg) {
    uint64_t *ops = arg;
    void *opened = crew.work.open == NULL ? NULL : crew.work.open();

    do {
        crew.work.once(opened);
        ++*ops;
    } while (now() - crew.start < load.seconds && *ops < load.most);
    return NULL;
}

static Result together(Work work) {
    pthread_t threads[MAXDEPTH];
    Result r = {0};

    crew.work = work;
    crew.start = now();
    for (int i = 0; i < load.depth; i++)
        if (pthread_create(&threads[i], NULL, worker, &crew.ops[i]) != 0)
            die("no thread");
    for (int i = 0; i < load.depth; i++) {
        pthread_join(threads[i], NULL);
        r.ops += crew.ops[i];
    }
    r.seconds = now() - crew.start;
    return r;
}

// ---- a file that is asked -------------------------------------------------------------------------

typedef struct Asked {
    int fd;
} Asked;

static void *openasked(void) {
    Asked *a = malloc(sizeof *a);
    char path[PATHSIZE];

    if (a == NULL)
        die("out of memory");
    snprintf(path, sizeof path, "%s/%s", load.mount, load.args[0]);
    a->fd = opened(path);
    return a;
}

static void askonce(void *arg) {
    const Asked *a = arg;
    const char *question = load.args[1], *want = load.args[2];
    char answer[ANSWERSIZE];
    ssize_t n;

    if (pwrite(a->fd, question, strlen(question), 0) != (ssize_t)strlen(question))
        fail("ask", question);
    n = pread(a->fd, answer, sizeof answer, 0);
    if (n < (ssize_t)strlen(want) || memcmp(answer, want, strlen(want)) != 0)
        die("%s: answered '%.*s', not '%s'", question, n < 0 ? 0 : (int)n, answer, want);
}

Result filesask(void) { return together((Work){openasked, askonce}); }

// ---- libc's names -----------------------------------------------------------------------------------

static void namesonce(void *unused) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(load.args[0], load.args[1], &hints, &found);

    (void)unused;
    if (error != 0)
        die("getaddrinfo %s %s: %s", load.args[0], load.args[1], gai_strerror(error));
    freeaddrinfo(found);
}

Result libcnames(void) { return together((Work){NULL, namesonce}); }

static void *openresolver(void) {
    struct __res_state *state = calloc(1, sizeof *state);
    char target[64];

    if (state == NULL || res_ninit(state) != 0)
        die("libc's resolver does not start");
    snprintf(target, sizeof target, "udp!%s", load.args[0]);
    state->nscount = 1;
    state->nsaddr_list[0] = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(targetport(target)),
    };
    state->retry = TRIES;
    return state;
}

static void queryonce(void *state) {
    unsigned char answer[ANSWERSIZE];

    if (res_nquery(state, load.args[1], ns_c_in, ns_t_a, answer, sizeof answer) < 0)
        die("query %s: no answer", load.args[1]);
}

Result libcquery(void) { return together((Work){openresolver, queryonce}); }

// ---- connections ----------------------------------------------------------------------------------

static void cloneonce(void *unused) {
    char message[64];

    (void)unused;
    snprintf(message, sizeof message, "connect %s", load.args[0] + strlen("tcp!"));
    close(filesdial(load.mount, "tcp", message));
}

static void openonce(void *unused) {
    char path[PATHSIZE];

    (void)unused;
    snprintf(path, sizeof path, "%s/dial/%s", load.mount, load.args[0]);
    close(opened(path));
}

static void plainonce(void *unused) {
    (void)unused;
    close(sockdial(load.args[0]));
}

Result filesdialclone(void) { return together((Work){NULL, cloneonce}); }

Result filesdialopen(void) { return together((Work){NULL, openonce}); }

Result plaindial(void) { return together((Work){NULL, plainonce}); }
