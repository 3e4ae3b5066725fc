// The benchmark's load client. It runs one workload, prints one line of JSON and ends.
//
//	client -t TARGET [-s SERVER] [options] echo | write | read | dial | idle
//
// With -s it speaks 9P2000 to SERVER and dials TARGET through its /net/tcp; without, it
// uses a plain socket to TARGET (which may be a relay). Addresses: unix!PATH,
// tcp!127.0.0.1!PORT.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ninep.h"
#include "sock.h"

enum { CTLFID = 1, DATAFID = 2, MAXDEPTH = 64, MAXIDLE = 100000 };

static struct {
    const char *server;  // NULL: plain sockets
    const char *target;
    uint32_t msize;
    int depth;       // requests in flight
    double seconds;  // how long to measure
    int count;       // idle: connections to hold; dial: at most so many
    int pipelined;   // dial: send together what does not depend on an answer
    int greeted;     // plain dial and idle: the target's first byte proves the connection
} opt = {.msize = 65536, .depth = 1, .seconds = 1, .count = 10000};

typedef struct Result {
    uint64_t ops, bytes;
    double seconds;
    uint32_t msize;
    char note[256];  // why a workload stopped early, else empty
} Result;

static void printresult(const Result *r) {
    printf("{\"ops\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"msize\":%u,\"note\":\"", (unsigned long long)r->ops,
           (unsigned long long)r->bytes, r->seconds, r->msize);
    for (const char *p = r->note; *p != '\0'; p++)
        if (*p >= ' ' && *p != '"' && *p != '\\')
            putchar(*p);
    printf("\"}\n");
    fflush(stdout);
}

// ---- dial(2), by hand -------------------------------------------------------------------

static uint32_t connectmessage(char *buf, size_t size) {
    return (uint32_t)snprintf(buf, size, "connect %s", opt.target + strlen("tcp!"));
}

static int dialtarget(Nine *n, uint32_t ctl, uint32_t data) {
    char message[64];

    connectmessage(message, sizeof message);
    return dialsteps(n, ctl, data, "tcp", message);
}

static void clunk(Nine *n, uint32_t fid) {
    tclunk(n, 1, fid);
    ninesend(n);
    expect(n, Rclunk);
}

// Takes `count` replies, tagged 1, 2, ..., in any order; copies the Rread's text out as the
// data file's path. Returns 0 if one of them is an error.
static int gather(Nine *n, int count, char *path, size_t size) {
    int ok = 1;

    for (int i = 0; i < count; i++) {
        Reply r = ninerecv(n);
        if (r.type == Rerror)
            ok = 0;
        if (r.type == Rread)
            datapath(path, size, "tcp", &r);
    }
    return ok;
}

// Three round trips in place of eight. The number must be known before N/data can be
// named, and the connection must stand before anyone uses or closes it. It relies on the
// server to take a connection's requests in order, which 9P does not promise.
static int dialpipelined(Nine *n) {
    char message[64], path[64] = "";
    uint32_t len = connectmessage(message, sizeof message);

    twalk(n, 1, ROOTFID, CTLFID, "tcp/clone");
    topen(n, 2, CTLFID, ORDWR);
    tread(n, 3, CTLFID, 0, 32);
    twrite(n, 4, CTLFID, 0, message, len);
    ninesend(n);
    if (!gather(n, 4, path, sizeof path))
        return 0;
    twalk(n, 1, ROOTFID, DATAFID, path);
    topen(n, 2, DATAFID, ORDWR);
    tclunk(n, 3, CTLFID);
    ninesend(n);
    if (!gather(n, 3, path, sizeof path))
        return 0;
    clunk(n, DATAFID);
    return 1;
}

static Nine *dialled(void) {
    Nine *n = nineattach(opt.server, opt.msize);

    if (!dialtarget(n, CTLFID, DATAFID))
        die("dial %s through %s: %s", opt.target, opt.server, nineerror());
    clunk(n, CTLFID);
    return n;
}

// ---- workloads over 9P ------------------------------------------------------------------

