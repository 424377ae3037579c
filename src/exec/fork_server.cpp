#include "exec/fork_server.hpp"

#include "base/syscall.hpp"

#include <coir/base/error.hpp>
#include <coir/task/io_wait.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace coir::detail {

std::string describe_end(int wait_status) {
    if (WIFEXITED(wait_status)) return fmt::format("exited with {}", WEXITSTATUS(wait_status));
    const int number = WTERMSIG(wait_status);
    const char* name = ::sigabbrev_np(number);
    return fmt::format("was killed by signal {} ({})", number, name ? name : "?");
}

fork_server::fork_server(std::size_t max_payload) {
    int ends[2];
    if (sys.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        throw_system_error(errno, "process_pool: socketpair");
    }
    control_.reset(ends[0]);
    start(unique_fd(ends[1]), max_payload);
}

/// From a thread of its own, so that the child has a plain stack, and nothing of a fiber or a hub. Signals are blocked
/// meanwhile: the program's handlers must not run in the child.
void fork_server::start(unique_fd end, std::size_t max_payload) {
    int error = 0;
    const pid_t program = ::getpid();
    std::thread([&] {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
        pid_ = sys.fork();
        error = errno;
        if (pid_ == 0) run_fork_server(end.get(), program, max_payload);
    }).join();
    if (pid_ < 0) throw_system_error(error, "process_pool: fork");
}

fork_server::~fork_server() {
    close();
    if (pid_ > 0 && !is_gone_) collect();
}

void fork_server::send(const server_request& request, int fd_to_pass) {
    iovec bytes{const_cast<server_request*>(&request), sizeof request};
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (fd_to_pass >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &fd_to_pass, sizeof(int));
    }
    while (!is_gone_ && sys.sendmsg(control_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN) {
            wait_writable(control_.get());
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return;  // listen() will say so
        } else if (errno != EINTR) {
            throw_system_error(errno, "process_pool: sendmsg to the fork server");
        }
    }
}

std::shared_ptr<fork_server::child> fork_server::spawn(unique_fd worker_end, int socket) {
    send({server_request::verb::spawn, 0}, worker_end.get());
    if (is_gone_) throw broken_process_pool("process_pool: " + obituary_);
    worker_end.reset();
    pending_.push_back({{}, socket});
    auto answer = pending_.back().answer.get_future();
    return answer.get();
}

void fork_server::kill(const child& process) { send({server_request::verb::kill, process.pid}, -1); }

void fork_server::close() noexcept { sys.shutdown(control_.get(), SHUT_WR); }

void fork_server::listen() {
    for (server_note note; receive(note);) take_in(note);
    is_gone_ = true;
    collect();
    lose_all();
}

/// False at the end.
bool fork_server::receive(server_note& note) {
    for (;;) {
        const ssize_t n = sys.recv(control_.get(), &note, sizeof note, MSG_DONTWAIT);
        if (n == static_cast<ssize_t>(sizeof note)) return true;
        if (n >= 0) return false;
        if (errno == EAGAIN) {
            wait_readable(control_.get());
        } else if (errno != EINTR) {
            return false;
        }
    }
}

void fork_server::take_in(const server_note& note) {
    if (note.what == server_note::verb::ended) {
        const auto entry = children_.extract(note.pid);
        if (!entry) return;
        child& gone = *entry.mapped();
        gone.status = note.value;
        if (gone.socket >= 0) sys.shutdown(gone.socket, SHUT_RDWR);
        gone.ended.set();
        return;
    }
    pending_spawn asked = std::move(pending_.front());
    pending_.pop_front();
    if (note.pid < 0) {
        asked.answer.set_exception(std::make_exception_ptr(
            std::system_error(note.value, std::generic_category(), "process_pool: fork of a worker")));
        return;
    }
    auto made = std::make_shared<child>();
    made->pid = note.pid;
    made->socket = asked.socket;
    children_.emplace(note.pid, made);
    asked.answer.set_value(std::move(made));
}

/// The server's children have died with it.
void fork_server::lose_all() noexcept {
    for (auto& [pid, process] : std::exchange(children_, {})) {
        if (process->socket >= 0) sys.shutdown(process->socket, SHUT_RDWR);
        process->ended.set();
    }
    for (pending_spawn& asked : std::exchange(pending_, {})) {
        asked.answer.set_exception(std::make_exception_ptr(broken_process_pool("process_pool: " + obituary_)));
    }
}

/// Its end of the socket is closed, so it has ended, or is about to.
void fork_server::collect() noexcept {
    int status = 0;
    pid_t got;
    while ((got = sys.waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
    }
    // Who ignores SIGCHLD, or waits for any child, may have taken it.
    const std::string end = got == pid_ ? describe_end(status) : "ended";
    obituary_ = fmt::format("its fork server (pid {}) {}", pid_, end);
}

}  // namespace coir::detail
