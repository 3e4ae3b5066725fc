// A mounted /net as a program sees it: files that are opened or the end of everything.
#ifndef NETFILES_H
#define NETFILES_H

// Ends the process with what the system said.
_Noreturn void fail(const char *what, const char *path);

// Opens for reading and writing, or fails.
int opened(const char *path);

// dial(2), with the files of MOUNT/NET: each line of `messages` is written to ctl. Gives the data file.
int filesdial(const char *mount, const char *net, const char *messages);

#endif
