/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every kind of source to every kind of destination, byte for byte, on every backend.
 *
 * What is copied is cut out of one row of random bytes, each time at another place, so that bytes
 * which come out of order, twice or from a neighbour are seen. The other ends of fifos, sockets and
 * terminals are flows: all in one poll(2) loop, each in pieces and with stalls of its own.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <termios.h>
#include <unistd.h>
#if defined __APPLE__ || defined __OpenBSD__ || defined __NetBSD__
#include <util.h>
#elif defined __FreeBSD__
#include <libutil.h>
#else
#include <pty.h>
#endif

#include "base/clock.h"
#include "copy/kernel.h"
#include "e2e/backends.h"
#include "kit/random.h"

#define KIB INT64_C(1024)
#define MIB (KIB * KIB)

enum { CONTENT = 4 * MIB, SOME = 3 * MIB, PATH = 600 };

static char content[CONTENT];
static const char *folder;

/* ---- files ---- */

static const char *name(const char *file)
{
    static char paths[16][PATH];
    static unsigned turn;
    char *path = paths[turn++ % 16];

    snprintf(path, PATH, "%s/%s", folder, file);
    return path;
}

static const char *numbered(const char *file, int number)
{
    char numbered[64];

    snprintf(numbered, sizeof numbered, "%s%d", file, number);
    return name(numbered);
}

static void write_at(int fd, int64_t offset, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = pwrite(fd, bytes, n, offset);

        assert_true(written > 0);
        bytes += written;
        offset += written;
        n -= (size_t)written;
    }
}

static const char *make_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    write_at(fd, 0, bytes, n);
    assert_int_equal(close(fd), 0);
    return path;
}

static const char *make_fifo(const char *path)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

