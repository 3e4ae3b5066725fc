// One run of the load: what was asked for, and what came of it.
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

enum { MAXDEPTH = 64 };

typedef struct Load {
    const char *mount;   // where /net is mounted, or
    const char *server;  // where it is served by 9P; neither: plain sockets
    int depth;           // operations at a time
    uint32_t size;       // of a datagram
    int headers;         // datagrams with addresses
    double seconds;      // how long to measure
    uint64_t most;       // operations at most
    char **args;
} Load;

typedef struct Result {
    uint64_t ops;
    uint64_t lost;  // datagrams that did not arrive
    double seconds;
} Result;

extern Load load;

// The PORT of udp!127.0.0.1!PORT or tcp!127.0.0.1!PORT; anything else is no target for a benchmark.
uint16_t targetport(const char *target);

// What is written to the ctl of a udp conversation that talks to `port`.
void udpmessages(char *buf, size_t size, uint16_t port);

// Where a header that is written sends, and from where (ip(3), `headers`).
enum { HEADERSIZE = 52 };
void udpheader(uint8_t *header, uint16_t port);

// Datagrams by sockets or files, in udp.c; over 9P, in ninejobs.c.
Result udpsend(void), udpreceive(void), udpflood(void), udpecho(void);
Result ninesendall(void), ninereceiveall(void), nineflood(void), nineecho(void);

// Questions to a file, connections: by files or by libc in names.c; over 9P in ninejobs.c.
Result filesask(void), filesdialclone(void), filesdialopen(void), plaindial(void);
Result nineask(void), ninedialclone(void), ninedialopen(void);

// What libc would have done: getaddrinfo(3), and its stub resolver.
Result libcnames(void), libcquery(void);

#endif
