// A 9P2000 client that blocks, for one connection and one thread.
//
// The T-functions only append a request to the output; ninesend() sends what was
// appended in one go, so the caller decides what travels together. ninerecv() takes the
// replies in whatever order they come. Tags and fids are the caller's to choose.
#ifndef NINEP_H
#define NINEP_H

#include <stddef.h>
#include <stdint.h>

enum {
    Tversion = 100, Rversion, Tauth, Rauth, Tattach, Rattach, Terror, Rerror, Tflush, Rflush,
    Twalk, Rwalk, Topen, Ropen, Tcreate, Rcreate, Tread, Rread, Twrite, Rwrite, Tclunk, Rclunk,
};

enum { OREAD = 0, OWRITE = 1, ORDWR = 2 };

enum {
    ROOTFID = 0,
    IOHDRSZ = 24,     // room left for headers by custom: payload = msize - 24
    WRITEHDRSZ = 23,  // size[4] type[1] tag[2] fid[4] offset[8] count[4]
};

typedef struct Nine {
    int fd;
    uint32_t msize;  // as the server answered it
    uint8_t *out;
    size_t outlen;
    uint8_t *in;  // received bytes: [head, tail) not yet consumed
    size_t head, tail, cap;
} Nine;

typedef struct Reply {
    uint8_t type;
    uint16_t tag;
    uint32_t count;       // of Rread and Rwrite
    const uint8_t *data;  // of Rread; valid until the next ninerecv
} Reply;

// Connects, negotiates and attaches ROOTFID as the running user.
Nine *nineattach(const char *addr, uint32_t msize);
void nineclose(Nine *n);

// `path` is slash-separated, at most 16 elements.
void twalk(Nine *n, uint16_t tag, uint32_t fid, uint32_t newfid, const char *path);
void topen(Nine *n, uint16_t tag, uint32_t fid, uint8_t mode);
void tread(Nine *n, uint16_t tag, uint32_t fid, uint64_t offset, uint32_t count);
void twrite(Nine *n, uint16_t tag, uint32_t fid, uint64_t offset, const void *data, uint32_t count);
void tclunk(Nine *n, uint16_t tag, uint32_t fid);
void ninesend(Nine *n);

// Fills in a Twrite's header in front of a payload that lies ready at frame + WRITEHDRSZ,
// for bulk writes that must not copy a megabyte per request.
void writeheader(uint8_t *frame, uint16_t tag, uint32_t fid, uint64_t offset, uint32_t count);

// The next reply. An Rerror is returned like any other; its text is in nineerror().
Reply ninerecv(Nine *n);
const char *nineerror(void);

// Sends and waits for one reply. Returns 0 if it is an Rerror, dies on any other type than
// `want`.
int rpc(Nine *n, uint8_t want, Reply *r);

// The sequence of dial(2) in the directory `net`, one step after the other's answer; each line of `messages`
// is written to ctl. Leaves both fids open; returns 0 if the server refused a step.
int dialsteps(Nine *n, uint32_t ctl, uint32_t data, const char *net, const char *messages);

// The path of the data file of the conversation whose number an Rread of ctl has.
void datapath(char *path, size_t size, const char *net, const Reply *number);

// Whether a whole reply is here already, so that ninerecv would not wait.
int nineready(const Nine *n);

// Like ninerecv, but dies unless the reply is of type `want`.
Reply expect(Nine *n, uint8_t want);

#endif