/* Reads all of what is at PATH; the caller frees it. */
static char *slurp(const char *path, size_t *length)
{
    size_t size = 2 * CONTENT;
    char *bytes = malloc(size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_non_null(bytes);
    assert_true(fd >= 0);
    for (*length = 0; (n = read(fd, bytes + *length, size - *length)) > 0; *length += (size_t)n)
        continue;
    assert_int_equal(n, 0);
    assert_true(*length < size);
    close(fd);
    return bytes;
}

static void assert_holds(const char *path, const char *bytes, size_t n)
{
    size_t length;
    char *found = slurp(path, &length);

    if (length != n || memcmp(found, bytes, n) != 0)
        fail_msg("%s: %zu bytes, and not the %zu that were to be in it", path, length, n);
    free(found);
}

/* ---- the program ---- */

static void assert_copied(struct kit_process *process, size_t total)
{
    char said[64];
    int status = kit_end(process);

    assert_string_equal(kit_stderr(process), "");
    assert_int_equal(status, 0);
    snprintf(said, sizeof said, "Number of bytes copied %zu\n", total);
    assert_string_equal(kit_stdout(process, NULL), said);
}

/* Copies COUNT files s0, s1 ... to d0, d1 ... with at most LIMIT descriptors, where it may have so
 * many. */
static struct kit_process *copy_many(const char *backend, int count, const char *limit)
{
    static const char script[] =
        "ulimit -n $4 2>/dev/null; b=$1 f=$2 n=$3 i=0; set --\n"
        "while [ $i -lt $n ]; do set -- \"$@\" $f/s$i $f/d$i; i=$((i+1)); done\n"
        "exec $TEST_WRAPPER \"$0\" -b $b \"$@\"";
    char number[16];

    snprintf(number, sizeof number, "%d", count);
    return kit_run("sh", "-c", script, kit_program("pollcopy"), backend, folder, number, limit,
                   NULL);
}

/* ---- flows ---- */

struct flow {
    int fd; /* -1: over */
    bool is_reader;
    bool has_no_end; /* it is over with the last byte: a terminal */
    const char *bytes;
    size_t length;
    size_t done;
    uint32_t piece; /* bytes at once, at most */
    uint32_t stall; /* microseconds between two pieces, at most */
    int64_t not_before;
};

static uint32_t seed = 20051122;

static void flow_end(struct flow *flow)
{
    assert_int_equal(flow->done, flow->length);
    assert_int_equal(close(flow->fd), 0);
    flow->fd = -1;
}

static void flow_read(struct flow *flow, size_t piece)
{
    static char bytes[CONTENT];
    ssize_t n = read(flow->fd, bytes, piece);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    assert_true(n >= 0);
    assert_true((size_t)n <= flow->length - flow->done);
    assert_memory_equal(bytes, flow->bytes + flow->done, (size_t)n);
    flow->done += (size_t)n;
    if (n == 0 || (flow->has_no_end && flow->done == flow->length))
        flow_end(flow);
}

static void flow_write(struct flow *flow, size_t piece)
{
    size_t left = flow->length - flow->done;
    ssize_t n = write(flow->fd, flow->bytes + flow->done, piece < left ? piece : left);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    assert_true(n >= 0);
    flow->done += (size_t)n;
    if (flow->done == flow->length)
        flow_end(flow);
}

static void flow_step(struct flow *flow)
{
    size_t piece = kit_random(&seed, flow->piece) + 1;

    if (flow->is_reader)
        flow_read(flow, piece);
    else
        flow_write(flow, piece);
    if (flow->stall > 0)
        flow->not_before =
            clock_now() + kit_random(&seed, flow->stall) * (CLOCK_MILLISECOND / 1000);
}

/* Fills ASKED with who may go on at NOW. Returns how many are not over, and in *WAIT the time until
 * the first of the others may, in milliseconds. */
static size_t flows_ask(const struct flow *flows, size_t count, struct pollfd *asked, int64_t now,
                        int *wait)
{
    size_t left = 0;

    *wait = 1000;
    for (size_t i = 0; i < count; i++) {
        const struct flow *flow = &flows[i];
        int64_t later = flow->not_before - now;

        asked[i] = (struct pollfd){.fd = later > 0 ? -1 : flow->fd,
                                   .events = flow->is_reader ? POLLIN : POLLOUT};
        if (flow->fd >= 0 && later > 0 && later / CLOCK_MILLISECOND < *wait)
            *wait = (int)(later / CLOCK_MILLISECOND) + 1;
        left += flow->fd >= 0;
    }
    return left;
}

/* Makes all flow to their ends. */
static void flow_all(struct flow *flows, size_t count)
{
    struct pollfd *asked = calloc(count, sizeof *asked);
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    int wait;

    assert_non_null(asked);
    while (flows_ask(flows, count, asked, clock_now(), &wait) > 0) {
        assert_true(poll(asked, (nfds_t)count, wait) >= 0);
        for (size_t i = 0; i < count; i++)
            if (asked[i].fd >= 0 && asked[i].revents)
                flow_step(&flows[i]);
        if (clock_now() > deadline)
            fail_msg("flows come to no end");
    }
    free(asked);
}

/* The flow of N bytes at PLACE of the content through FD, as fast as can be. */
static struct flow flow_of(int fd, bool is_reader, size_t place, size_t n)
{
    assert_true(place + n <= CONTENT);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
    assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    return (struct flow){
        .fd = fd, .is_reader = is_reader, .bytes = content + place, .length = n, .piece = 64 * KIB};
}

static struct flow with_stalls(struct flow flow, uint32_t piece, uint32_t stall)
{
    flow.piece = piece;
    flow.stall = stall;
    return flow;
}

static void wait_a_moment(int64_t deadline)
{
    if (clock_now() > deadline)
        fail_msg("nobody is at the other end");
    poll(NULL, 0, 1);
}

/* Waits for a reader: of what is written before there is one nobody gets anything. */
static int fifo_writer(const char *path)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    int fd;

    while ((fd = open(path, O_WRONLY | O_NONBLOCK)) < 0 && errno == ENXIO)
        wait_a_moment(deadline);
    return fd;
}

