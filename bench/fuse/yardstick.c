// The yardstick: what a FUSE server written in C with libfuse 3 gives, when it does next to nothing.
//
//	yardstick DIR SECONDS
//
// One thread, the low-level interface, and the tree that tree.mjs and native.mjs serve too:
//
//	small   one byte: a write stores it, a read returns it
//	sink    writes are swallowed
//	source  reads give as many bytes as asked
//	plain   there to be looked at
//
// SECONDS is how long the kernel may remember a name; attributes it asks for each time.
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAXIO = 1 << 20 };

enum { ROOT = FUSE_ROOT_ID, SMALL, SINK, SOURCE, PLAIN, INODES };

static const char *const names[INODES] = {
    [SMALL] = "small", [SINK] = "sink", [SOURCE] = "source", [PLAIN] = "plain"};

static double entryseconds;
static char small = 'x';
static char bytes[MAXIO];

static struct stat attributes(fuse_ino_t ino) {
    return (struct stat){
        .st_ino = ino,
        .st_mode = ino == ROOT ? S_IFDIR | 0755 : S_IFREG | 0666,
        .st_nlink = 1,
    };
}

static struct fuse_entry_param entry(fuse_ino_t ino) {
    return (struct fuse_entry_param){.ino = ino, .attr = attributes(ino), .entry_timeout = entryseconds};
}

static void init(void *data, struct fuse_conn_info *conn) {
    (void)data;
    conn->max_write = MAXIO;
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
    (void)parent;
    for (fuse_ino_t ino = SMALL; ino < INODES; ino++)
        if (strcmp(name, names[ino]) == 0) {
            struct fuse_entry_param e = entry(ino);
            fuse_reply_entry(req, &e);
            return;
        }
    fuse_reply_err(req, ENOENT);
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    struct stat st = attributes(ino);

    (void)fi;
    fuse_reply_attr(req, &st, 0);
}

// A truncation that comes before a write changes nothing.
static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int which, struct fuse_file_info *fi) {
    (void)to;
    (void)which;
    getattr(req, ino, fi);
}

static void openfile(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    (void)ino;
    fi->direct_io = 1;
    fuse_reply_open(req, fi);
}

static void readfile(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
    (void)offset;
    (void)fi;
    if (ino == SMALL)
        fuse_reply_buf(req, &small, 1);
    else
        fuse_reply_buf(req, bytes, ino == SOURCE ? (size < MAXIO ? size : MAXIO) : 0);
}

static void writefile(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                      struct fuse_file_info *fi) {
    (void)offset;
    (void)fi;
    if (ino == SMALL && size > 0)
        small = data[0];
    fuse_reply_write(req, size);
}

// `.`, `..` and the files; entry k is at offset k.
static const struct {
    const char *name;
    fuse_ino_t ino;
} listing[] = {{".", ROOT}, {"..", ROOT}, {"small", SMALL}, {"sink", SINK}, {"source", SOURCE}, {"plain", PLAIN}};

static void list(fuse_req_t req, size_t size, off_t offset, int plus) {
    char *buf = malloc(size);
    size_t used = 0;

    if (buf == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    for (size_t k = (size_t)offset; k < sizeof listing / sizeof listing[0]; k++) {
        const char *name = listing[k].name;
        struct fuse_entry_param e = entry(listing[k].ino);
        size_t room = size - used;
        size_t n = plus ? fuse_add_direntry_plus(req, buf + used, room, name, &e, (off_t)k + 1)
                        : fuse_add_direntry(req, buf + used, room, name, &e.attr, (off_t)k + 1);
        if (n > room)
            break;
        used += n;
    }
    fuse_reply_buf(req, buf, used);
    free(buf);
}

static void readdirectory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
    (void)ino;
    (void)fi;
    list(req, size, offset, 0);
}

static void readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
    (void)ino;
    (void)fi;
    list(req, size, offset, 1);
}

static const struct fuse_lowlevel_ops operations = {
    .init = init,
    .lookup = lookup,
    .getattr = getattr,
    .setattr = setattr,
    .open = openfile,
    .read = readfile,
    .write = writefile,
    .readdir = readdirectory,
    .readdirplus = readdirplus,
};

// Mounts, serves until SIGTERM or umount, unmounts.
static int serve(struct fuse_session *se, const char *dir) {
    int failed;

    if (fuse_set_signal_handlers(se) != 0)
        return 1;
    if (fuse_session_mount(se, dir) != 0)
        return 1;
    failed = fuse_session_loop(se) < 0;
    fuse_session_unmount(se);
    return failed;
}

int main(int argc, char **argv) {
    char *options[] = {argv[0], "-ofsname=yardstick,nosuid,nodev", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(2, options);
    struct fuse_session *se;

    if (argc != 3) {
        fprintf(stderr, "usage: yardstick DIR SECONDS\n");
        return 1;
    }
    entryseconds = atof(argv[2]);
    memset(bytes, 'x', sizeof bytes); // else the kernel would read one page of zeros over and over
    se = fuse_session_new(&args, &operations, sizeof operations, NULL);
    return se == NULL || serve(se, argv[1]);
}
