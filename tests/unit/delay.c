/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The delay service's two queues against a naive model, in virtual time: clients come and go at
 * random moments, time moves on in random steps, small ones and ones longer than an interval, and
 * after each step exactly those who were due have had their line.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "service/server.h"

enum { CLIENTS = 40, STEPS = 3000, LINE = 25 };

#define INTERVAL (100 * CLOCK_MILLISECOND)

/* What a client has to be by the rules: a tick whose successor is due as well is skipped. */
struct model {
    int fd; /* -1: not there */
    int64_t due;
    size_t expected; /* bytes that are to come */
};

static int64_t virtual_now = CLOCK_SECOND;
static int64_t virtual_jump;
static int virtual_reads;
static struct model models[CLIENTS];
static uint64_t model_sent;
static uint64_t model_skipped;
static struct server *server;
static uint16_t port;

/* The loop reads the clock at the start of a turn and after its wait: JUMP is how long that wait
 * took. So a client can come while others are late. */
static int64_t virtual_clock(void)
{
    if (++virtual_reads == 2) {
        virtual_now += virtual_jump;
        virtual_jump = 0;
    }
    return virtual_now;
}

/* Always dirty: the loop then only looks, and real time plays no part. */
static void stay_dirty(void *owner)
{
    loop_mark_dirty(owner);
}

static void turn(void)
{
    virtual_reads = 0;
    assert_int_equal(loop_turn(server_loop(server)), 0);
}

static void start(void)
{
    struct server_options options = {.interval_ns = INTERVAL, .out_fd = -1, .leash_fd = -1};
    int listener = kit_listen(&port);

    clock_use(virtual_clock);
    server = server_new(&options);
    assert_non_null(server);
    assert_int_equal(server_adopt(server, service_find("delay"), dup(listener)), 0);
    close(listener);
    loop_on_paint(server_loop(server), stay_dirty, server_loop(server));
    loop_mark_dirty(server_loop(server));
    for (int i = 0; i < CLIENTS; i++)
        models[i].fd = -1;
}

static void join(struct model *model)
{
    uint64_t before = server_stats(server)->connections;

    model->fd = kit_connect(port);
    virtual_jump = rand() % (INTERVAL / 4);
    while (server_stats(server)->connections == before)
        turn();
    model->due = virtual_now + INTERVAL;
    model->expected = LINE;
    model_sent++;
}

static void leave(struct model *model)
{
    int before = kit_descriptors(getpid());

    kit_reset(model->fd);
    model->fd = -1;
    while (kit_descriptors(getpid()) > before - 2)
        turn();
}

/* The kit's deadline is one in real time. */
static void receive(int fd, char *bytes, size_t n)
{
    clock_use(NULL);
    kit_receive_all(fd, bytes, n);
    clock_use(virtual_clock);
}

static void model_advance(struct model *model)
{
    while (model->due <= virtual_now) {
        model->due += INTERVAL;
        if (model->due <= virtual_now) {
            model_skipped++;
        } else {
            model->expected += LINE;
            model_sent++;
        }
    }
}

static void assert_has_its_lines(struct model *model)
{
    char bytes[LINE * 4];

    if (model->fd < 0)
        return;
    assert_true(model->expected <= sizeof bytes);
    if (model->expected > 0)
        receive(model->fd, bytes, model->expected);
    model->expected = 0;
    assert_int_equal(recv(model->fd, bytes, 1, MSG_DONTWAIT), -1);
}

static void advance(int64_t ns)
{
    virtual_now += ns;
    turn();
    for (int i = 0; i < CLIENTS; i++)
        if (models[i].fd >= 0)
            model_advance(&models[i]);
    assert_int_equal(server_stats(server)->lines_skipped, model_skipped);
    assert_int_equal(server_stats(server)->lines_sent, model_sent);
    for (int i = 0; i < CLIENTS; i++)
        assert_has_its_lines(&models[i]);
}

static void random_step(void)
{
    struct model *model = &models[rand() % CLIENTS];

    if (rand() % 3 > 0)
        advance(rand() % 10 == 0 ? rand() % (3 * INTERVAL) : rand() % (INTERVAL / 10));
    else if (model->fd < 0)
        join(model);
    else
        leave(model);
    advance(0);
}

static void everybody_is_served_when_due(void **state)
{
    (void)state;
    srand(20261121);
    start();
    for (int i = 0; i < STEPS; i++)
        random_step();
    assert_true(server_stats(server)->lines_sent > STEPS);
    assert_true(model_skipped > 0);
    print_message("%d steps, %llu lines\n", STEPS,
                  (unsigned long long)server_stats(server)->lines_sent);
    server_free(server);
    clock_use(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(everybody_is_served_when_due, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