static int fifo_reader(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK);
}

/* ---- files ---- */

static void files(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *process;

    make_file(name("empty"), "", 0);
    make_file(name("byte"), content, 1);
    make_file(name("some"), content, SOME);
    process = kit_run("pollcopy", "-b", backend, name("empty"), name("empty copy"), name("byte"),
                      name("byte copy"), name("some"), name("some copy"), NULL);
    assert_copied(process, SOME + 1);
    assert_holds(name("empty copy"), "", 0);
    assert_holds(name("byte copy"), content, 1);
    assert_holds(name("some copy"), content, SOME);
    assert_holds(name("some"), content, SOME);
}

static void many_pairs(void **state, int count, const char *limit)
{
    const char *backend = backend_of(state);
    size_t total = 0;

    for (int i = 0; i < count; i++) {
        size_t n = (size_t)i * 37 % 5000;

        make_file(numbered("s", i), content + 7 * i, n);
        total += n;
    }
    assert_copied(copy_many(backend, count, limit), total);
    for (int i = 0; i < count; i++)
        assert_holds(numbered("d", i), content + 7 * i, (size_t)i * 37 % 5000);
}

static void a_thousand_pairs(void **state)
{
    many_pairs(state, kit_is_instrumented() ? 100 : 1000, "2100");
}

static void more_pairs_than_descriptors(void **state)
{
    many_pairs(state, kit_is_instrumented() ? 50 : 300, "40");
}

/* What is in files of /proc is made when it is read, and their size is 0. Some of it changes
 * between two looks: what is compared has not. */
static void files_of_proc(void **state)
{
    static const char *const paths[] = {"/proc/version",     "/proc/cpuinfo", "/proc/devices",
                                        "/proc/filesystems", "/proc/modules", "/proc/kallsyms"};
    const char *backend = backend_of(state);
    int compared = 0;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t lengths[2];
        char *found[2];

        if (access(paths[i], R_OK) < 0 || (kit_is_instrumented() && strstr(paths[i], "kallsyms")))
            continue;
        found[0] = slurp(paths[i], &lengths[0]);
        assert_int_equal(kit_end(kit_run("pollcopy", "-b", backend, paths[i], name("copy"), NULL)),
                         0);
        found[1] = slurp(paths[i], &lengths[1]);
        if (lengths[0] == lengths[1] && memcmp(found[0], found[1], lengths[0]) == 0) {
            assert_holds(name("copy"), found[0], lengths[0]);
            compared += lengths[0] > 0;
        }
        free(found[0]);
        free(found[1]);
    }
    if (compared == 0)
        kit_skip("there is nothing in /proc that stays as it is");
}

static void devices(void **state)
{
    const char *backend = backend_of(state);

    make_file(name("some"), content, SOME);
    make_file(name("old"), content, 10);
    assert_copied(kit_run("pollcopy", "-b", backend, name("some"), "/dev/null", "/dev/null",
                          name("old"), NULL),
                  SOME);
    assert_holds(name("old"), "", 0);
}

/* ---- holes ---- */

static int64_t blocks_of(int fd)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return status.st_blocks;
}

static void assert_same_bytes(int a, int b, int64_t from, int64_t to)
{
    static char bytes[2][MIB];

    while (from < to) {
        ssize_t n = pread(a, bytes[0], to - from < MIB ? (size_t)(to - from) : MIB, from);

        assert_true(n > 0);
        assert_int_equal(pread(b, bytes[1], (size_t)n, from), n);
        assert_memory_equal(bytes[0], bytes[1], (size_t)n);
        from += n;
    }
}

