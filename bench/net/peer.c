// The far end of the datagrams: UDP servers on 127.0.0.1, one per argument, each with one client at a time.
//
//	peer MODE...
//
//	echo    sends back what it receives
//	sink    counts and acknowledges
//	source  sends what it is asked for
//
// It prints the ports as one JSON array, in the order of the arguments, and ends with its input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../datapath/sock.h"
#include "datagrams.h"

enum { MAXSERVERS = 16, RECEIVEBUFFER = 1 << 20, FLOODSECONDS = 20 };

typedef struct Server {
    int fd, port;
    void (*serve)(struct Server *);
    struct sockaddr_in client;  // who wrote last
    uint32_t count;             // sink: received; source: sent
    uint32_t credit;            // source: may be sent before the next acknowledgement
    uint32_t size;
    uint8_t bytes[MAXDATAGRAM];
} Server;

static void bindserver(Server *s) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int size = RECEIVEBUFFER;

    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sa, len) < 0)
        die("bind on 127.0.0.1: %s", strerror(errno));
    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    getsockname(s->fd, (struct sockaddr *)&sa, &len);
    s->port = ntohs(sa.sin_port);
}

// Returns -1 when nothing is there and `flags` say not to wait.
static ssize_t receive(Server *s, int flags) {
    socklen_t len = sizeof s->client;

    for (;;) {
        ssize_t n = recvfrom(s->fd, s->bytes, sizeof s->bytes, flags, (struct sockaddr *)&s->client, &len);
        if (n >= 0 || errno == EAGAIN)
            return n;
    }
}

// A client that is gone is none of our business.
static void transmit(Server *s, const void *bytes, size_t len) {
    sendto(s->fd, bytes, len, 0, (struct sockaddr *)&s->client, sizeof s->client);
}

static void answer(Server *s, uint32_t kind, uint32_t number) {
    Note note = {.kind = kind, .number = number};

    transmit(s, &note, sizeof note);
}

static Note noteof(const Server *s, ssize_t len) {
    Note note = {.kind = STOP};

    if (len >= (ssize_t)sizeof note)
        memcpy(&note, s->bytes, sizeof note);
    return note;
}

static void echo(Server *s) {
    for (;;)
        transmit(s, s->bytes, (size_t)receive(s, 0));
}

static void sink(Server *s) {
    for (;;) {
        Note note = noteof(s, receive(s, 0));
        if (note.kind == LAST)
            answer(s, TOTAL, s->count);
        if (note.kind != DATA)
            continue;
        s->count = note.number == 0 ? 1 : s->count + 1;
        if (s->count % ACKEVERY == 0)
            answer(s, ACK, s->count);
    }
}

static void sendnext(Server *s, uint8_t *datagram) {
    Note note = {.kind = DATA, .number = s->count++};

    memcpy(datagram, &note, sizeof note);
    transmit(s, datagram, s->size);
}

static void flood(Server *s, uint8_t *datagram) {
    double end = now() + FLOODSECONDS;

    while (receive(s, MSG_DONTWAIT) < 0 && now() < end)
        for (int i = 0; i < ACKEVERY; i++)
            sendnext(s, datagram);
}

static void heed(Server *s, Note note) {
    if (note.kind == GO || note.kind == FLOOD) {
        s->count = 0;
        s->credit = WINDOW;
        s->size = note.number < sizeof note ? sizeof note : note.number > MAXDATAGRAM ? MAXDATAGRAM : note.number;
    } else if (note.kind == ACK) {
        s->credit += ACKEVERY;
    } else {
        s->credit = 0;
    }
}

static void source(Server *s) {
    uint8_t *datagram = calloc(1, MAXDATAGRAM);

    if (datagram == NULL)
        die("out of memory");
    for (;;) {
        Note note = noteof(s, receive(s, 0));
        heed(s, note);
        if (note.kind == FLOOD) {
            flood(s, datagram);
            s->credit = 0;
        }
        for (; s->credit > 0; s->credit--)
            sendnext(s, datagram);
    }
}

static const struct {
    const char *name;
    void (*serve)(Server *);
} modes[] = {{"echo", echo}, {"sink", sink}, {"source", source}};

static void *servermain(void *arg) {
    Server *s = arg;

    s->serve(s);
    return NULL;
}

static int start(const char *mode) {
    Server *s = calloc(1, sizeof *s);
    pthread_t thread;

    if (s == NULL)
        die("out of memory");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i].name) == 0)
            s->serve = modes[i].serve;
    if (s->serve == NULL)
        die("peer: no mode %s", mode);
    bindserver(s);
    if (pthread_create(&thread, NULL, servermain, s) != 0)
        die("no thread for a server");
    return s->port;
}

int main(int argc, char **argv) {
    char line[16];

    if (argc < 2 || argc - 1 > MAXSERVERS)
        die("usage: peer echo | sink | source ...");
    for (int i = 1; i < argc; i++)
        printf("%c%d", i == 1 ? '[' : ',', start(argv[i]));
    printf("]\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        ;
    return 0;
}
