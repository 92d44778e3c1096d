/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever ends the full screen, in whatever state and at whatever moment, the shell gets its
 * terminal back: the settings byte for byte, the screen of before, the cursor, and no mode, margin
 * or colour of ours.
 *
 * Two ends leave less to be seen. A terminal that takes no bytes has its settings back, and nothing
 * more can be done for it; one that has been hung up is gone, and the program must go too.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "around.h"
#include "kit/random.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- what ends it ---- */

enum end { END_QUIT, END_CTRL_D, END_CTRL_C, END_CLOSED, END_HANG_UP, END_SIGNAL };

static const struct ending {
    const char *name;
    enum end end;
    int signo;
} endings[] = {
    {"/quit", END_QUIT, 0},           {"Ctrl-D", END_CTRL_D, 0},
    {"Ctrl-C", END_CTRL_C, 0},        {"the end of the last connection", END_CLOSED, 0},
    {"SIGTERM", END_SIGNAL, SIGTERM}, {"SIGINT", END_SIGNAL, SIGINT},
    {"SIGHUP", END_SIGNAL, SIGHUP},   {"SIGQUIT", END_SIGNAL, SIGQUIT},
    {"SIGSEGV", END_SIGNAL, SIGSEGV}, {"SIGABRT", END_SIGNAL, SIGABRT},
    {"SIGBUS", END_SIGNAL, SIGBUS},   {"a terminal that hangs up", END_HANG_UP, 0},
};

/* ---- the states in which it ends ---- */

enum { STATE_STEPS = 1, STATE_STALLED = 2 };

struct situation {
    const char *name;
    void (*prepare)(struct full *full);
    unsigned flags;
};

static void await_prompt(struct full *full)
{
    full_say(full, "a line");
    kit_await_row(full->terminal, "a line");
    kit_await_row(full->terminal, "  open");
    full_await_input(full, "");
}

static void open_inspector(struct full *full)
{
    await_prompt(full);
    kit_press(full->terminal, KEY_F4);
    kit_await_row(full->terminal, "inspector: ");
}

static void begin_steps(struct full *full)
{
    await_prompt(full);
    kit_press(full->terminal, KEY_F5);
    kit_await_row(full->terminal, "Space makes one turn");
}

static void begin_flood(struct full *full)
{
    await_prompt(full);
    flood_start(full);
    kit_await_row(full->terminal, "of the flood");
}

static void stall(struct full *full)
{
    begin_flood(full);
    kit_stall(full->terminal, true);
    around_await_full(full->terminal);
}

static const struct situation situations[] = {
    {"at rest", await_prompt, 0},
    {"with the inspector", open_inspector, 0},
    {"step by step", begin_steps, STATE_STEPS},
    {"in a flood", begin_flood, 0},
    {"stalled", stall, STATE_STALLED},
};

/* ---- one after the other ---- */

struct trial {
    const struct situation *situation;
    const struct ending *ending;
};

/* The loop looks at nothing before a key lets it go on. */
static void end_connection(struct full *full, bool is_stepping)
{
    flood_stop();
    close(full->server);
    if (is_stepping)
        kit_press(full->terminal, "c");
}

static void begin_ending(struct full *full, const struct trial *trial)
{
    bool is_stepping = trial->situation->flags & STATE_STEPS;

    switch (trial->ending->end) {
    case END_QUIT:
        kit_press(full->terminal, is_stepping ? "q" : "/quit\r");
        break;
    case END_CTRL_D:
        kit_press(full->terminal, KEY_CTRL('D'));
        break;
    case END_CTRL_C:
        kit_press(full->terminal, KEY_CTRL('C'));
        break;
    case END_CLOSED:
        end_connection(full, is_stepping);
        break;
    case END_HANG_UP:
        kit_hang_up(full->terminal);
        break;
    case END_SIGNAL:
        kill(kit_terminal_pid(full->terminal), trial->ending->signo);
        break;
    }
}

static void expect_status(const struct ending *ending, int status)
{
    if (ending->end == END_SIGNAL)
        assert_int_equal(status, 128 + ending->signo);
    else if (ending->end != END_HANG_UP)
        assert_int_equal(status, 0);
    else /* the signal that the kernel sends, or the error that the terminal shows */
        assert_true(status == 128 + SIGHUP || status == 1);
}

/* A terminal that takes no bytes: the settings need none. The last words of a program that was not
 * killed wait for it to go on. */
static void expect_settings_though_stalled(struct full *full, const struct termios *before)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct termios is;

    do {
        kit_watch(full->terminal, CLOCK_MILLISECOND);
        is = around_settings(full->terminal);
    } while (memcmp(&is, before, sizeof is) != 0 && clock_now() < deadline);
    around_expect_settings(full->terminal, before);
}

