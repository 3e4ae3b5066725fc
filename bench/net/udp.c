// Datagrams, one system call for each: through a socket, or through the data file of a mounted /net.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../datapath/sock.h"
#include "../fuse/netfiles.h"
#include "datagrams.h"
#include "load.h"

enum { STALLSECONDS = 10 };

// `put` and `get` move one datagram whose Note and bytes stand at `bytes`; get gives how many came.
static struct {
    int fd;
    void (*put)(size_t len);
    ssize_t (*get)(void);
    uint8_t *bytes;
    struct sockaddr_in to;
    uint8_t frame[HEADERSIZE + MAXDATAGRAM];
} channel;

static ssize_t moved(ssize_t n, const char *verb) {
    if (n < 0)
        die("%s: %s", verb, errno == EAGAIN ? "nothing for 10 s: a datagram was lost" : strerror(errno));
    return n;
}

// ---- a connected socket, or the data of a connected conversation ---------------------------

static void plainput(size_t len) { moved(write(channel.fd, channel.bytes, len), "write"); }

static ssize_t plainget(void) { return moved(read(channel.fd, channel.bytes, MAXDATAGRAM), "read"); }

// ---- the data of an announced conversation, with headers ------------------------------------

static void headerput(size_t len) { moved(write(channel.fd, channel.frame, HEADERSIZE + len), "write"); }

// The header of what came stands there for the next put: that is how one answers.
static ssize_t headerget(void) { return moved(read(channel.fd, channel.frame, HEADERSIZE + MAXDATAGRAM), "read") - HEADERSIZE; }

// ---- a bound socket, by the calls that say what a header says -------------------------------

typedef struct Message {
    struct msghdr header;
    struct iovec part;
    char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
} Message;

static struct msghdr *message(Message *m, size_t len) {
    m->part = (struct iovec){.iov_base = channel.bytes, .iov_len = len};
    m->header = (struct msghdr){
        .msg_name = &channel.to,
        .msg_namelen = sizeof channel.to,
        .msg_iov = &m->part,
        .msg_iovlen = 1,
        .msg_control = m->control,
        .msg_controllen = sizeof m->control,
    };
    return &m->header;
}

static void messageput(size_t len) {
    static Message m;
    struct msghdr *header = message(&m, len);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK)};

    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
    moved(sendmsg(channel.fd, header, 0), "sendmsg");
}

static ssize_t messageget(void) {
    static Message m;

    return moved(recvmsg(channel.fd, message(&m, MAXDATAGRAM), 0), "recvmsg");
}

// ---- opening ----------------------------------------------------------------------------------

static void opensocket(uint16_t port) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval stall = {.tv_sec = STALLSECONDS};
    int on = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    channel.to = local;
    channel.to.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
    if (load.headers) {
        if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0)
            fail("bind", "127.0.0.1");
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    } else if (connect(fd, (struct sockaddr *)&channel.to, sizeof channel.to) < 0) {
        fail("connect", load.args[0]);
    }
    channel.fd = fd;
}

static void openchannel(void) {
    uint16_t port = targetport(load.args[0]);
    char messages[64];

    channel.bytes = channel.frame + HEADERSIZE;
    if (load.mount == NULL) {
        opensocket(port);
        channel.put = load.headers ? messageput : plainput;
        channel.get = load.headers ? messageget : plainget;
        return;
    }
    udpmessages(messages, sizeof messages, port);
    channel.fd = filesdial(load.mount, "udp", messages);
    udpheader(channel.frame, port);
    channel.put = load.headers ? headerput : plainput;
    channel.get = load.headers ? headerget : plainget;
}

static void tell(uint32_t kind, uint32_t number, size_t len) {
    Note note = {.kind = kind, .number = number};

    memcpy(channel.bytes, &note, sizeof note);
    channel.put(len);
}

static Note hear(ssize_t *len) {
    Note note;

    *len = channel.get();
    if (*len < (ssize_t)sizeof note)
        die("read: a datagram of %zd bytes", *len);
    memcpy(&note, channel.bytes, sizeof note);
    return note;
}

// Waits for the answers that do not come in sequence with anything else.
static uint32_t await(uint32_t kind) {
    ssize_t len;

    for (;;) {
        Note note = hear(&len);
        if (note.kind == kind)
            return note.number;
    }
}

// ---- the workloads ------------------------------------------------------------------------------

Result udpsend(void) {
    uint32_t sent = 0, acked = 0;
    double start = now();
    Result r = {0};

    openchannel();
    start = now();
    do {
        if (sent - acked >= WINDOW)
            acked = await(ACK);
        tell(DATA, sent++, load.size);
    } while (now() - start < load.seconds);
    tell(LAST, 0, sizeof(Note));
    r.ops = await(TOTAL);
    r.seconds = now() - start;
    r.lost = sent - r.ops;
    return r;
}

static Result receive(uint32_t how) {
    uint32_t highest = 0;
    double start;
    Result r = {0};

    openchannel();
    start = now();
    tell(how, load.size, sizeof(Note));
    do {
        ssize_t len;
        Note note = hear(&len);
        if (note.kind != DATA || len != (ssize_t)load.size)
            die("read: a datagram of %zd bytes and kind %u", len, note.kind);
        if (note.number > highest)
            highest = note.number;
        if (++r.ops % ACKEVERY == 0 && how == GO)
            tell(ACK, (uint32_t)r.ops, sizeof note);
        r.seconds = now() - start;
    } while (r.seconds < load.seconds);
    tell(STOP, 0, sizeof(Note));
    r.lost = highest + 1 - r.ops;
    return r;
}

Result udpreceive(void) { return receive(GO); }

Result udpflood(void) { return receive(FLOOD); }

Result udpecho(void) {
    double start;
    Result r = {0};

    openchannel();
    start = now();
    do {
        ssize_t len;
        tell(DATA, (uint32_t)r.ops, load.size);
        if (hear(&len).number != (uint32_t)r.ops || len != (ssize_t)load.size)
            die("echo: something else came back");
        r.ops++;
        r.seconds = now() - start;
    } while (r.seconds < load.seconds);
    return r;
}
