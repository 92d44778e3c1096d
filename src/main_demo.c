/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "main_demo.h"
#include "service/server.h"

/* Closes, and keeps errno. */
static void demo_close(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
}

static int demo_listen(int family, uint16_t *port)
{
    struct address address;
    int fd;

    address_from_numeric(&address, family == AF_INET6 ? "::1" : "127.0.0.1", 0);
    fd = socket(address.sock.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, &address.sock.any, address.length) == 0 && listen(fd, SOMAXCONN) == 0 &&
        address_of_socket(&address, fd, false) == 0) {
        *port = address_port(&address);
        return fd;
    }
    demo_close(fd);
    return -1;
}

/* The child. It has a process group of its own, so that Ctrl-C on the terminal reaches the client
 * alone: the server ends when the client has let go of the leash. What POLLSPIN_BACKEND names is
 * for the client to show: a server that waits by a lesson would send nothing. */
static _Noreturn void demo_serve(int listener, int leash, int64_t interval_ns)
{
    struct server_options options = {
        .interval_ns = interval_ns, .is_quiet = true, .out_fd = -1, .leash_fd = leash};
    struct server *server;
    int result = -1;

    setpgid(0, 0);
    signal(SIGPIPE, SIG_IGN);
    unsetenv("POLLSPIN_BACKEND");
    server = server_new(&options);
    if (server && server_adopt(server, service_find("delay"), listener) == 0)
        result = server_run(server);
    if (result < 0)
        die_warn("demo server: %s", strerror(errno));
    server_free(server);
    _exit(result < 0);
}

int demo_start(struct demo *demo, int family, int64_t interval_ns)
{
    int listener = demo_listen(family, &demo->port);
    int leash[2];

    if (listener < 0)
        return -1;
    if (pipe(leash) < 0) {
        demo_close(listener);
        return -1;
    }
    demo->pid = fork();
    if (demo->pid == 0) {
        close(leash[1]);
        demo_serve(listener, leash[0], interval_ns);
    }
    demo_close(listener);
    demo_close(leash[0]);
    if (demo->pid < 0) {
        demo_close(leash[1]);
        return -1;
    }
    fcntl(leash[1], F_SETFD, FD_CLOEXEC);
    demo->leash = leash[1];
    return 0;
}

/* The signal is for a server that hangs or was stopped; another has ended by the leash already, or
 * does as soon as it runs. It cannot be ignored, so the wait has an end, and there is nothing that
 * the server would have to tidy up. */
void demo_stop(struct demo *demo)
{
    close(demo->leash);
    kill(demo->pid, SIGKILL);
    while (waitpid(demo->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
