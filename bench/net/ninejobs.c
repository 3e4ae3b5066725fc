// The same over 9P2000, with any number of requests in flight on one connection. Requests that can go
// together do: nothing is sent while a reply waits here to be taken.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../datapath/ninep.h"
#include "../datapath/sock.h"
#include "datagrams.h"
#include "load.h"

enum { MSIZE = 128 << 10, CTLFID = 1, DATAFID = 2 };

// The next reply of a request that must not fail.
static Reply next(Nine *n) {
    Reply r;

    if (!nineready(n))
        ninesend(n);
    r = ninerecv(n);
    if (r.type == Rerror)
        die("request %d: %s", r.tag, nineerror());
    return r;
}

// ---- datagrams ------------------------------------------------------------------------------------

// Tags: reads that wait are 1 to `depth`, whatever tells the peer something is TELLTAG, data WRITETAG.
enum { TELLTAG = 1000, WRITETAG = 2000 };

typedef struct Talk {
    Nine *n;
    size_t prefix;  // bytes of header before each datagram
    uint8_t frame[HEADERSIZE + MAXDATAGRAM];
} Talk;

static Talk *talk(void) {
    Talk *t = calloc(1, sizeof *t);
    uint16_t port = targetport(load.args[0]);
    char messages[64];

    if (t == NULL)
        die("out of memory");
    t->n = nineattach(load.server, MSIZE);
    t->prefix = load.headers ? HEADERSIZE : 0;
    udpmessages(messages, sizeof messages, port);
    if (!dialsteps(t->n, CTLFID, DATAFID, "udp", messages))
        die("udp: %s", nineerror());
    udpheader(t->frame, port);
    return t;
}

static void tell(Talk *t, uint16_t tag, Note note, size_t len) {
    uint8_t *start = t->frame + HEADERSIZE - t->prefix;

    memcpy(t->frame + HEADERSIZE, &note, sizeof note);
    twrite(t->n, tag, DATAFID, 0, start, (uint32_t)(t->prefix + len));
}

static void askread(Talk *t, uint16_t tag) { tread(t->n, tag, DATAFID, 0, HEADERSIZE + MAXDATAGRAM); }

static Note noteof(const Talk *t, const Reply *r) {
    Note note;

    if (r->count < t->prefix + sizeof note)
        die("read: a datagram of %u bytes", r->count);
    memcpy(&note, r->data + t->prefix, sizeof note);
    return note;
}

// A read that waits for acknowledgements, and `depth` writes in flight.
Result ninesendall(void) {
    Talk *t = talk();
    uint32_t sent = 0, acked = 0;
    int inflight = 0, over = 0, told = 0;
    double start = now();
    Result r = {0};

    askread(t, 1);
    for (;;) {
        while (!over && inflight < load.depth && sent - acked < WINDOW) {
            tell(t, WRITETAG + (uint16_t)(sent % WINDOW), (Note){DATA, sent}, load.size);
            sent++;
            inflight++;
        }
        if (over && inflight == 0 && !told++)
            tell(t, TELLTAG, (Note){.kind = LAST}, sizeof(Note));
        Reply got = next(t->n);
        if (got.type == Rwrite) {
            inflight -= got.tag != TELLTAG;
        } else {
            Note note = noteof(t, &got);
            if (note.kind == TOTAL) {
                r.ops = note.number;
                break;
            }
            acked = note.number;
            askread(t, 1);
        }
        over = now() - start >= load.seconds;
    }
    r.seconds = now() - start;
    r.lost = sent - r.ops;
    nineclose(t->n);
    return r;
}

static Result receive(uint32_t how) {
    Talk *t = talk();
    uint32_t highest = 0;
    double start = now();
    Result r = {0};

    tell(t, TELLTAG, (Note){how, load.size}, sizeof(Note));
    for (int i = 1; i <= load.depth; i++)
        askread(t, (uint16_t)i);
    do {
        Reply got = next(t->n);
        if (got.type == Rwrite)
            continue;
        Note note = noteof(t, &got);
        if (note.kind != DATA || got.count != t->prefix + load.size)
            die("read: a datagram of %u bytes and kind %u", got.count, note.kind);
        if (note.number > highest)
            highest = note.number;
        askread(t, got.tag);
        if (++r.ops % ACKEVERY == 0 && how == GO)
            tell(t, TELLTAG + (uint16_t)(r.ops / ACKEVERY % WINDOW), (Note){ACK, (uint32_t)r.ops}, sizeof(Note));
        r.seconds = now() - start;
    } while (r.seconds < load.seconds);
    tell(t, TELLTAG + WINDOW, (Note){.kind = STOP}, sizeof(Note));
    while (next(t->n).tag != TELLTAG + WINDOW)
        ;
    r.lost = highest + 1 - r.ops;
    nineclose(t->n);
    return r;
}

Result ninereceiveall(void) { return receive(GO); }

Result nineflood(void) { return receive(FLOOD); }

