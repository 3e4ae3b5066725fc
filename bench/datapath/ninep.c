#define _GNU_SOURCE
#include "ninep.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock.h"

enum { NOTAG = 0xffff, SLACK = 65536 };
static const uint32_t NOFID = 0xffffffff;

static char lasterror[256];

const char *nineerror(void) { return lasterror; }

static uint32_t get(const uint8_t *p, int bytes) {
    uint32_t v = 0;

    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static uint8_t *put(uint8_t *p, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++, v >>= 8)
        *p++ = (uint8_t)v;
    return p;
}

static uint8_t *putstr(uint8_t *p, const char *s, size_t len) {
    p = put(p, len, 2);
    memcpy(p, s, len);
    return p + len;
}

// begin() and end() stand around each message: begin leaves room for size[4].
static uint8_t *begin(Nine *n, uint8_t type, uint16_t tag) {
    uint8_t *p = n->out + n->outlen + 4;

    p = put(p, type, 1);
    return put(p, tag, 2);
}

static void end(Nine *n, uint8_t *p) {
    uint8_t *start = n->out + n->outlen;
    size_t size = (size_t)(p - start);

    put(start, size, 4);
    n->outlen += size;
    if (n->outlen > SLACK / 2)
        die("the client queued too many small requests at once");
}

void twalk(Nine *n, uint16_t tag, uint32_t fid, uint32_t newfid, const char *path) {
    uint8_t *p = begin(n, Twalk, tag), *count;
    int elements = 0;

    p = put(p, fid, 4);
    p = put(p, newfid, 4);
    count = p;
    p += 2;
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        p = putstr(p, path, len);
        path += len + (path[len] == '/');
        elements++;
    }
    put(count, (uint64_t)elements, 2);
    end(n, p);
}

void topen(Nine *n, uint16_t tag, uint32_t fid, uint8_t mode) {
    uint8_t *p = begin(n, Topen, tag);

    p = put(p, fid, 4);
    end(n, put(p, mode, 1));
}

void tread(Nine *n, uint16_t tag, uint32_t fid, uint64_t offset, uint32_t count) {
    uint8_t *p = begin(n, Tread, tag);

    p = put(p, fid, 4);
    p = put(p, offset, 8);
    end(n, put(p, count, 4));
}

void writeheader(uint8_t *p, uint16_t tag, uint32_t fid, uint64_t offset, uint32_t count) {
    p = put(p, WRITEHDRSZ + (uint64_t)count, 4);
    p = put(p, Twrite, 1);
    p = put(p, tag, 2);
    p = put(p, fid, 4);
    p = put(p, offset, 8);
    put(p, count, 4);
}

void twrite(Nine *n, uint16_t tag, uint32_t fid, uint64_t offset, const void *data, uint32_t count) {
    uint8_t *p = n->out + n->outlen;

    writeheader(p, tag, fid, offset, count);
    memcpy(p + WRITEHDRSZ, data, count);
    end(n, p + WRITEHDRSZ + count);
}

void tclunk(Nine *n, uint16_t tag, uint32_t fid) { end(n, put(begin(n, Tclunk, tag), fid, 4)); }

void ninesend(Nine *n) {
    sendall(n->fd, n->out, n->outlen);
    n->outlen = 0;
}

// Makes at least `want` unconsumed bytes available. It takes as much as the socket has, so
// that replies which the server sent together cost one system call here too.
static void fill(Nine *n, size_t want) {
    if (n->head == n->tail)
        n->head = n->tail = 0;
    if (n->head + want > n->cap) {
        memmove(n->in, n->in + n->head, n->tail - n->head);
        n->tail -= n->head;
        n->head = 0;
    }
    while (n->tail - n->head < want) {
        ssize_t got = recv(n->fd, n->in + n->tail, n->cap - n->tail, 0);
        if (got == 0)
            die("the 9P server hung up");
        if (got < 0)
            die("recv from the 9P server: %s", errno == EAGAIN ? "no answer for 20 s" : strerror(errno));
        n->tail += (size_t)got;
    }
}

static void keeperror(const uint8_t *body, size_t len) {
    size_t n = len >= 2 ? get(body, 2) : 0;

    if (n + 2 > len)
        die("the server's Rerror is cut short");
    snprintf(lasterror, sizeof lasterror, "%.*s", (int)n, (const char *)body + 2);
}