/* Where one has data the other has the same, and nowhere else. */
static void assert_same_layout(int a, int b)
{
    int64_t end = lseek(a, 0, SEEK_END);
    int64_t data, hole;

    assert_int_equal(lseek(b, 0, SEEK_END), end);
    for (int64_t at = 0; at < end; at = hole) {
        data = kernel_seek(a, at, 0);
        assert_int_equal(kernel_seek(b, at, 0), data);
        if (data < 0)
            break;
        hole = kernel_seek(a, data, 1);
        assert_int_equal(kernel_seek(b, data, 1), hole);
        assert_same_bytes(a, b, data, hole);
    }
}

/* Makes a file of SIZE bytes with data at the OFFSETS, the last of which is 0. */
static void make_sparse(const char *path, int64_t size, const int64_t offsets[])
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (int i = 0; i == 0 || offsets[i - 1] != 0; i++)
        write_at(fd, offsets[i], content + 1000 * i, 200000);
    assert_int_equal(ftruncate(fd, size), 0);
    if (kernel_seek(fd, offsets[0] / 2, 0) == offsets[0] / 2)
        kit_skip("this file system tells of no holes");
    close(fd);
}

static void assert_is_as_sparse(const char *copy, const char *source)
{
    int a = open(source, O_RDONLY | O_CLOEXEC);
    int b = open(copy, O_RDONLY | O_CLOEXEC);

    assert_true(a >= 0);
    assert_true(b >= 0);
    assert_same_layout(a, b);
    assert_true(blocks_of(b) <= blocks_of(a) + 256);
    close(a);
    close(b);
}

static void holes(void **state)
{
    static const int64_t with_a_hole_at_the_end[] = {4 * MIB, 9 * MIB, 0};
    static const int64_t with_data_at_the_end[] = {2 * MIB, 16 * MIB - 200000, 0};
    const char *backend = backend_of(state);

    make_sparse(name("a"), 16 * MIB, with_a_hole_at_the_end);
    make_sparse(name("b"), 16 * MIB, with_data_at_the_end);
    close(open(name("c"), O_WRONLY | O_CREAT, 0600));
    assert_int_equal(truncate(name("c"), 8 * MIB), 0);
    assert_copied(kit_run("pollcopy", "-b", backend, name("a"), name("a copy"), name("b"),
                          name("b copy"), name("c"), name("c copy"), NULL),
                  (size_t)40 * MIB);
    assert_is_as_sparse(name("a copy"), name("a"));
    assert_is_as_sparse(name("b copy"), name("b"));
    assert_is_as_sparse(name("c copy"), name("c"));
}

/* Where the destination is no file a hole is what it is read as: zeros. */
static void holes_into_a_fifo(void **state)
{
    static const int64_t offsets[] = {MIB, 2 * MIB, 0};
    const char *backend = backend_of(state);
    struct kit_process *process;
    struct flow flow;
    char *zeros = calloc(1, CONTENT);

    assert_non_null(zeros);
    make_sparse(name("a"), SOME, offsets);
    make_fifo(name("fifo"));
    flow = flow_of(fifo_reader(name("fifo")), true, 0, 0);
    memcpy(zeros + MIB, content, 200000);
    memcpy(zeros + (size_t)2 * MIB, content + 1000, 200000);
    memcpy(zeros, content + 2000, 200000);
    flow.bytes = zeros;
    flow.length = SOME;
    process = kit_run("pollcopy", "-b", backend, name("a"), name("fifo"), NULL);
    flow_all(&flow, 1);
    assert_copied(process, SOME);
    free(zeros);
}

static void more_than_32_bits(void **state)
{
    static const int64_t offsets[] = {INT64_C(2147483000), INT64_C(4294966000), INT64_C(5) << 30,
                                      0};
    const int64_t size = (INT64_C(5) << 30) + 300000;
    const char *backend = backend_of(state);
    struct statvfs room;

    if (kit_is_instrumented())
        kit_skip("it would take too long");
    assert_int_equal(statvfs(folder, &room), 0);
    if ((int64_t)room.f_bavail * (int64_t)room.f_frsize < INT64_C(8) << 30)
        kit_skip("there is no room for 5 GiB");
    make_sparse(name("a"), size, offsets);
    assert_copied(kit_run("pollcopy", "-b", backend, name("a"), name("b"), NULL), (size_t)size);
    assert_is_as_sparse(name("b"), name("a"));
}