// As a reading process would: the answer is awaited before the datagram goes out.
Result nineecho(void) {
    Talk *t = talk();
    double start = now();
    Result r = {0};

    do {
        askread(t, 1);
        tell(t, TELLTAG, (Note){DATA, (uint32_t)r.ops}, load.size);
        for (int i = 0; i < 2; i++) {
            Reply got = next(t->n);
            if (got.type == Rread && noteof(t, &got).number != (uint32_t)r.ops)
                die("echo: something else came back");
        }
        r.ops++;
        r.seconds = now() - start;
    } while (r.seconds < load.seconds);
    nineclose(t->n);
    return r;
}

// ---- jobs: sequences of requests, `depth` at a time -------------------------------------------------

// Job i has tag i and the fids 2i and 2i+1. Each step appends one request; `took` is the reply to the one before.
typedef struct Job {
    uint16_t tag;
    int step;
} Job;

typedef void Step(Nine *n, const Job *job, const Reply *took);

static void proceed(Nine *n, Job *job, Step *const *steps, const Reply *took) {
    steps[job->step++](n, job, took);
}

// Runs the steps from the first to the last again and again; `finish` gets the reply to the last.
static Result jobs(Nine *n, Step *const *steps, int count, void (*finish)(const Reply *)) {
    Job all[MAXDEPTH];
    int active = load.depth;
    double start = now();
    Result r = {0};

    for (int i = 0; i < load.depth; i++) {
        all[i] = (Job){.tag = (uint16_t)(i + 1)};
        proceed(n, &all[i], steps, NULL);
    }
    while (active > 0) {
        Reply took = next(n);
        Job *job = &all[took.tag - 1];
        if (job->step < count) {
            proceed(n, job, steps, &took);
            continue;
        }
        if (finish != NULL)
            finish(&took);
        r.ops++;
        job->step = 0;
        if (now() - start < load.seconds && r.ops < load.most)
            proceed(n, job, steps, NULL);
        else
            active--;
    }
    r.seconds = now() - start;
    nineclose(n);
    return r;
}

static uint32_t firstfid(const Job *job) { return 2u * job->tag; }

static uint32_t secondfid(const Job *job) { return 2u * job->tag + 1; }

static void clunkfirst(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    tclunk(n, job->tag, firstfid(job));
}

static void clunksecond(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    tclunk(n, job->tag, secondfid(job));
}

static void openfirst(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    topen(n, job->tag, firstfid(job), ORDWR);
}

static void opensecond(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    topen(n, job->tag, secondfid(job), ORDWR);
}

// ---- a question -------------------------------------------------------------------------------------

static void question(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    twrite(n, job->tag, firstfid(job), 0, load.args[1], (uint32_t)strlen(load.args[1]));
}

static void readanswer(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    tread(n, job->tag, firstfid(job), 0, 4096);
}

static void checkanswer(const Reply *took) {
    const char *want = load.args[2];

    if (took->count < strlen(want) || memcmp(took->data, want, strlen(want)) != 0)
        die("%s: answered '%.*s', not '%s'", load.args[1], (int)took->count, (const char *)took->data, want);
}

Result nineask(void) {
    static Step *const steps[] = {question, readanswer};
    Nine *n = nineattach(load.server, MSIZE);

    for (int i = 1; i <= load.depth; i++) {
        Job job = {.tag = (uint16_t)i};
        twalk(n, 1, ROOTFID, firstfid(&job), load.args[0]);
        topen(n, 2, firstfid(&job), ORDWR);
        for (int replies = 0; replies < 2; replies++)
            next(n);
    }
    return jobs(n, steps, sizeof steps / sizeof steps[0], checkanswer);
}

// ---- connections --------------------------------------------------------------------------------------

static void walkclone(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    twalk(n, job->tag, ROOTFID, firstfid(job), "tcp/clone");
}

static void readnumber(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    tread(n, job->tag, firstfid(job), 0, 32);
}

static char numbers[MAXDEPTH + 1][64];

static void writeconnect(Nine *n, const Job *job, const Reply *took) {
    char message[64];
    int len = snprintf(message, sizeof message, "connect %s", load.args[0] + strlen("tcp!"));

    datapath(numbers[job->tag], sizeof numbers[0], "tcp", took);
    twrite(n, job->tag, firstfid(job), 0, message, (uint32_t)len);
}

static void walkdata(Nine *n, const Job *job, const Reply *took) {
    (void)took;
    twalk(n, job->tag, ROOTFID, secondfid(job), numbers[job->tag]);
}

static void walkaddress(Nine *n, const Job *job, const Reply *took) {
    char path[64];

    (void)took;
    snprintf(path, sizeof path, "dial/%s", load.args[0]);
    twalk(n, job->tag, ROOTFID, firstfid(job), path);
}

// Eight round trips.
Result ninedialclone(void) {
    static Step *const steps[] = {walkclone, openfirst,  readnumber,  writeconnect,
                                  walkdata,  opensecond, clunkfirst, clunksecond};

    return jobs(nineattach(load.server, MSIZE), steps, sizeof steps / sizeof steps[0], NULL);
}

// Three.
Result ninedialopen(void) {
    static Step *const steps[] = {walkaddress, openfirst, clunkfirst};

    return jobs(nineattach(load.server, MSIZE), steps, sizeof steps / sizeof steps[0], NULL);
}
