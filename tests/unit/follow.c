/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What befalls a file that is followed, done to real files: what is told, in which order, and that
 * there is nothing else. Each runs with watches alone, with the timer stopped, and with the timer
 * alone, on a system that has no watch left and whose clock is put forward.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "copy/follow.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { NEWS_MAX = 32 };

/* ---- a system that has no watch left ---- */

static bool has_no_room;

int __real_inotify_add_watch(int queue, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int queue, const char *path, uint32_t mask);

int __wrap_inotify_add_watch(int queue, const char *path, uint32_t mask)
{
    if (!has_no_room)
        return __real_inotify_add_watch(queue, path, mask);
    errno = ENOSPC;
    return -1;
}

/* ---- a clock that can be put forward ---- */

static int64_t ahead;

static int64_t clock_ahead(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * CLOCK_SECOND + now.tv_nsec + ahead;
}

/* ---- what the tests share ---- */

struct fixture {
    struct loop *loop;
    struct follow follow;
    bool is_looking; /* the timer alone is to see it */
    char path[PATH_MAX];
    int fd;
    char news[NEWS_MAX + 1]; /* a letter each: grew, cut, replaced, gone */
};

static void on_news(void *owner, enum follow_news news)
{
    static const char letters[] = {
        [FOLLOW_GREW] = 'g', [FOLLOW_CUT] = 'c', [FOLLOW_REPLACED] = 'r', [FOLLOW_GONE] = '-'};
    struct fixture *fixture = owner;
    size_t n = strlen(fixture->news);

    assert_true(n < NEWS_MAX);
    fixture->news[n] = letters[news];
}

static const char *folder; /* in which all that a test does is done */

static const char *path_of(const char *name)
{
    static char paths[2][PATH_MAX];
    static int next;
    char *path = paths[next++ % 2];

    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static void append(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_APPEND, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(path_of(from), path_of(to)), 0);
}

/* Rests at the end of all that is in the file now. */
static void rest(struct fixture *fixture)
{
    follow_start(&fixture->follow, fixture->path, fixture->fd, lseek(fixture->fd, 0, SEEK_END));
    if (!fixture->is_looking)
        timer_stop(&fixture->follow.look);
}

static void reopen(struct fixture *fixture)
{
    if (fixture->fd >= 0)
        close(fixture->fd);
    fixture->fd = open(fixture->path, O_RDONLY);
    assert_true(fixture->fd >= 0);
}

/* Follows the file NAME from its end on. What was done to it before is none of its business. */
static void begin(struct fixture *fixture, bool *is_looking, const char *name)
{
    *fixture = (struct fixture){.is_looking = *is_looking, .fd = -1};
    has_no_room = *is_looking;
    clock_use(clock_ahead);
    alarm(2 * KIT_DEADLINE_NS / CLOCK_SECOND);
    fixture->loop = turns_new(NULL);
    follow_init(&fixture->follow, fixture->loop, on_news, fixture);
    snprintf(fixture->path, sizeof fixture->path, "%s", name[0] == '/' ? name : path_of(name));
    reopen(fixture);
    rest(fixture);
}

/* Has it look: at its first turns a follow does without being told to. */
static void settle(struct fixture *fixture)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_look(fixture->loop), 0);
}

static bool has_told(const struct fixture *fixture, const char *news)
{
    return strlen(fixture->news) >= strlen(news);
}

/* NEWS is told, since the last time, and nothing else. */
static void expect(struct fixture *fixture, const char *news)
{
    if (fixture->is_looking)
        ahead += 2 * CLOCK_SECOND;
    turns_until(fixture->loop, has_told(fixture, news));
    settle(fixture);
    assert_string_equal(fixture->news, news);
    memset(fixture->news, 0, sizeof fixture->news);
}

static void end(struct fixture *fixture)
{
    follow_stop(&fixture->follow);
    follow_stop(&fixture->follow);
    assert_false(timer_is_set(&fixture->follow.look));
    assert_null(fixture->follow.file.loop);
    assert_null(fixture->follow.folder.loop);
    loop_free(fixture->loop);
    close(fixture->fd);
}

static int prepare(void **state)
{
    (void)state;
    folder = kit_folder();
    return 0;
}

static int clean(void **state)
{
    alarm(0);
    has_no_room = false;
    clock_use(NULL);
    return kit_cleanup(state);
}

/* ---- the file itself ---- */

static void it_grows(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    for (int i = 0; i < 3; i++) {
        append("log", "new\n");
        expect(&fixture, "g");
        append("log", "not told before it rests again\n");
        settle(&fixture);
        assert_string_equal(fixture.news, "");
        rest(&fixture);
    }
    end(&fixture);
}

static void it_has_grown_before_it_was_watched(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    append("log", "new\n");
    expect(&fixture, "g");
    end(&fixture);
}

