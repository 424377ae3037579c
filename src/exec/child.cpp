#include "exec/child.hpp"

#include "base/syscall.hpp"

#include <coir/base/error.hpp>
#include <coir/task/cancel.hpp>
#include <coir/task/io_wait.hpp>
#include <coir/task/this_fiber.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <mutex>

namespace coir::detail {

namespace {

using namespace std::chrono_literals;

exit_status status_from(const siginfo_t& info) noexcept {
    return info.si_code == CLD_EXITED ? exit_status::of_code(info.si_status) : exit_status::of_signal(info.si_status);
}

}  // namespace

void child::adopt(pid_t pid) {
    pid_ = pid;
    parent_ = ::getpid();
    pidfd_.reset(sys.pidfd_open(pid, 0));
    if (pidfd_ || errno == ESRCH) return;
    const int error = errno;
    sys.kill(pid, SIGKILL);
    while (sys.waitid(P_PID, static_cast<id_t>(pid), nullptr, WEXITED) < 0 && errno == EINTR) {
    }
    throw_system_error(error, fmt::format("spawn \"{}\": pidfd_open", program_));
}

/// Takes its status in, if it has ended: 0, or an errno value.
int child::reap() noexcept {
    const std::lock_guard guard(lock_);
    if (status_) return 0;
    if (!pidfd_) return ECHILD;
    siginfo_t info{};
    int result;
    do {
        result = sys.waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return errno;
    if (info.si_pid != 0) status_ = status_from(info);
    return 0;
}

std::optional<exit_status> child::try_wait() {
    const int error = reap();
    if (error == ECHILD) {
        throw_system_error(error, fmt::format("wait for {}, which something else has reaped", describe()));
    }
    if (error) throw_system_error(error, fmt::format("wait for {}", describe()));
    const std::lock_guard guard(lock_);
    return status_;
}

std::optional<exit_status> child::wait(deadline limit) {
    auto status = try_wait();
    while (!status && wait_readable_until(pidfd_.get(), limit)) {
        status = try_wait();
        if (!status) this_fiber::sleep_for(1ms);  // it has ended, but whoever traces it must see that first
    }
    return status ? status : try_wait();
}

/// 0, or an errno value.
int child::send(int signal) const noexcept {
    if (!pidfd_ || sys.pidfd_send_signal(pidfd_.get(), signal, nullptr, 0) == 0) return 0;
    return errno == ESRCH ? 0 : errno;
}

void child::kill(int signal) const {
    if (const int error = send(signal)) {
        throw_system_error(error, fmt::format("send signal {} to {}", signal, describe()));
    }
}

void child::end() noexcept {
    if (::getpid() != parent_) return;
    send(SIGKILL);
    try {
        const shield mask;
        wait(deadline::never());
    } catch (...) {
        // Where a fiber cannot wait, as in a posted function, or without descriptors, the thread can: it is not long.
        while (sys.waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), nullptr, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
        }
        reap();
    }
}

std::string child::describe() const { return fmt::format("\"{}\" (pid {})", program_, pid_); }

}  // namespace coir::detail