static void run_trial(void **state)
{
    const struct trial *trial = *state;
    bool is_stalled = trial->situation->flags & STATE_STALLED;
    enum end end = trial->ending->end;
    struct full full;
    struct termios before;

    around_start(&full, NULL, &before);
    trial->situation->prepare(&full);
    begin_ending(&full, trial);
    if (is_stalled && end != END_HANG_UP)
        expect_settings_though_stalled(&full, &before);
    if (is_stalled && end == END_CLOSED)
        kit_stall(full.terminal, false);
    expect_status(trial->ending, kit_terminal_end(full.terminal));
    if (end != END_HANG_UP && !is_stalled)
        around_expect_all(full.terminal, &before);
}

/* ---- at random moments ---- */

/* Of 200 in all. */
enum { KILLS_AT_START = 100, KILLS_AT_OUTPUT = 20, KILLS_AT_END = 80, KILLS_SEED = 2026 };

static const char other_screen[] = "\033[?1049h";
static const int killers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* The round that is going on, and how the others went. */
static struct {
    struct full full;
    int listener;
    struct termios before;
    uint32_t seed;
    int round;
    int signo;       /* 0: none is going on */
    int64_t span_ns; /* the longest delay */
    int64_t delay_ns;
    int early; /* the terminal had not been taken, or the program died of it */
    int late;  /* ... it had, or the program had ended */
} kills;

static int rounds_of(int count)
{
    return kit_is_instrumented() ? count / 10 : count;
}

/* Starts pollspin as far as the shell that waits for Enter. */
static void begin_round(int round)
{
    struct full *full = &kills.full;

    kills.listener = kit_listen(&full->port);
    snprintf(full->target, sizeof full->target, "127.0.0.1:%u", full->port);
    full->terminal = around_shell(AROUND_SHELL, NULL, full->target);
    kills.before = around_settings(full->terminal);
    kills.round = round;
    kills.signo = killers[kit_random(&kills.seed, COUNT(killers))];
    kills.delay_ns = kit_random(&kills.seed, (uint32_t)kills.span_ns);
}

/* A sleep would be over too late by as much as the end of the program takes. */
static void spin_for(int64_t ns)
{
    int64_t due = clock_now() + ns;

    while (clock_now() < due)
        continue;
}

/* Kills after the delay, and returns how the program ended. */
static int kill_it(void)
{
    struct kit_terminal *terminal = kills.full.terminal;
    int status;

    spin_for(kills.delay_ns);
    kill(kit_terminal_pid(terminal), kills.signo);
    status = kit_terminal_end(terminal);
    around_expect_all(terminal, &kills.before);
    return status;
}

/* About as many are to be early as late, however fast the machine is just now. */
static void count_moment(bool is_early)
{
    if (is_early) {
        kills.early++;
        kills.span_ns += kills.span_ns / 8;
    } else {
        kills.late++;
        kills.span_ns -= kills.span_ns / 8;
    }
}

static void end_round(void **state)
{
    kills.signo = 0;
    kit_cleanup(state);
}

/* Says when it was that the test failed. */
static int kills_cleanup(void **state)
{
    if (kills.signo != 0)
        print_message("in round %d, by signal %d after %lld ns, with seed %d\n", kills.round,
                      kills.signo, (long long)kills.delay_ns, KILLS_SEED);
    return around_cleanup(state);
}

/* A spread over what happens before and after is what the rounds are for. */
static void tell_rounds(int rounds, const char *early, const char *late)
{
    print_message("%d kills within about %lld us: %d %s, %d %s\n", rounds,
                  (long long)kills.span_ns / 1000, kills.early, early, kills.late, late);
    if (!kit_is_instrumented())
        assert_true(kills.early > 0 && kills.late > 0);
}

static void begin_rounds(void)
{
    memset(&kills, 0, sizeof kills);
    kills.seed = KILLS_SEED;
    kills.span_ns = CLOCK_MILLISECOND;
}

static bool has_output(struct kit_terminal *terminal, void *text)
{
    return strstr(kit_raw(terminal, NULL), text) != NULL;
}

/* Runs the program as far as it has written TEXT. */
static void await_output(const char *text)
{
    char copy[32];

    snprintf(copy, sizeof copy, "%s", text);
    kit_press(kills.full.terminal, "\n");
    kit_await_looks(kills.full.terminal, has_output, copy, "a certain output");
}