/* ---- fifos ---- */

static void fifos_with_slow_and_bursty_writers(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *process;
    struct flow flows[3];

    make_fifo(name("slow"));
    make_fifo(name("bursty"));
    make_fifo(name("silent"));
    process = kit_run("pollcopy", "-b", backend, name("slow"), name("slow copy"), name("bursty"),
                      name("bursty copy"), name("silent"), name("silent copy"), NULL);
    flows[0] = with_stalls(flow_of(fifo_writer(name("slow")), false, 1000, 3000), 100, 4000);
    flows[1] = with_stalls(flow_of(fifo_writer(name("bursty")), false, 2000, SOME), MIB, 8000);
    flows[2] = flow_of(fifo_writer(name("silent")), false, 0, 1);
    flows[2].not_before = clock_now() + 100 * CLOCK_MILLISECOND;
    flow_all(flows, 3);
    assert_copied(process, 3000 + SOME + 1);
    assert_holds(name("slow copy"), content + 1000, 3000);
    assert_holds(name("bursty copy"), content + 2000, SOME);
    assert_holds(name("silent copy"), content, 1);
}

static void a_fifo_with_a_slow_reader(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *process;
    struct flow flow;

    make_fifo(name("fifo"));
    make_file(name("file"), content + 500, SOME);
    process = kit_run("pollcopy", "-b", backend, name("file"), name("fifo"), NULL);
    flow = with_stalls(flow_of(fifo_reader(name("fifo")), true, 500, SOME), 300000, 3000);
    flow_all(&flow, 1);
    assert_copied(process, SOME);
}

static void fifo_pairs_with_random_stalls(void **state)
{
    enum { MOST = 200 };
    const char *backend = backend_of(state);
    const int count = kit_is_instrumented() ? 20 : MOST;
    const size_t each = kit_is_instrumented() ? 20000 : 100000;
    static struct flow flows[2 * MOST];
    struct kit_process *process;

    for (int i = 0; i < count; i++) {
        make_fifo(numbered("s", i));
        make_fifo(numbered("d", i));
        flows[i] = with_stalls(
            flow_of(fifo_reader(numbered("d", i)), true, (size_t)i * 5000, each + (size_t)i), 30000,
            20000);
    }
    process = copy_many(backend, count, "2100");
    for (int i = 0; i < count; i++)
        flows[count + i] = with_stalls(
            flow_of(fifo_writer(numbered("s", i)), false, (size_t)i * 5000, each + (size_t)i),
            30000, 20000);
    flow_all(flows, 2 * (size_t)count);
    assert_copied(process, (size_t)count * each + (size_t)count * ((size_t)count - 1) / 2);
}

/* ---- sockets ---- */

static void sockets(void **state)
{
    const char *backend = backend_of(state);
    char to_tcp[64], from_tcp[64], to_unix[PATH + 8], from_unix[PATH + 8];
    struct kit_process *process;
    uint16_t ports[2];
    int listeners[4] = {kit_listen(&ports[0]), kit_listen(&ports[1]), kit_listen_unix(name("in")),
                        kit_listen_unix(name("out"))};
    struct flow flows[4];

    snprintf(from_tcp, sizeof from_tcp, "tcp:127.0.0.1:%u", ports[0]);
    snprintf(to_tcp, sizeof to_tcp, "tcp:localhost:%u", ports[1]);
    snprintf(from_unix, sizeof from_unix, "unix:%s", name("in"));
    snprintf(to_unix, sizeof to_unix, "%s", name("out"));
    make_file(name("c"), content + 3000, SOME);
    make_file(name("d"), content + 4000, SOME);
    process = kit_run("pollcopy", "-b", backend, from_tcp, name("a"), from_unix, name("b"),
                      name("c"), to_tcp, name("d"), to_unix, NULL);
    flows[0] = with_stalls(flow_of(kit_accept(listeners[0]), false, 1000, SOME), MIB, 3000);
    flows[1] = flow_of(kit_accept(listeners[1]), true, 3000, SOME);
    flows[2] = flow_of(kit_accept(listeners[2]), false, 2000, SOME);
    flows[3] = with_stalls(flow_of(kit_accept(listeners[3]), true, 4000, SOME), MIB, 3000);
    flow_all(flows, 4);
    assert_copied(process, (size_t)4 * SOME);
    assert_holds(name("a"), content + 1000, SOME);
    assert_holds(name("b"), content + 2000, SOME);
}

