#include "exec/worker_process.hpp"

#include "base/syscall.hpp"
#include "exec/frame.hpp"
#include "exec/type_name.hpp"

#include <coir/base/error.hpp>
#include <coir/task/io_wait.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace coir::detail {

namespace {

using namespace std::chrono_literals;

constexpr int most_replacements = 10;     // for one job, before it is given up
constexpr auto time_to_end = 100ms;       // for a worker that has closed its socket
constexpr std::size_t first_read = 4096;  // bytes; most replies are shorter

}  // namespace

void worker_process::prepare() {
    if (process_ && is_well()) return;
    if (process_) end(true);
    int ends[2];
    if (sys.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw_system_error(errno, "process_pool: socketpair for a worker");
    }
    socket_.reset(ends[0]);
    try {
        process_ = server_.spawn(unique_fd(ends[1]), socket_.get());
    } catch (...) {
        socket_.reset();
        throw;
    }
}

/// It has nothing to say before it has a job, and what it says then would be taken for the reply.
bool worker_process::is_well() const noexcept {
    char byte;
    return !process_->ended.is_set() && sys.recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EINTR);
}

std::string worker_process::run(const process_job& job) {
    for (int i = 0; i < most_replacements; ++i) {
        prepare();
        if (send(job.frame)) return receive(job);
        end(true);
    }
    throw broken_process_pool(fmt::format("process_pool: {} workers in a row ended before they had all of the job {}",
                                          most_replacements, type_name(*job.function)));
}

/// False when the worker is gone, which then has not begun with the job.
bool worker_process::send(std::string_view frame) {
    while (!frame.empty()) {
        const ssize_t n = sys.send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            frame.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            wait_writable(socket_.get());
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

std::string worker_process::receive(const process_job& job) {
    try {
        std::string frame(first_read, '\0');
        std::size_t have = 0;
        while (have < sizeof(frame_header)) {
            const std::size_t n = receive_some(frame.data() + have, frame.size() - have);
            if (n == 0) lose(job);
            have += n;
        }
        const frame_header header = header_of(frame);
        if (!is_frame_start(header, max_payload_)) lose(job, "sent a corrupt reply");
        frame.resize(sizeof header + header.length);
        while (have < frame.size()) {
            const std::size_t n = receive_some(frame.data() + have, frame.size() - have);
            if (n == 0) lose(job);
            have += n;
        }
        const bool is_whole = have == frame.size() && header.kind != frame_kind::job;
        if (!is_whole || !is_intact(header, std::string_view(frame).substr(sizeof header))) {
            lose(job, "sent a corrupt reply");
        }
        return frame;
    } catch (...) {
        if (process_) end(true);  // it is in the middle of its reply
        throw;
    }
}

/// 0 when there is no more.
std::size_t worker_process::receive_some(char* to, std::size_t room) {
    for (;;) {
        const ssize_t n = sys.recv(socket_.get(), to, room, MSG_DONTWAIT);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno == EAGAIN) {
            wait_readable(socket_.get());
        } else if (errno != EINTR) {
            return 0;
        }
    }
}

void worker_process::lose(const process_job& job, const char* corrupt) {
    const pid_t pid = process_->pid;
    const std::string how = end(corrupt != nullptr);
    throw broken_process_pool(fmt::format("process_pool: worker process {} {} while it ran {}", pid,
                                          corrupt ? corrupt : how, type_name(*job.function)));
}

/// Kills it, unless it ends by itself, and says how it has ended.
std::string worker_process::end(bool at_once) {
    const auto process = std::exchange(process_, nullptr);
    process->socket = -1;
    socket_.reset();
    std::string how;
    if (at_once || !process->ended.wait_for(time_to_end)) {
        how = "closed its socket";
        server_.kill(*process);
        process->ended.wait();
    }
    if (!how.empty()) return how;
    return process->status ? describe_end(*process->status) : "ended when " + server_.obituary();
}

}  // namespace coir::detail
