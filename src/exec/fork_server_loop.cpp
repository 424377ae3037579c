// In the fork server: it never returns to what it was forked from, and uses nothing of it but memory and code.
#include "base/syscall.hpp"
#include "exec/fork_server.hpp"
#include "exec/worker_loop.hpp"

#include <fcntl.h>
#include <stdio_ext.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace coir::detail {

namespace {

constexpr int control = 3;  // where its socket is put, and a worker's

/// Makes `fd` the only descriptor but stdin, stdout and stderr.
void keep_only(int fd) noexcept {
    if (fd != control) sys.dup3(fd, control, O_CLOEXEC);
    if (fd < control) sys.close(fd);
    sys.closefrom(control + 1);
}

/// Defaults, but for those that a terminal sends to all who run in it: the program decides what they mean.
void reset_signals() noexcept {
    struct sigaction action {};
    for (int number = 1; number < NSIG; ++number) {
        const bool is_terminals = number == SIGINT || number == SIGQUIT || number == SIGHUP;
        action.sa_handler = is_terminals ? SIG_IGN : SIG_DFL;
        ::sigaction(number, &action, nullptr);
    }
}

/// Blocked but while the server waits, where it ends the wait.
void listen_for_ends() noexcept {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGCHLD, &action, nullptr);
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGCHLD);
    ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

class server {
public:
    /// On a kernel without pidfd_open only the socket tells of the program's end; poll ignores a negative number.
    server(pid_t program, std::size_t max_payload) noexcept
        : pid_(::getpid()), program_(sys.pidfd_open(program, 0)), max_payload_(max_payload) {
        if (::getppid() != program) ::_exit(0);  // it has ended already
    }

    void run() {
        while (serve_next()) {
        }
        for (const pid_t worker : workers_) sys.kill(worker, SIGKILL);
        while (!workers_.empty() && collect(0)) {
        }
    }

private:
    /// A request, or the end of a worker. False when the program is gone.
    bool serve_next() {
        collect(WNOHANG);
        sigset_t none;
        ::sigemptyset(&none);
        pollfd waited_for[] = {{control, POLLIN, 0}, {program_, POLLIN, 0}};
        if (sys.ppoll(waited_for, 2, nullptr, &none) <= 0) return true;
        return waited_for[1].revents == 0 && handle_request();
    }

    /// Tells of workers that have ended. False when there are none to wait for.
    bool collect(int options) {
        int status = 0;
        pid_t pid;
        while ((pid = sys.waitpid(-1, &status, options)) > 0) {
            if (std::erase(workers_, pid) != 0) tell({server_note::verb::ended, pid, status});
            if (options == 0) return true;
        }
        return pid == 0 || errno == EINTR;
    }

    /// False when there is nobody to ask any more.
    bool handle_request() {
        server_request request{};
        int passed = -1;
        if (!receive(request, passed)) return false;
        if (request.what == server_request::verb::spawn) {
            spawn(passed);
        } else if (std::find(workers_.begin(), workers_.end(), request.pid) != workers_.end()) {
            sys.kill(request.pid, SIGKILL);  // not collected yet, so the number is still its own
        }
        return true;
    }

    static bool receive(server_request& request, int& passed) noexcept {
        iovec bytes{&request, sizeof request};
        alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))];
        msghdr message{};
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        ssize_t n;
        while ((n = sys.recvmsg(control, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
        }
        if (n != static_cast<ssize_t>(sizeof request)) return false;
        const cmsghdr* rights = CMSG_FIRSTHDR(&message);
        if (rights && rights->cmsg_type == SCM_RIGHTS) std::memcpy(&passed, CMSG_DATA(rights), sizeof passed);
        return true;
    }

    void spawn(int socket) {
        workers_.reserve(workers_.size() + 1);
        const pid_t pid = socket < 0 ? -1 : sys.fork();
        const int error = socket < 0 ? EMFILE : errno;  // no room for what was passed
        if (pid == 0) become_worker(socket);
        if (pid > 0) workers_.push_back(pid);
        if (socket >= 0) sys.close(socket);
        tell({server_note::verb::spawned, pid, pid < 0 ? error : 0});
    }

    [[noreturn]] void become_worker(int socket) const noexcept {
        // If the server is killed, nobody is left to collect its workers.
        sys.prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != pid_) ::_exit(0);
        struct sigaction action {};
        action.sa_handler = SIG_DFL;
        ::sigaction(SIGCHLD, &action, nullptr);
        sigset_t none;
        ::sigemptyset(&none);
        ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
        keep_only(socket);
        run_worker(control, max_payload_);
    }

    static void tell(const server_note& note) noexcept {
        while (sys.send(control, &note, sizeof note, MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    }

    const pid_t pid_;
    const int program_;
    const std::size_t max_payload_;
    std::vector<pid_t> workers_;
};

}  // namespace

void run_fork_server(int end, pid_t program, std::size_t max_payload) noexcept {
    ::__fpurge(stdout);  // what the program has not written yet it writes itself
    reset_signals();
    keep_only(end);
    listen_for_ends();
    server(program, max_payload).run();
    ::_exit(0);
}

}  // namespace coir::detail
