#define _GNU_SOURCE
#include "netfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../datapath/sock.h"

enum { PATHSIZE = 4096 };

_Noreturn void fail(const char *what, const char *path) { die("%s %s: %s", what, path, strerror(errno)); }

int opened(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        fail("open", path);
    return fd;
}

static void writelines(int ctl, const char *messages) {
    while (*messages != '\0') {
        size_t len = strcspn(messages, "\n");
        if (write(ctl, messages, len) != (ssize_t)len)
            fail("ctl", messages);
        messages += len + (messages[len] == '\n');
    }
}

int filesdial(const char *mount, const char *net, const char *messages) {
    char path[PATHSIZE], number[64];
    int ctl, data;
    ssize_t n;

    snprintf(path, sizeof path, "%s/%s/clone", mount, net);
    ctl = opened(path);
    n = read(ctl, number, sizeof number - 1);
    if (n <= 0)
        fail("read", path);
    number[n] = '\0';
    writelines(ctl, messages);
    snprintf(path, sizeof path, "%s/%s/%d/data", mount, net, atoi(number));
    data = opened(path);
    close(ctl);
    return data;
}