/* Finds out how long it is up to the first byte. */
static void measure_start(void **state)
{
    int64_t begin;

    begin_round(0);
    begin = clock_now();
    await_output(other_screen);
    kills.span_ns = 2 * (clock_now() - begin);
    end_round(state);
}

/* No moment is between the first byte and the first frame: a signal is told in a turn, and painting
 * is an earlier step of it. */
static void killed_while_it_starts(void **state)
{
    int rounds = rounds_of(KILLS_AT_START);

    begin_rounds();
    measure_start(state);
    for (int i = 0; i < rounds; i++) {
        begin_round(i);
        kit_press(kills.full.terminal, "\n");
        assert_int_equal(kill_it(), 128 + kills.signo);
        count_moment(!strstr(kit_raw(kills.full.terminal, NULL), other_screen));
        end_round(state);
    }
    tell_rounds(rounds, "came before the terminal was taken", "after it");
}

static void killed_as_it_takes_the_terminal(void **state)
{
    int rounds = rounds_of(KILLS_AT_OUTPUT);

    begin_rounds();
    for (int i = 0; i < rounds; i++) {
        begin_round(i);
        await_output(other_screen);
        assert_int_equal(kill_it(), 128 + kills.signo);
        end_round(state);
    }
    print_message("%d kills within a millisecond of the first byte\n", rounds);
}

/* Not by Ctrl-C: where the kernel looks at that only after the settings are back, it makes a signal
 * of it, and throws away what the terminal has not read by then (NOFLSH in termios(3)). */
enum { BY_QUIT, BY_CTRL_D, BY_CLOSE, BY_SIGTERM, WAYS };

static void leave(int way)
{
    if (way == BY_QUIT)
        kit_press(kills.full.terminal, "/quit\r");
    else if (way == BY_CTRL_D)
        kit_press(kills.full.terminal, KEY_CTRL('D'));
    else if (way == BY_CLOSE)
        close(kills.full.server);
    else
        kill(kit_terminal_pid(kills.full.terminal), SIGTERM);
}

/* The one that comes first counts. */
static void expect_kill_or_end(int way, int status)
{
    bool is_killed = status == 128 + kills.signo;

    if (!is_killed)
        assert_int_equal(status, way == BY_SIGTERM ? 128 + SIGTERM : 0);
    count_moment(is_killed);
}

static void await_round_prompt(void)
{
    kit_press(kills.full.terminal, "\n");
    kills.full.server = kit_accept(kills.listener);
    kit_await_row(kills.full.terminal, "  open");
    full_await_input(&kills.full, "");
}

static void killed_while_it_ends(void **state)
{
    int rounds = rounds_of(KILLS_AT_END);

    begin_rounds();
    for (int i = 0; i < rounds; i++) {
        begin_round(i);
        await_round_prompt();
        leave(i % WAYS);
        expect_kill_or_end(i % WAYS, kill_it());
        end_round(state);
    }
    tell_rounds(rounds, "ended it", "came too late");
}

/* ---- all of them ---- */

enum { TRIALS = COUNT(situations) * COUNT(endings), TRIAL_NAME = 128, TESTS_MAX = TRIALS + 3 };

static struct trial trials[TRIALS];
static char trial_names[TRIALS][TRIAL_NAME];

static size_t collect_trials(struct CMUnitTest *tests)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT(situations); i++)
        for (size_t j = 0; j < COUNT(endings); j++) {
            trials[count] = (struct trial){&situations[i], &endings[j]};
            snprintf(trial_names[count], TRIAL_NAME, "%s: %s", situations[i].name, endings[j].name);
            tests[count] = (struct CMUnitTest){.name = trial_names[count],
                                               .test_func = run_trial,
                                               .teardown_func = around_cleanup,
                                               .initial_state = &trials[count]};
            count++;
        }
    return count;
}

/* A sanitizer would see a signal of ours as a fault of the program's. */
static void leave_signals_alone(void)
{
    static const char options[] = "handle_segv=0:handle_sigbus=0:handle_abort=0";

    setenv("ASAN_OPTIONS", options, 1);
}

int main(void)
{
    static struct CMUnitTest tests[TESTS_MAX] = {
        cmocka_unit_test_teardown(killed_while_it_starts, kills_cleanup),
        cmocka_unit_test_teardown(killed_as_it_takes_the_terminal, kills_cleanup),
        cmocka_unit_test_teardown(killed_while_it_ends, kills_cleanup),
    };
    const struct rlimit no_core = {0};

    setrlimit(RLIMIT_CORE, &no_core);
    leave_signals_alone();
    collect_trials(tests + 3);
    return _cmocka_run_group_tests("gives the terminal back", tests, TESTS_MAX, NULL, NULL);
}
