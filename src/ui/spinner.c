/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spinners are data. A new one is an array and a line in the table; tests/unit/spinner.c
 * checks that all its frames are as wide as the table says.
 *
 * Beyond ASCII only characters whose width nobody disputes: not those that Unicode calls ambiguous
 * (block elements, most geometric shapes), which some terminals show in two columns.
 */
#include "config.h"

#include <string.h>
#include <wchar.h>

#include "ui/spinner.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* To and fro: the ends are shown once, so a cycle of ten places has eighteen frames. */
static const char *const classic[] = {
    "|.........", ".|........", "..|.......", "...|......", "....|.....", ".....|....",
    "......|...", ".......|..", "........|.", ".........|", "........|.", ".......|..",
    "......|...", ".....|....", "....|.....", "...|......", "..|.......", ".|........",
};

static const char *const line[] = {"-", "\\", "|", "/"};

static const char *const bounce[] = {
    "[=   ]", "[ =  ]", "[  = ]", "[   =]", "[  = ]", "[ =  ]",
};

static const char *const bar[] = {
    "[     ]", "[#    ]", "[##   ]", "[###  ]", "[#### ]",
    "[#####]", "[ ####]", "[  ###]", "[   ##]", "[    #]",
};

static const char *const wave[] = {
    ".oO@*   ", " .oO@*  ", "  .oO@* ", "   .oO@*", "*   .oO@", "@*   .oO", "O@*   .o", "oO@*   .",
};

static const char *const arrow[] = {
    "     ", ">    ", ">>   ", ">>>  ", " >>> ", "  >>>", "   >>", "    >",
};

static const char *const breath[] = {".", "o", "O", "@", "O", "o"};

static const char *const ellipsis[] = {"   ", ".  ", ".. ", "..."};

static const char *const dots[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};

static const char *const arc[] = {"◜", "◠", "◝", "◞", "◡", "◟"};

static const char *const blocks[] = {"⡀", "⣀", "⣄", "⣤", "⣦", "⣶", "⣷",
                                     "⣿", "⣷", "⣶", "⣦", "⣤", "⣄", "⣀"};

static const char *const squares[] = {"▖", "▘", "▝", "▗"};

static const char *const circle[] = {"◴", "◷", "◶", "◵"};

static const char *const comet[] = {
    "⠶⠀⠀⠀⠀", "⠤⠶⠀⠀⠀", "⠠⠤⠶⠀⠀", "⠀⠠⠤⠶⠀", "⠀⠀⠠⠤⠶", "⠀⠀⠀⠠⠤", "⠀⠀⠀⠀⠠", "⠀⠀⠀⠀⠀",
};

static const char *const moon[] = {"🌑", "🌒", "🌓", "🌔", "🌕", "🌖", "🌗", "🌘"};

static const char *const hands[] = {
    "🕛", "🕐", "🕑", "🕒", "🕓", "🕔", "🕕", "🕖", "🕗", "🕘", "🕙", "🕚",
};

static const struct spinner spinners[] = {
    {.name = "classic",
     .summary = "a bar that walks to and fro among nine dots",
     .columns = 10,
     .count = COUNT(classic),
     .frames = classic},
    {.name = "line",
     .summary = "a line that turns in one place",
     .columns = 1,
     .count = COUNT(line),
     .frames = line},
    {.name = "bounce",
     .summary = "a mark that bounces between two walls",
     .columns = 6,
     .count = COUNT(bounce),
     .frames = bounce},
    {.name = "bar",
     .summary = "a bar that fills up and runs out",
     .columns = 7,
     .count = COUNT(bar),
     .frames = bar},
    {.name = "wave",
     .summary = "a wave that runs to the right",
     .columns = 8,
     .count = COUNT(wave),
     .frames = wave},
    {.name = "arrow",
     .summary = "an arrow that flies to the right",
     .columns = 5,
     .count = COUNT(arrow),
     .frames = arrow},
    {.name = "breath",
     .summary = "a ring that breathes in and out",
     .columns = 1,
     .count = COUNT(breath),
     .frames = breath},
    {.name = "ellipsis",
     .summary = "dots that are added one by one",
     .columns = 3,
     .count = COUNT(ellipsis),
     .frames = ellipsis},
    {.name = "dots",
     .summary = "braille dots that turn in one place",
     .is_unicode = true,
     .columns = 1,
     .count = COUNT(dots),
     .frames = dots},
    {.name = "arc",
     .summary = "an arc that turns in one place",
     .is_unicode = true,
     .columns = 1,
     .count = COUNT(arc),
     .frames = arc},
    {.name = "blocks",
     .summary = "a block that grows and shrinks",
     .is_unicode = true,
     .columns = 1,
     .count = COUNT(blocks),
     .frames = blocks},
    {.name = "squares",
     .summary = "a square that goes around in one place",
     .is_unicode = true,
     .columns = 1,
     .count = COUNT(squares),
     .frames = squares},
    {.name = "circle",
     .summary = "a quarter that turns in a circle",
     .is_unicode = true,
     .columns = 1,
     .count = COUNT(circle),
     .frames = circle},
    {.name = "comet",
     .summary = "a comet that passes, and its tail",
     .is_unicode = true,
     .columns = 5,
     .count = COUNT(comet),
     .frames = comet},
    {.name = "moon",
     .summary = "the phases of the moon",
     .is_unicode = true,
     .columns = 2,
     .count = COUNT(moon),
     .frames = moon},
    {.name = "clock",
     .summary = "the hand of a clock",
     .is_unicode = true,
     .columns = 2,
     .count = COUNT(hands),
     .frames = hands},
};

const struct spinner *spinner_list(size_t index)
{
    return index < COUNT(spinners) ? &spinners[index] : NULL;
}

const struct spinner *spinner_find(const char *name)
{
    for (size_t i = 0; i < COUNT(spinners); i++)
        if (strcmp(spinners[i].name, name) == 0)
            return &spinners[i];
    return NULL;
}

/* The frames are UTF-8 in this file, so a locale with another encoding of the same character
 * cannot show them either: what counts is whether it reads our bytes as one braille dot. */
static bool locale_is_utf8(void)
{
    const char sample[] = "⠋";
    mbstate_t state;
    wchar_t c;

    memset(&state, 0, sizeof state);
    return mbrtowc(&c, sample, sizeof sample - 1, &state) == sizeof sample - 1 && c == 0x280b;
}

const struct spinner *spinner_for_locale(const struct spinner *spinner)
{
    return spinner->is_unicode && !locale_is_utf8() ? &spinners[0] : spinner;
}

const char *spinner_frame(const struct spinner *spinner, uint64_t index)
{
    return spinner->frames[index % spinner->count];
}