static void a_socket_to_a_socket(void **state)
{
    const char *backend = backend_of(state);
    char from[64], to[PATH + 8];
    struct kit_process *process;
    struct flow flows[2];
    uint16_t port;
    int listeners[2] = {kit_listen(&port), kit_listen_unix(name("out"))};

    snprintf(from, sizeof from, "tcp:127.0.0.1:%u", port);
    snprintf(to, sizeof to, "unix:%s", name("out"));
    process = kit_run("pollcopy", "-b", backend, from, to, NULL);
    flows[0] = with_stalls(flow_of(kit_accept(listeners[0]), false, 10, SOME), 300000, 2000);
    flows[1] = with_stalls(flow_of(kit_accept(listeners[1]), true, 10, SOME), 300000, 2000);
    flow_all(flows, 2);
    assert_copied(process, SOME);
}

/* Connects to PORT as soon as somebody listens there. A connect to a free port could meet itself:
 * so it has a port already, which is another. */
static int connect_in_time(uint16_t port)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        address.sin_port = 0;
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        address.sin_port = htons(port);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
        wait_a_moment(deadline);
    }
}

static void clients_that_are_waited_for(void **state)
{
    const char *backend = backend_of(state);
    char to[64], from[64];
    struct kit_process *process;
    struct flow flows[2];
    uint16_t ports[2];
    int held[2] = {kit_bind(SOCK_STREAM, &ports[0]), kit_bind(SOCK_STREAM, &ports[1])};

    snprintf(from, sizeof from, "tcp-listen:127.0.0.1:%u", ports[0]);
    snprintf(to, sizeof to, "tcp-listen:%u", ports[1]);
    make_file(name("b"), content + 20, SOME);
    close(held[0]);
    close(held[1]);
    process = kit_run("pollcopy", "-b", backend, from, name("a"), name("b"), to, NULL);
    flows[0] = flow_of(connect_in_time(ports[0]), false, 10, SOME);
    flows[1] = flow_of(connect_in_time(ports[1]), true, 20, SOME);
    flow_all(flows, 2);
    assert_copied(process, (size_t)2 * SOME);
    assert_holds(name("a"), content + 10, SOME);
}

/* ---- terminals ---- */

/* Opens a terminal that changes nothing of what passes; where IS_BY_LINES it has an end, Ctrl-D. */
static void open_terminal(int *master, int *slave, char path[100], bool is_by_lines)
{
    struct termios settings;

    assert_int_equal(openpty(master, slave, path, NULL, NULL), 0);
    fcntl(*master, F_SETFD, FD_CLOEXEC);
    fcntl(*slave, F_SETFD, FD_CLOEXEC);
    assert_int_equal(tcgetattr(*slave, &settings), 0);
    cfmakeraw(&settings);
    if (is_by_lines)
        settings.c_lflag |= ICANON;
    assert_int_equal(tcsetattr(*slave, TCSANOW, &settings), 0);
}

