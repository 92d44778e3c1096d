/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/inside.h"
#include "kit/kit.h"

struct kit_process {
    char *name;
    pid_t pid;
    int input; /* -1: closed */
    struct kit_stream out;
    struct kit_stream err;
    bool is_ended;
    int status;
    struct kit_process *next;
};

static struct kit_process *processes;

void kit_pipe(int ends[2])
{
    if (pipe(ends) < 0)
        kit_fail("pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

/* In the child. dup2 leaves the copies open on exec. */
static void process_become(const struct child_command *command, pid_t parent, int in, int out,
                           int err, int report)
{
    setpgid(0, 0);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    child_become(command, parent, report);
}

static void process_register(struct kit_process *process, int out, int err)
{
    kit_stream_start(&process->out, out);
    kit_stream_start(&process->err, err);
    fcntl(process->input, F_SETFL, O_NONBLOCK);
    process->next = processes;
    processes = process;
}

struct kit_process *kit_start(const char *const argv[])
{
    struct kit_process *process = calloc(1, sizeof *process);
    struct child_command command;
    pid_t parent = getpid();
    int in[2], out[2], err[2], report[2];

    child_prepare(&command, argv);
    process->name = strdup(argv[0]);
    kit_pipe(in);
    kit_pipe(out);
    kit_pipe(err);
    kit_pipe(report);
    signal(SIGPIPE, SIG_IGN); /* a program may end before it has read what the test types */
    process->pid = fork();
    if (process->pid == 0)
        process_become(&command, parent, in[0], out[1], err[1], report[1]);
    process->input = in[1];
    close(in[0]);
    close(out[1]);
    close(err[1]);
    close(report[1]);
    process_register(process, out[0], err[0]);
    if (process->pid < 0)
        kit_fail("fork: %s", strerror(errno));
    setpgid(process->pid, process->pid); /* whoever of the two comes first */
    child_await_exec(&command, report[0]);
    return process;
}

/* Stores what stands in LIST, up to its NULL, behind the N arguments that are there. */
static void process_collect(const char *argv[CHILD_ARGS], int n, va_list list)
{
    do {
        assert_true(n < CHILD_ARGS);
        argv[n] = va_arg(list, const char *);
    } while (argv[n++]);
}

struct kit_process *kit_run(const char *program, ...)
{
    const char *argv[CHILD_ARGS] = {program};
    va_list list;

    va_start(list, program);
    process_collect(argv, 1, list);
    va_end(list);
    return kit_start(argv);
}

pid_t kit_pid(const struct kit_process *process)
{
    return process->pid;
}

const char *kit_stdout(struct kit_process *process, size_t *length)
{
    kit_stream_drain(&process->out);
    if (length)
        *length = process->out.bytes.length;
    return process->out.bytes.data;
}

const char *kit_stderr(struct kit_process *process)
{
    kit_stream_drain(&process->err);
    return process->err.bytes.data;
}

static void process_show(void *owner)
{
    struct kit_process *process = owner;

    kit_show(process->name, process->out.bytes.data, process->out.bytes.length);
    kit_show("its standard error", process->err.bytes.data, process->err.bytes.length);
}

static void process_await(struct kit_process *process, struct kit_stream *stream, const char *text)
{
    int64_t deadline = kit_deadline();

    while (!bytes_hold(&stream->bytes, text)) {
        if (stream->fd < 0 || kit_is_over(deadline)) {
            process_show(process);
            kit_fail("%s has not written \"%.200s\"%s", process->name, text,
                     stream->fd < 0 ? " and will write no more" : "");
        }
        kit_stream_turn(-1, 0, deadline);
    }
}

void kit_await_stdout(struct kit_process *process, const char *text)
{
    process_await(process, &process->out, text);
}

void kit_await_stderr(struct kit_process *process, const char *text)
{
    process_await(process, &process->err, text);
}

static int process_count_lines(const struct kit_bytes *bytes)
{
    int count = 0;

    for (size_t i = 0; i < bytes->length; i++)
        count += bytes->data[i] == '\n';
    return count;
}

void kit_await_lines(struct kit_process *process, int count)
{
    int64_t deadline = kit_deadline();

    while (process_count_lines(&process->out.bytes) < count) {
        if (process->out.fd < 0 || kit_is_over(deadline)) {
            process_show(process);
            kit_fail("%s has written %d lines, not %d", process->name,
                     process_count_lines(&process->out.bytes), count);
        }
        kit_stream_turn(-1, 0, deadline);
    }
}

void kit_stall_stdout(struct kit_process *process, int stall)
{
    process->out.is_stalled = stall;
}

void kit_type_bytes(struct kit_process *process, const void *bytes, size_t n)
{
    const char *next = bytes;
    int64_t deadline = kit_deadline();

    while (n > 0) {
        ssize_t written = write(process->input, next, n);

        if (written > 0) {
            next += written;
            n -= (size_t)written;
        } else if (errno != EAGAIN || kit_is_over(deadline)) {
            process_show(process);
            kit_fail("%s does not read its input: %s", process->name, strerror(errno));
        } else {
            kit_stream_turn(process->input, POLLOUT, deadline);
        }
    }
}

void kit_type(struct kit_process *process, const char *text)
{
    kit_type_bytes(process, text, strlen(text));
}

void kit_type_end(struct kit_process *process)
{
    if (process->input >= 0)
        close(process->input);
    process->input = -1;
}

void kit_signal(struct kit_process *process, int signo)
{
    assert_false(process->is_ended);
    kill(process->pid, signo);
}

int kit_end(struct kit_process *process)
{
    if (!process->is_ended) {
        process->status = child_await_end(process->pid, process_show, process);
        process->is_ended = true;
        kit_stream_drain(&process->out);
        kit_stream_drain(&process->err);
    }
    return process->status;
}

/* The port in the line `SERVICE listening on ADDRESS:PORT`; SERVICE may be empty for any. 0: there
 * is none yet. */
static unsigned long process_find_port(const char *text, const char *service)
{
    static const char says[] = " listening on ";
    const char *line = text;
    const char *end;

    for (; (end = strchr(line, '\n')); line = end + 1) {
        const char *where = strstr(line, says);
        const char *colon = memrchr(line, ':', (size_t)(end - line));

        if (!where || where > end || !colon || strncmp(line, service, strlen(service)) != 0)
            continue;
        if (strncmp(where + sizeof says - 1, "unix:", 5) != 0)
            return strtoul(colon + 1, NULL, 10);
    }
    return 0;
}

uint16_t kit_port(struct kit_process *server, const char *service)
{
    int64_t deadline = kit_deadline();
    unsigned long port;

    while ((port = process_find_port(server->out.bytes.data, service)) == 0) {
        if (server->out.fd < 0 || kit_is_over(deadline)) {
            process_show(server);
            kit_fail("%s has not said on which port \"%s\" listens", server->name, service);
        }
        kit_stream_turn(-1, 0, deadline);
    }
    return (uint16_t)port;
}

struct kit_process *kit_server(uint16_t *port, ...)
{
    const char *argv[CHILD_ARGS] = {"delayserver"};
    struct kit_process *server;
    va_list list;

    va_start(list, port);
    process_collect(argv, 1, list);
    va_end(list);
    server = kit_start(argv);
    kit_await_stdout(server, " listening on ");
    if (port)
        *port = kit_port(server, "");
    return server;
}

void process_cleanup(void)
{
    while (processes) {
        struct kit_process *process = processes;

        processes = process->next;
        if (!process->is_ended && process->pid > 0)
            child_kill(process->pid);
        kit_type_end(process);
        kit_stream_free(&process->out);
        kit_stream_free(&process->err);
        free(process->name);
        free(process);
    }
}
