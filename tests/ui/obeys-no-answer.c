/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a terminal answers and reports by itself comes in where keys do; none of it may become text
 * that is typed, or a key that does something. It has been asked by whoever had the terminal
 * before, and by what a server has got past somebody else.
 *
 * Each is fed in between two keys, whole, and cut in two at every place. An ESC is a key when
 * nothing follows it for KEYS_ESC_NS, so on a machine that stood still for that long there is no
 * right or wrong; such a case is tried again. The answer to ENQ, and that of a VT52, cannot be told
 * from text.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "ui/full.h"
#include "ui/harmless.h"
#include "ui/keys.h"

enum { TRIES = 20 };

static const char *const answers[] = {
    "\033[?62;1;2;6;22c",                        /* DA1 */
    "\033[>41;354;0c",                           /* DA2 */
    "\033P!|00000000\033\\",                     /* DA3 */
    "\033[0n",                                   /* DSR 5 */
    "\033[24;80R",                               /* DSR 6: CPR */
    "\033[1;5R",                                 /* ... which is Ctrl-F3, too */
    "\033[?24;80;1R",                            /* DECXCPR */
    "\033[?997;1n",                              /* light or dark */
    "\033[2;1;1;112;112;1;0x",                   /* DECREPTPARM */
    "\033[?2004;1$y",                            /* DECRPM */
    "\033[4;1$y",                                /* ... of ANSI */
    "\033P1$r0m\033\\",                          /* DECRPSS */
    "\033P0$r\033\\",                            /* ... unknown */
    "\033P1+r544e=787465726d\033\\",             /* XTGETTCAP */
    "\033P>|tmux 3.3a\033\\",                    /* XTVERSION */
    "\033P1!~ABCD\033\\",                        /* DECCKSR */
    "\033P1$u1;1;1;@;@;@;0;2;@;BBBB\033\\",      /* DECCIR */
    "\033]4;1;rgb:cdcd/0000/0000\007",           /* a colour */
    "\033]10;rgb:ffff/ffff/ffff\033\\",          /* that of text */
    "\033]11;rgb:0000/0000/0000\007",            /* that behind it */
    "\033]11;rgb:0000/0000/0000\033\\",          /* ... with the other end */
    "\033]52;c;cm0gLXJmIC8=\033\\",              /* the clipboard */
    "\033]1337;ReportVariable=b3duZWQ=\007",     /* a variable of iTerm2 */
    "\033]Lowned\033\\",                         /* the icon's name */
    "\033]lowned\033\\",                         /* the title */
    "\033[8;24;80t",                             /* rows and columns */
    "\033[4;600;800t",                           /* the size */
    "\033[?1u",                                  /* kitty's keyboard */
    "\033_Gi=31;OK\033\\",                       /* kitty's pictures */
    "\033[?1;0;256S",                            /* XTSMGRAPHICS */
    "\033[I",                                    /* focus in */
    "\033[O",                                    /* focus out */
    "\033[M !!",                                 /* mouse */
    "\033[M#!!",                                 /* ... let go */
    "\033[<0;10;10M",                            /* mouse of SGR */
    "\033[<0;10;10m",                            /* ... let go */
    "\033[32;10;10M",                            /* mouse of rxvt */
    "\033[1;2;3;4&w",                            /* locator */
    "\033[201~",                                 /* an end of a paste that was none */
    "\033[99999999999999999999999999999999999R", /* longer than any key */
};

enum { ANSWER_COUNT = sizeof answers / sizeof *answers };

struct typist {
    struct full full;
    bool was_slow; /* once */
};

/* Types "ab", the answer in two pieces, "c", and Enter. Where it waits in between, the first piece
 * has been read, together with what is seen then. Returns what the server hears. */
static const char *type_around(struct typist *typist, const char *answer, size_t at, bool waits,
                               bool *slow)
{
    const struct full *full = &typist->full;
    int64_t start = clock_now();
    const char *heard;
    char first[1 << 12];

    assert_true(2 + at < sizeof first);
    memcpy(first, "ab", 2);
    memcpy(first + 2, answer, at);
    kit_keys(full->terminal, first, 2 + at);
    if (waits)
        full_await_input(full, "ab");
    kit_press(full->terminal, answer + at);
    full_type(full, "c");
    heard = full_hear(full);
    *slow = clock_now() - start >= KEYS_ESC_NS;
    typist->was_slow |= *slow;
    return heard;
}