static void it_is_never_told_from_within(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    append("log", "new\n");
    follow_start(&fixture.follow, fixture.path, fixture.fd, 0);
    assert_string_equal(fixture.news, "");
    expect(&fixture, "g");
    end(&fixture);
}

/* Rotation by copytruncate. */
static void it_is_cut(void **state)
{
    struct fixture fixture;

    append("log", "old and long\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    assert_int_equal(truncate(fixture.path, 0), 0);
    expect(&fixture, "c");
    rest(&fixture);
    append("log", "new\n");
    expect(&fixture, "g");
    rest(&fixture);
    settle(&fixture);
    assert_int_equal(truncate(fixture.path, 2), 0);
    expect(&fixture, "c");
    end(&fixture);
}

/* That is what tail(1) does, too: nobody can know. */
static void it_is_cut_and_has_grown_beyond(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    assert_int_equal(truncate(fixture.path, 0), 0);
    append("log", "old\nand new\n");
    expect(&fixture, "g");
    end(&fixture);
}

/* ---- its name ---- */

static void it_is_rotated(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    for (int i = 0; i < 2; i++) {
        append("log", "the last line\n");
        move("log", "log.1");
        append("log", "a new file\n");
        expect(&fixture, "g");
        rest(&fixture);
        expect(&fixture, "r");
        reopen(&fixture);
        rest(&fixture);
        append("log", "more\n");
        expect(&fixture, "g");
        rest(&fixture);
        settle(&fixture);
    }
    end(&fixture);
}

/* Who writes it has it open until somebody says that it was rotated. */
static void the_old_one_is_written_to_while_the_new_one_is_empty(void **state)
{
    struct fixture fixture;
    int fd;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    fd = open(fixture.path, O_WRONLY | O_APPEND);
    move("log", "log.1");
    expect(&fixture, "-");
    append("log", "");
    settle(&fixture);
    assert_int_equal(write(fd, "late\n", 5), 5);
    append("log", "new\n");
    expect(&fixture, "g");
    rest(&fixture);
    expect(&fixture, "r");
    close(fd);
    end(&fixture);
}

static void it_is_replaced_at_once(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    append("next", "new\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    move("next", "log");
    expect(&fixture, "r");
    end(&fixture);
}

static void it_goes_and_another_comes(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    assert_int_equal(unlink(fixture.path), 0);
    expect(&fixture, "-");
    expect(&fixture, "");
    append("log", "");
    expect(&fixture, "");
    append("log", "new\n");
    expect(&fixture, "r");
    reopen(&fixture);
    rest(&fixture);
    settle(&fixture);
    assert_int_equal(unlink(fixture.path), 0);
    expect(&fixture, "-");
    end(&fixture);
}

static void it_goes_before_it_is_watched(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    move("log", "log.1");
    expect(&fixture, "-");
    append("log", "new\n");
    expect(&fixture, "r");
    end(&fixture);
}

/* It is the file that was read: nothing of it is read twice. */
static void it_goes_and_comes_back(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    for (int i = 0; i < 2; i++) {
        move("log", "away");
        expect(&fixture, "-");
        move("away", "log");
        expect(&fixture, "");
        assert_false(fixture.follow.is_gone);
    }
    append("log", "new\n");
    expect(&fixture, "g");
    end(&fixture);
}

static void it_grows_while_it_is_gone(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    move("log", "log.1");
    expect(&fixture, "-");
    append("log.1", "late\n");
    expect(&fixture, "g");
    rest(&fixture);
    expect(&fixture, "");
    append("log", "new\n");
    expect(&fixture, "r");
    end(&fixture);
}

static void a_symbolic_link_leads_elsewhere(void **state)
{
    struct fixture fixture;

    append("log.1", "old\n");
    append("log.2", "new\n");
    assert_int_equal(symlink("log.1", path_of("log")), 0);
    assert_int_equal(symlink("log.2", path_of("next")), 0);
    begin(&fixture, *state, "log");
    settle(&fixture);
    append("log.1", "more\n");
    expect(&fixture, "g");
    rest(&fixture);
    settle(&fixture);
    move("next", "log");
    expect(&fixture, "r");
    end(&fixture);
}

/* Its folder, which is not that of the name, is not watched. */
static void a_symbolic_link_whose_file_gets_another_name(void **state)
{
    struct fixture fixture;

    assert_int_equal(mkdir(path_of("in"), 0700), 0);
    append("in/log", "old\n");
    assert_int_equal(symlink("in/log", path_of("log")), 0);
    begin(&fixture, *state, "log");
    settle(&fixture);
    move("in/log", "in/log.1");
    expect(&fixture, "-");
    end(&fixture);
}

static void neighbours_come_and_go(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    append("other", "x");
    move("other", "another");
    assert_int_equal(unlink(path_of("another")), 0);
    assert_int_equal(chmod(fixture.path, 0400), 0);
    expect(&fixture, "");
    end(&fixture);
}

static void a_name_without_a_folder(void **state)
{
    struct fixture fixture;
    int here = open(".", O_RDONLY);

    append("log", "old\n");
    assert_int_equal(chdir(folder), 0);
    begin(&fixture, *state, "log");
    snprintf(fixture.path, sizeof fixture.path, "log");
    settle(&fixture);
    append("next", "new\n");
    move("next", "log");
    expect(&fixture, "r");
    end(&fixture);
    assert_int_equal(fchdir(here), 0);
    close(here);
}

/* ---- what the watches do not see ---- */

static void its_folder_is_made_anew(void **state)
{
    struct fixture fixture;

    assert_int_equal(mkdir(path_of("in"), 0700), 0);
    append("in/log", "old\n");
    begin(&fixture, *state, "in/log");
    settle(&fixture);
    move("in", "out");
    expect(&fixture, "-");
    assert_int_equal(mkdir(path_of("in"), 0700), 0);
    append("in/log", "new\n");
    expect(&fixture, "r");
    end(&fixture);
}

/* A thousand looks a second would find as often that it is cut. */
static void a_file_whose_size_is_a_lie(void **state)
{
    struct fixture fixture;

    if (access("/proc/version", R_OK) < 0)
        kit_skip("there is no /proc");
    begin(&fixture, *state, "/proc/version");
    follow_start(&fixture.follow, fixture.path, fixture.fd, 100);
    expect(&fixture, "");
    expect(&fixture, "");
    end(&fixture);
}

/* What it says to have cannot be read, so it rests where it did. */
static void a_file_that_says_it_is_longer(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    follow_start(&fixture.follow, fixture.path, fixture.fd, 2);
    expect(&fixture, "g");
    for (int i = 0; i < 3; i++) {
        follow_start(&fixture.follow, fixture.path, fixture.fd, 2);
        if (!fixture.is_looking) {
            timer_stop(&fixture.follow.look);
            expect(&fixture, "");
            append("log", "more\n");
        }
        expect(&fixture, "g");
    }
    follow_start(&fixture.follow, fixture.path, fixture.fd, 3);
    timer_stop(&fixture.follow.look);
    expect(&fixture, "g");
    end(&fixture);
}

/* It has nothing to do with what the one before has said. */
static void the_next_file_says_it_is_longer(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    append("next", "new\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    follow_start(&fixture.follow, fixture.path, fixture.fd, 2);
    expect(&fixture, "g");
    rest(&fixture);
    move("next", "log");
    expect(&fixture, "r");
    reopen(&fixture);
    follow_start(&fixture.follow, fixture.path, fixture.fd, 2);
    timer_stop(&fixture.follow.look);
    expect(&fixture, "g");
    end(&fixture);
}

/* ---- what it costs ---- */

static void the_loop_sleeps_meanwhile(void **state)
{
    struct fixture fixture;

    append("log", "old\n");
    begin(&fixture, *state, "log");
    settle(&fixture);
    timer_stop(&fixture.follow.look);
    assert_in_range(turns_for(fixture.loop, 20 * CLOCK_MILLISECOND), 1, 2);
    end(&fixture);
}

static bool watching = false;
static bool looking = true;

#define WATCHING(test)                                                                             \
    {                                                                                              \
#test " (by watches)", test, prepare, clean, &watching                                     \
    }
#define LOOKING(test)                                                                              \
    {                                                                                              \
#test " (by the timer)", test, prepare, clean, &looking                                    \
    }
#define BOTH(test) WATCHING(test), LOOKING(test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(it_grows),
        BOTH(it_has_grown_before_it_was_watched),
        BOTH(it_is_never_told_from_within),
        BOTH(it_is_cut),
        BOTH(it_is_cut_and_has_grown_beyond),
        BOTH(it_is_rotated),
        BOTH(the_old_one_is_written_to_while_the_new_one_is_empty),
        BOTH(it_is_replaced_at_once),
        BOTH(it_goes_and_another_comes),
        BOTH(it_goes_before_it_is_watched),
        BOTH(it_goes_and_comes_back),
        LOOKING(it_grows_while_it_is_gone),
        BOTH(a_symbolic_link_leads_elsewhere),
        BOTH(a_symbolic_link_whose_file_gets_another_name),
        BOTH(neighbours_come_and_go),
        BOTH(a_name_without_a_folder),
        LOOKING(its_folder_is_made_anew),
        LOOKING(a_file_whose_size_is_a_lie),
        BOTH(a_file_that_says_it_is_longer),
        BOTH(the_next_file_says_it_is_longer),
        WATCHING(the_loop_sleeps_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
