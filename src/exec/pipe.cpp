#include <coir/exec/pipe.hpp>

#include "base/syscall.hpp"
#include "hub/io_loop.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace coir {

namespace detail {

namespace {

/// While it lives a write to a pipe without readers raises no SIGPIPE. A pipe knows no MSG_NOSIGNAL, and the action
/// of the signal is the program's to choose: so it is blocked for this thread, which is the one that gets it, and
/// taken in before it is unblocked. One that was pending before is somebody else's, and stays.
class no_sigpipe {
public:
    no_sigpipe() noexcept {
        sigset_t pending;
        ::sigemptyset(&sigpipe_);
        ::sigaddset(&sigpipe_, SIGPIPE);
        sys.sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        if (!was_pending_) sys.pthread_sigmask(SIG_BLOCK, &sigpipe_, &former_);
    }
    no_sigpipe(const no_sigpipe&) = delete;
    ~no_sigpipe() {
        if (!was_pending_) sys.pthread_sigmask(SIG_SETMASK, &former_, nullptr);
    }

    void take_in() noexcept {
        const timespec at_once{};
        while (!was_pending_ && sys.sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
        }
    }

private:
    sigset_t sigpipe_;
    sigset_t former_;
    bool was_pending_;  // and so blocked
};

/// No fiber runs between its beginning and its end.
ssize_t write_quietly(int fd, std::string_view data) noexcept {
    no_sigpipe mask;
    const ssize_t n = sys.write(fd, data.data(), data.size());
    const int error = errno;
    if (n < 0 && error == EPIPE) mask.take_in();
    errno = error;
    return n;
}

std::size_t write_to(fd_watch& watch, std::string_view data) {
    if (data.empty()) return 0;
    std::error_code ec;
    const ssize_t n = io(watch, direction::write, data.size(), ec, [data](int fd) { return write_quietly(fd, data); });
    if (n < 0) throw_system_error(ec.value(), "write to a pipe,", watch.fd());
    return static_cast<std::size_t>(n);
}

}  // namespace

pipe_end::pipe_end(unique_fd fd) {
    const int flags = sys.fcntl(fd.get(), F_GETFL);
    if (flags < 0 || sys.fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0) throw_system_error(errno, "pipe", fd.get());
    watch_ = fd_watch::make(fd.get()).release();
    fd.release();
}

pipe_end::pipe_end(pipe_end&& other) noexcept : watch_(std::exchange(other.watch_, nullptr)) {}

pipe_end& pipe_end::operator=(pipe_end&& other) noexcept {
    pipe_end taken(std::move(other));
    std::swap(watch_, taken.watch_);
    return *this;
}

pipe_end::~pipe_end() {
    if (!watch_) return;
    watch_->close();
    watch_->drop_ref();
}

void pipe_end::close() noexcept {
    if (watch_) watch_->close();
}

int pipe_end::fd() const noexcept { return watch_ && !watch_->is_closed() ? watch_->fd() : -1; }

ref<fd_watch> pipe_end::held(const char* operation) const {
    if (fd() < 0) throw_system_error(EBADF, fmt::format("{} a pipe that is closed", operation));
    return ref<fd_watch>(watch_);
}

std::size_t pipe_end::read(std::span<char> buffer) {
    const auto watch = held("read from");
    if (buffer.empty()) return 0;
    std::error_code ec;
    const ssize_t n = io(*watch, direction::read, buffer.size(), ec,
                         [buffer](int fd) { return sys.read(fd, buffer.data(), buffer.size()); });
    if (n < 0) throw_system_error(ec.value(), "read from a pipe,", watch->fd());
    return static_cast<std::size_t>(n);
}

std::size_t pipe_end::write(std::string_view data) { return write_to(*held("write to"), data); }

void pipe_end::write_all(std::string_view data) {
    const auto watch = held("write to");
    while (!data.empty()) data.remove_prefix(write_to(*watch, data));
}

}  // namespace detail

std::string pipe_reader::read_all(std::size_t limit) {
    constexpr std::size_t capacity_of_a_pipe = 64 * 1024;
    const auto block = std::make_unique<char[]>(capacity_of_a_pipe);
    std::string all;
    while (const std::size_t n = read_some({block.get(), capacity_of_a_pipe})) {
        if (n > limit - all.size()) throw output_too_long(fmt::format("more than {} bytes came through a pipe", limit));
        all.append(block.get(), n);
    }
    return all;
}

pipe_fds pipe_fds::make() {
    int fds[2];
    if (detail::sys.pipe2(fds, O_CLOEXEC) != 0) detail::throw_system_error(errno, "pipe2");
    return {unique_fd(fds[0]), unique_fd(fds[1])};
}

}  // namespace coir