static void assert_not_typed(struct typist *typist, const char *answer, size_t at, bool waits)
{
    const char *heard = NULL;
    bool slow = true;

    for (int i = 0; i < TRIES && slow; i++) {
        heard = type_around(typist, answer, at, waits, &slow);
        if (strcmp(heard, "abc") == 0)
            return;
    }
    fail_msg("ESC %s, cut behind byte %zu, is typed: \"%s\"", answer + 1, at, heard);
}

static void start(struct typist *typist)
{
    typist->was_slow = false;
    full_start(&typist->full, 24, 80, NULL);
    full_await_input(&typist->full, "");
}

/* None was a key, such as F1 or F3, either; an ESC by itself may have rung the bell. */
static void end(const struct typist *typist)
{
    static const char *const never[] = {"/help", "/find", "step mode"};
    struct kit_terminal *terminal = typist->full.terminal;

    full_await_input(&typist->full, "");
    for (int row = 0; row < 24; row++)
        for (size_t i = 0; i < sizeof never / sizeof *never; i++)
            assert_null(strstr(kit_row(terminal, row), never[i]));
    assert_true(kit_is_other_screen(terminal));
    close(typist->full.server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    if (!typist->was_slow)
        assert_harmless(terminal, true);
}

static void an_answer_is_not_typed(void **state)
{
    struct typist typist;

    (void)state;
    start(&typist);
    for (size_t i = 0; i < ANSWER_COUNT; i++)
        assert_not_typed(&typist, answers[i], strlen(answers[i]), false);
    end(&typist);
}

static void nor_when_it_comes_in_two_pieces(void **state)
{
    struct typist typist;

    (void)state;
    start(&typist);
    for (size_t i = 0; i < ANSWER_COUNT; i++)
        for (size_t at = 1; at < strlen(answers[i]); at++)
            assert_not_typed(&typist, answers[i], at, false);
    end(&typist);
}

static void nor_in_two_reads(void **state)
{
    static const char *const cut[] = {"\033[?62;22c", "\033[24;80R",           "\033P1$r0m\033\\",
                                      "\033[I",       "\033]11;rgb:0/0/0\007", "\033[<0;9;9M",
                                      "\033[M !!"};
    struct typist typist;

    (void)state;
    start(&typist);
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        for (size_t at = 1; at < strlen(cut[i]); at++)
            assert_not_typed(&typist, cut[i], at, true);
    end(&typist);
}

/* As when a script has asked for everything and then started pollspin. */
static void nor_when_all_come_at_once(void **state)
{
    static char all[ANSWER_COUNT * 64];
    struct typist typist;

    (void)state;
    for (size_t i = 0; i < ANSWER_COUNT; i++)
        strcat(all, answers[i]);
    start(&typist);
    for (int i = 0; i < 20; i++)
        assert_not_typed(&typist, all, strlen(all), false);
    end(&typist);
}

/* Nor does what the server says, while they come, change that. */
static void nor_while_the_server_speaks(void **state)
{
    struct typist typist;

    (void)state;
    start(&typist);
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        full_say(&typist.full, "\033[c\033[6n\033]11;?\007");
        assert_not_typed(&typist, answers[i], strlen(answers[i]), false);
    }
    kit_await_row(typist.full.terminal, "^[[c^[[6n^[]11;?^G");
    end(&typist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_answer_is_not_typed, kit_cleanup),
        cmocka_unit_test_teardown(nor_when_it_comes_in_two_pieces, kit_cleanup),
        cmocka_unit_test_teardown(nor_in_two_reads, kit_cleanup),
        cmocka_unit_test_teardown(nor_when_all_come_at_once, kit_cleanup),
        cmocka_unit_test_teardown(nor_while_the_server_speaks, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
