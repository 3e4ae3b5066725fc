// Sockets, clock and failure: what the client and the peers share.
#ifndef SOCK_H
#define SOCK_H

#include <stddef.h>

// Prints the message on stderr and ends the process. A benchmark has nothing to
// recover: a figure from a half-failed run would be worse than none.
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// Monotonic seconds.
double now(void);

// User and system seconds that this process has used.
double usedseconds(void);

// Connects to "unix!PATH" or "tcp!127.x.x.x!PORT", with TCP_NODELAY; other addresses than
// loopback are refused. Reads and writes on the socket fail after 20 s without progress.
int sockdial(const char *addr);

// Both transfer exactly `len` bytes or die.
void sendall(int fd, const void *buf, size_t len);
void recvall(int fd, void *buf, size_t len);

void nodelay(int fd);

// Raises the soft limit of open files to the hard one.
void raisefds(void);

#endif