/* Lines of N bytes in all, and behind them an end. */
static char *make_lines(size_t n)
{
    char *lines = malloc(n + 1);

    assert_non_null(lines);
    for (size_t i = 0; i < n; i++)
        lines[i] = i % 50 == 49 || i == n - 1 ? '\n' : (char)('a' + (content[i] & 15));
    lines[n] = 'D' & 31;
    return lines;
}

static void a_terminal_as_the_source(void **state)
{
    enum { LINES = 30000 };
    const char *backend = backend_of(state);
    char *lines = make_lines(LINES);
    struct kit_process *process;
    struct flow flow;
    char path[100];
    int master, slave;

    open_terminal(&master, &slave, path, true);
    process = kit_run("pollcopy", "-b", backend, path, name("copy"), NULL);
    flow = with_stalls(flow_of(dup(master), false, 0, 0), 3000, 1000);
    flow.bytes = lines;
    flow.length = LINES + 1;
    flow_all(&flow, 1);
    assert_copied(process, LINES);
    assert_holds(name("copy"), lines, LINES);
    close(slave);
    close(master);
    free(lines);
}

static void a_terminal_as_the_destination(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *process;
    struct flow flow;
    char path[100];
    int master, slave;

    open_terminal(&master, &slave, path, false);
    make_file(name("file"), content + 70, 300000);
    process = kit_run("pollcopy", "-b", backend, name("file"), path, NULL);
    flow = with_stalls(flow_of(dup(master), true, 70, 300000), 50000, 1000);
    flow.has_no_end = true;
    flow_all(&flow, 1);
    assert_copied(process, 300000);
    close(slave);
    close(master);
}

static void a_terminal_to_itself(void **state)
{
    const char *backend = backend_of(state);
    const char *const argv[] = {"pollcopy", "-q", "--progress=never", "-b", backend, "-",
                                "-",        NULL};
    struct kit_terminal *terminal = kit_terminal(24, 80, argv);
    int copies = 0;

    kit_press(terminal, "one\r");
    kit_await_row(terminal, "one");
    kit_press(terminal, "two\r");
    kit_await_row(terminal, "two");
    kit_press(terminal, "\004");
    assert_int_equal(kit_terminal_end(terminal), 0);
    for (int row = 0; row < 4; row++)
        copies += strcmp(kit_row(terminal, row), "one") == 0;
    assert_int_equal(copies, 2); /* one typed, one copied */
}

/* ---- what was open already ---- */

static void standard_input_and_output(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *process = kit_run("pollcopy", "-b", backend, "-", "-", NULL);
    size_t length;
    const char *output;

    kit_type_bytes(process, content, SOME);
    kit_type_end(process);
    assert_int_equal(kit_end(process), 0);
    output = kit_stdout(process, &length);
    assert_int_equal(length, SOME);
    assert_memory_equal(output, content, SOME);
    assert_string_equal(kit_stderr(process), "");
}

static void between_others(void **state)
{
    static const char script[] = "cat \"$2\" | $TEST_WRAPPER \"$0\" -b $1 - - | cat >\"$3\"";
    const char *backend = backend_of(state);

    make_file(name("a"), content, SOME);
    assert_int_equal(kit_end(kit_run("sh", "-c", script, kit_program("pollcopy"), backend,
                                     name("a"), name("b"), NULL)),
                     0);
    assert_holds(name("b"), content, SOME);
}