// One round trip: the answer is awaited by a Tread before the byte goes out, as a reading
// process would.
static void echoonce(Nine *n, uint64_t offset) {
    tread(n, 1, DATAFID, offset, 1);
    twrite(n, 2, DATAFID, offset, "x", 1);
    ninesend(n);
    for (int i = 0; i < 2; i++) {
        Reply r = ninerecv(n);
        if (r.type == Rerror)
            die("echo: %s", nineerror());
        if (r.count != 1)
            die("echo: the server moved %u bytes, not 1", r.count);
    }
}

static Result nineecho(void) {
    Nine *n = dialled();
    Result r = {.msize = n->msize};
    double start = now();

    do {
        echoonce(n, r.ops);
        r.ops++;
        r.seconds = now() - start;
    } while (r.seconds < opt.seconds);
    r.bytes = r.ops;
    nineclose(n);
    return r;
}

// Keeps opt.depth requests in flight until the time is over, then collects the rest.
// `ask` sends one request with the given tag.
static void bulk(Nine *n, Result *r, uint8_t want, void (*ask)(Nine *, uint16_t, void *), void *arg) {
    double start = now();
    int inflight;

    for (inflight = 0; inflight < opt.depth; inflight++)
        ask(n, (uint16_t)(inflight + 1), arg);
    while (inflight > 0) {
        Reply got = expect(n, want);
        r->ops++;
        r->bytes += got.count;
        if (got.count == 0)
            die("%s: the server moved 0 bytes: the conversation ended", want == Rread ? "read" : "write");
        r->seconds = now() - start;
        if (r->seconds < opt.seconds)
            ask(n, got.tag, arg);
        else
            inflight--;
    }
}

typedef struct Frame {
    uint8_t *bytes;
    uint32_t payload;
    uint64_t offset;
} Frame;

static void askwrite(Nine *n, uint16_t tag, void *arg) {
    Frame *f = arg;

    writeheader(f->bytes, tag, DATAFID, f->offset, f->payload);
    sendall(n->fd, f->bytes, WRITEHDRSZ + f->payload);
    f->offset += f->payload;
}

static void askread(Nine *n, uint16_t tag, void *arg) {
    (void)arg;
    // The offset of a stream's file means nothing; 0 saves knowing how much will come.
    tread(n, tag, DATAFID, 0, n->msize - IOHDRSZ);
    ninesend(n);
}

static Result ninewrite(void) {
    Nine *n = dialled();
    Result r = {.msize = n->msize};
    Frame f = {.payload = n->msize - IOHDRSZ, .bytes = calloc(1, n->msize)};

    if (f.bytes == NULL)
        die("out of memory");
    bulk(n, &r, Rwrite, askwrite, &f);
    free(f.bytes);
    nineclose(n);
    return r;
}

static Result nineread(void) {
    Nine *n = dialled();
    Result r = {.msize = n->msize};

    bulk(n, &r, Rread, askread, NULL);
    nineclose(n);
    return r;
}

static int dialonce(Nine *n) {
    if (opt.pipelined)
        return dialpipelined(n);
    if (!dialtarget(n, CTLFID, DATAFID))
        return 0;
    clunk(n, CTLFID);
    clunk(n, DATAFID);
    return 1;
}

static Result ninedial(void) {
    Nine *n = nineattach(opt.server, opt.msize);
    Result r = {.msize = n->msize};
    double start = now();

    do {
        if (!dialonce(n))
            die("dial %llu: %s", (unsigned long long)r.ops, nineerror());
        r.ops++;
        r.seconds = now() - start;
    } while (r.seconds < opt.seconds && r.ops < (uint64_t)opt.count);
    nineclose(n);
    return r;
}

static void holduntileof(const Result *r) {
    char c;

    printresult(r);
    while (read(0, &c, 1) > 0)
        ;
}

// A refusal ends the filling, not the run: how many conversations a server grants is a
// result too.
static void nineidle(void) {
    Nine *n = nineattach(opt.server, opt.msize);
    Result r = {.msize = n->msize};
    double start = now();

    for (uint32_t i = 0; i < (uint32_t)opt.count; i++) {
        if (!dialtarget(n, CTLFID + 2 * i, DATAFID + 2 * i)) {
            snprintf(r.note, sizeof r.note, "%s", nineerror());
            break;
        }
        r.ops++;
    }
    r.seconds = now() - start;
    holduntileof(&r);
    nineclose(n);
}

// ---- the same over plain sockets ---------------------------------------------------------

