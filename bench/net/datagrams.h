// What the load and the peer say to each other. Every datagram begins with a Note, in this machine's byte
// order; nobody sends more than WINDOW that are not acknowledged, so that no buffer overflows unless that is
// what is measured.
#ifndef DATAGRAMS_H
#define DATAGRAMS_H

#include <stdint.h>

enum { WINDOW = 64, ACKEVERY = 32, MAXDATAGRAM = 65507 };

enum {
    DATA,   // number: its place in the sequence, from 0
    ACK,    // number: how many came
    LAST,   // to the sink: there was no more
    TOTAL,  // its answer, with the number that came
    GO,     // to the source: send datagrams of `number` bytes
    FLOOD,  // the same, and do not wait to be acknowledged
    STOP,   // to the source
};

typedef struct Note {
    uint32_t kind, number;
} Note;

#endif