static void assert_blocks(int fd)
{
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void files_that_are_open(void **state)
{
    const char *backend = backend_of(state);
    char places[3][16];
    int fds[3] = {open(make_file(name("a"), content, SOME), O_RDONLY),
                  open(name("b"), O_RDWR | O_CREAT, 0600),
                  open(make_file(name("c"), content, 5), O_WRONLY | O_APPEND)};

    for (int i = 0; i < 3; i++)
        snprintf(places[i], sizeof places[i], "fd:%d", fds[i]);
    assert_int_equal(lseek(fds[0], 5, SEEK_SET), 5);
    assert_int_equal(write(fds[1], "12345", 5), 5);
    assert_copied(kit_run("pollcopy", "-b", backend, places[0], places[1], NULL), SOME - 5);
    assert_int_equal(lseek(fds[0], 0, SEEK_CUR), SOME);
    assert_int_equal(lseek(fds[1], 0, SEEK_CUR), SOME);
    assert_int_equal(pwrite(fds[1], content, 5, 0), 5);
    assert_holds(name("b"), content, SOME);
    assert_int_equal(lseek(fds[0], 5, SEEK_SET), 5);
    assert_copied(kit_run("pollcopy", "-b", backend, places[0], places[2], NULL), SOME - 5);
    assert_holds(name("c"), content, SOME);
    for (int i = 0; i < 3; i++) {
        assert_blocks(fds[i]);
        close(fds[i]);
    }
}

static void pipes_and_sockets_that_are_open(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *process;
    char from[16], to[16];
    struct flow flows[2];
    int in[2], out[2];

    assert_int_equal(pipe(in), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
    flows[0] = with_stalls(flow_of(in[1], false, 30, SOME), 300000, 3000);
    flows[1] = with_stalls(flow_of(out[1], true, 30, SOME), 300000, 3000);
    flows[1].has_no_end = true; /* we have the other end open as well, and it is not shut */
    snprintf(from, sizeof from, "fd:%d", in[0]);
    snprintf(to, sizeof to, "fd:%d", out[0]);
    process = kit_run("pollcopy", "-b", backend, from, to, NULL);
    assert_blocks(in[0]);
    assert_blocks(out[0]);
    flow_all(flows, 2);
    assert_copied(process, SOME);
    assert_blocks(in[0]);
    assert_blocks(out[0]);
    close(in[0]);
    close(out[0]);
}

static int setup(void **state)
{
    (void)state;
    folder = kit_folder();
    return 0;
}

static int make_content(void **state)
{
    uint32_t row = 1978;

    (void)state;
    for (size_t i = 0; i < CONTENT; i++)
        content[i] = (char)kit_random(&row, 256);
    return 0;
}

/* As ON_EVERY_BACKEND, each in a folder of its own. */
#define ONE(test, backend)                                                                         \
    {                                                                                              \
#test " (" backend ")", test, setup, kit_cleanup, (void *)backend                          \
    }
#define ON_ALL_THAT_WAIT(test)                                                                     \
    ONE(test, "select"), ONE(test, "poll"), ONE(test, "epoll"), ONE(test, "uring")
#define ON_ALL(test) ON_ALL_THAT_WAIT(test), ONE(test, "sigio"), ONE(test, "busy")

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(files),
        ON_ALL(fifos_with_slow_and_bursty_writers),
        ON_ALL(standard_input_and_output),
        ON_ALL_THAT_WAIT(a_thousand_pairs),
        ONE(more_pairs_than_descriptors, "epoll"),
        ONE(files_of_proc, "epoll"),
        ONE(devices, "epoll"),
        ONE(devices, "poll"),
        ONE(holes, "epoll"),
        ONE(holes_into_a_fifo, "epoll"),
        ONE(more_than_32_bits, "epoll"),
        ON_ALL_THAT_WAIT(a_fifo_with_a_slow_reader),
        ON_ALL_THAT_WAIT(fifo_pairs_with_random_stalls),
        ON_ALL(sockets),
        ON_ALL_THAT_WAIT(a_socket_to_a_socket),
        ON_ALL_THAT_WAIT(clients_that_are_waited_for),
        ON_ALL_THAT_WAIT(a_terminal_as_the_source),
        ON_ALL_THAT_WAIT(a_terminal_as_the_destination),
        ON_ALL_THAT_WAIT(a_terminal_to_itself),
        ONE(between_others, "epoll"),
        ONE(files_that_are_open, "epoll"),
        ON_ALL_THAT_WAIT(pipes_and_sockets_that_are_open),
    };

    return cmocka_run_group_tests(tests, make_content, NULL);
}