static Result plainecho(void) {
    int fd = sockdial(opt.target);
    Result r = {0};
    double start = now();
    char c = 'x';

    do {
        sendall(fd, &c, 1);
        recvall(fd, &c, 1);
        r.ops++;
        r.seconds = now() - start;
    } while (r.seconds < opt.seconds);
    r.bytes = r.ops;
    close(fd);
    return r;
}

static Result plainbulk(int reading) {
    int fd = sockdial(opt.target);
    size_t size = opt.msize - IOHDRSZ;
    char *buf = calloc(1, size);
    Result r = {0};
    double start = now();

    if (buf == NULL)
        die("out of memory");
    do {
        ssize_t n = reading ? recv(fd, buf, size, 0) : send(fd, buf, size, MSG_NOSIGNAL);
        if (n <= 0)
            die("%s: %s", reading ? "read" : "write", n == 0 ? "the other side hung up" : strerror(errno));
        r.ops++;
        r.bytes += (uint64_t)n;
        r.seconds = now() - start;
    } while (r.seconds < opt.seconds);
    free(buf);
    close(fd);
    return r;
}

static Result plainwrite(void) { return plainbulk(0); }

static Result plainread(void) { return plainbulk(1); }

// A relay's kernel completes connect() before the relay has dialled anybody; only a byte
// from the target proves that the whole way stands.
static int established(void) {
    int fd = sockdial(opt.target);
    char c;

    if (opt.greeted)
        recvall(fd, &c, 1);
    return fd;
}

static Result plaindial(void) {
    Result r = {0};
    double start = now();

    do {
        close(established());
        r.ops++;
        r.seconds = now() - start;
    } while (r.seconds < opt.seconds && r.ops < (uint64_t)opt.count);
    return r;
}

static void plainidle(void) {
    Result r = {0};
    double start = now();

    raisefds();
    for (int i = 0; i < opt.count; i++) {
        established();
        r.ops++;
    }
    r.seconds = now() - start;
    holduntileof(&r);
}

// ---- command line ------------------------------------------------------------------------

static const struct {
    const char *name;
    Result (*nine)(void);
    Result (*plain)(void);
} workloads[] = {
    {"echo", nineecho, plainecho},
    {"write", ninewrite, plainwrite},
    {"read", nineread, plainread},
    {"dial", ninedial, plaindial},
};

static _Noreturn void usage(void) {
    die("usage: client -t TARGET [-s SERVER] [-m MSIZE] [-d DEPTH] [-n SECONDS] [-c COUNT] [-p] [-g] "
        "echo | write | read | dial | idle");
}

static void setoption(int c, const char *value) {
    switch (c) {
    case 's': opt.server = value; break;
    case 't': opt.target = value; break;
    case 'm': opt.msize = (uint32_t)strtoul(value, NULL, 10); break;
    case 'd': opt.depth = atoi(value); break;
    case 'n': opt.seconds = atof(value); break;
    case 'c': opt.count = atoi(value); break;
    case 'p': opt.pipelined = 1; break;
    case 'g': opt.greeted = 1; break;
    default: usage();
    }
}

static void checkoptions(void) {
    if (opt.target == NULL || strncmp(opt.target, "tcp!127.", 8) != 0)
        die("-t: want tcp!127.0.0.1!PORT");
    if (opt.msize < 4096 || opt.msize > 1 << 24)
        die("-m: want 4096 to 16777216");
    if (opt.depth < 1 || opt.depth > MAXDEPTH)
        die("-d: want 1 to %d", MAXDEPTH);
    if (opt.count < 1 || opt.count > MAXIDLE)
        die("-c: want 1 to %d", MAXIDLE);
}

static void run(const char *name) {
    if (strcmp(name, "idle") == 0) {
        (opt.server != NULL ? nineidle : plainidle)();
        return;
    }
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(name, workloads[i].name) == 0) {
            Result r = (opt.server != NULL ? workloads[i].nine : workloads[i].plain)();
            printresult(&r);
            return;
        }
    usage();
}

int main(int argc, char **argv) {
    int c;

    while ((c = getopt(argc, argv, "s:t:m:d:n:c:pg")) != -1)
        setoption(c, optarg);
    if (optind != argc - 1)
        usage();
    checkoptions();
    run(argv[optind]);
    return 0;
}