Reply ninerecv(Nine *n) {
    Reply r = {0};
    const uint8_t *p;
    uint32_t size;

    fill(n, 7);
    size = get(n->in + n->head, 4);
    if (size < 7 || size > n->msize)
        die("the server sent a message of %u bytes; msize is %u", size, n->msize);
    fill(n, size);
    p = n->in + n->head;
    n->head += size;
    r.type = p[4];
    r.tag = (uint16_t)get(p + 5, 2);
    if (r.type == Rerror)
        keeperror(p + 7, size - 7);
    if ((r.type == Rread || r.type == Rwrite) && size >= 11) {
        r.count = get(p + 7, 4);
        r.data = p + 11;
    }
    if (r.type == Rread && r.count != size - 11)
        die("the server sent an Rread of %u bytes with count %u", size, r.count);
    return r;
}

static void mustbe(const Reply *r, uint8_t want) {
    if (r->type == want)
        return;
    if (r->type == Rerror)
        die("the server refused a request of type %d: %s", want - 1, lasterror);
    die("the server answered with type %d, not %d", r->type, want);
}

Reply expect(Nine *n, uint8_t want) {
    Reply r = ninerecv(n);

    mustbe(&r, want);
    return r;
}

int rpc(Nine *n, uint8_t want, Reply *r) {
    Reply got;

    ninesend(n);
    got = ninerecv(n);
    if (got.type == Rerror)
        return 0;
    mustbe(&got, want);
    if (r != NULL)
        *r = got;
    return 1;
}

int nineready(const Nine *n) {
    size_t here = n->tail - n->head;

    return here >= 7 && here >= get(n->in + n->head, 4);
}

void datapath(char *path, size_t size, const char *net, const Reply *number) {
    snprintf(path, size, "%s/%.*s/data", net, (int)number->count, (const char *)number->data);
}

static int writelines(Nine *n, uint32_t ctl, const char *messages) {
    while (*messages != '\0') {
        size_t len = strcspn(messages, "\n");
        twrite(n, 1, ctl, 0, messages, (uint32_t)len);
        if (!rpc(n, Rwrite, NULL))
            return 0;
        messages += len + (messages[len] == '\n');
    }
    return 1;
}

int dialsteps(Nine *n, uint32_t ctl, uint32_t data, const char *net, const char *messages) {
    char path[64];
    Reply number;

    snprintf(path, sizeof path, "%s/clone", net);
    twalk(n, 1, ROOTFID, ctl, path);
    if (!rpc(n, Rwalk, NULL))
        return 0;
    topen(n, 1, ctl, ORDWR);
    if (!rpc(n, Ropen, NULL))
        return 0;
    tread(n, 1, ctl, 0, 32);
    if (!rpc(n, Rread, &number))
        return 0;
    datapath(path, sizeof path, net, &number);
    if (!writelines(n, ctl, messages))
        return 0;
    twalk(n, 1, ROOTFID, data, path);
    if (!rpc(n, Rwalk, NULL))
        return 0;
    topen(n, 1, data, ORDWR);
    return rpc(n, Ropen, NULL);
}

static void negotiate(Nine *n) {
    uint8_t *p = begin(n, Tversion, NOTAG);
    const uint8_t *body;

    p = put(p, n->msize, 4);
    end(n, putstr(p, "9P2000", 6));
    ninesend(n);
    expect(n, Rversion);
    // Nothing else was asked, so the Rversion starts at in[0].
    body = n->in + 7;
    if (get(body, 4) > n->msize || get(body, 4) < 256)
        die("the server answered msize %u to %u", get(body, 4), n->msize);
    n->msize = get(body, 4);
    if (get(body + 4, 2) != 6 || memcmp(body + 6, "9P2000", 6) != 0)
        die("the server does not speak 9P2000");
}

static void attach(Nine *n) {
    struct passwd *pw = getpwuid(getuid());
    const char *user = pw != NULL ? pw->pw_name : "none";
    uint8_t *p = begin(n, Tattach, 0);

    p = put(p, ROOTFID, 4);
    p = put(p, NOFID, 4);
    p = putstr(p, user, strlen(user));
    end(n, putstr(p, "", 0));
    ninesend(n);
    expect(n, Rattach);
}

static void *must(void *p) {
    if (p == NULL)
        die("out of memory");
    return p;
}

Nine *nineattach(const char *addr, uint32_t msize) {
    Nine *n = must(calloc(1, sizeof *n));

    n->fd = sockdial(addr);
    n->msize = msize;
    n->out = must(malloc(SLACK));
    n->cap = msize + SLACK;
    n->in = must(malloc(n->cap));
    negotiate(n);
    attach(n);
    return n;
}

void nineclose(Nine *n) {
    close(n->fd);
    free(n->in);
    free(n->out);
    free(n);
}
