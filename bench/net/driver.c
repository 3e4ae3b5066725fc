// The load: it runs one workload, prints one line of JSON and ends.
//
//	driver [options] send | receive | flood | echo udp!127.0.0.1!PORT
//	driver [options] ask FILE QUESTION ANSWER
//	driver [options] clone | open tcp!127.0.0.1!PORT
//	driver [options] getaddrinfo HOST SERVICE
//	driver [options] query 127.0.0.1!PORT NAME
//
// By plain sockets; with -m MOUNT by the files below MOUNT; with -s SERVER by 9P2000. `ask` writes QUESTION
// to FILE of /net and reads until it has what begins with ANSWER. `clone` and `open` dial and hang up.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../datapath/sock.h"
#include "datagrams.h"
#include "load.h"

Load load = {.depth = 1, .size = 64, .seconds = 1, .most = UINT64_MAX};

static const struct {
    const char *name;
    int args;
    Result (*plain)(void), (*files)(void), (*nine)(void);
} workloads[] = {
    {"send", 1, udpsend, udpsend, ninesendall},
    {"receive", 1, udpreceive, udpreceive, ninereceiveall},
    {"flood", 1, udpflood, udpflood, nineflood},
    {"echo", 1, udpecho, udpecho, nineecho},
    {"ask", 3, NULL, filesask, nineask},
    {"clone", 1, plaindial, filesdialclone, ninedialclone},
    {"open", 1, plaindial, filesdialopen, ninedialopen},
    {"getaddrinfo", 2, libcnames, NULL, NULL},
    {"query", 2, libcquery, NULL, NULL},
};

static _Noreturn void usage(void) {
    die("usage: driver [-m MOUNT | -s SERVER] [-n SECONDS] [-c COUNT] [-d DEPTH] [-z SIZE] [-h] "
        "send | receive | flood | echo | ask | clone | open | getaddrinfo | query ARGUMENT...");
}

uint16_t targetport(const char *target) {
    int port = 0, end = 0;

    if (sscanf(target, "%*3[a-z]!127.0.0.1!%d%n", &port, &end) < 1 || target[end] != '\0' || port < 1 || port > 65535)
        die("%s: want tcp!127.0.0.1!PORT or udp!127.0.0.1!PORT", target);
    return (uint16_t)port;
}

void udpmessages(char *buf, size_t size, uint16_t port) {
    if (load.headers)
        snprintf(buf, size, "headers\nannounce 127.0.0.1!0");
    else
        snprintf(buf, size, "connect 127.0.0.1!%d", port);
}

void udpheader(uint8_t *header, uint16_t port) {
    static const uint8_t loopback[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
    uint16_t order = htons(port);

    memset(header, 0, HEADERSIZE);
    for (int i = 0; i < 3; i++)
        memcpy(header + i * sizeof loopback, loopback, sizeof loopback);
    memcpy(header + 48, &order, sizeof order);
}

static void setoption(int c, const char *value) {
    switch (c) {
    case 'm': load.mount = value; break;
    case 's': load.server = value; break;
    case 'n': load.seconds = atof(value); break;
    case 'c': load.most = strtoull(value, NULL, 10); break;
    case 'd': load.depth = atoi(value); break;
    case 'z': load.size = (uint32_t)strtoul(value, NULL, 10); break;
    case 'h': load.headers = 1; break;
    default: usage();
    }
}

static void run(Result (*workload)(void)) {
    double used = usedseconds();
    Result r;

    if (workload == NULL)
        usage();
    r = workload();
    printf("{\"ops\":%llu,\"lost\":%llu,\"seconds\":%.6f,\"loadSeconds\":%.6f}\n", (unsigned long long)r.ops,
           (unsigned long long)r.lost, r.seconds, usedseconds() - used);
}

int main(int argc, char **argv) {
    int c;

    while ((c = getopt(argc, argv, "m:s:n:c:d:z:h")) != -1)
        setoption(c, optarg);
    if (load.depth < 1 || load.depth > MAXDEPTH)
        die("-d: want 1 to %d", MAXDEPTH);
    if (load.size < sizeof(Note) || load.size > MAXDATAGRAM)
        die("-z: want %zu to %d", sizeof(Note), MAXDATAGRAM);
    load.args = argv + optind + 1;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; optind < argc && i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(argv[optind], workloads[i].name) == 0 && argc - optind - 1 == workloads[i].args) {
            run(load.server != NULL ? workloads[i].nine
                : load.mount != NULL ? workloads[i].files
                                     : workloads[i].plain);
            return 0;
        }
    usage();
}
