// A process that this one has started, until it has been reaped.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/spinlock.hpp>
#include <coir/base/unique_fd.hpp>
#include <coir/exec/exit_status.hpp>

#include <sys/types.h>

#include <optional>
#include <string>

namespace coir::detail {

/// Shared by its owner and those who wait for it, so that the pidfd is not closed under them. Any thread.
class child {
public:
    explicit child(std::string program) : program_(std::move(program)) {}
    child(const child&) = delete;

    /// Right after it was started: as long as nobody reaps it the number is not another's. Where it has been reaped
    /// already, by somebody else, its end cannot be known. Throws std::system_error, having ended it, when there can be
    /// no pidfd.
    void adopt(pid_t pid);

    pid_t pid() const noexcept { return pid_; }
    const std::string& program() const noexcept { return program_; }

    std::optional<exit_status> try_wait();
    std::optional<exit_status> wait(deadline limit);
    void kill(int signal) const;
    /// Kills and reaps it, unless it has ended: suspends, shielded. Nothing in a process that its parent has forked.
    void end() noexcept;

private:
    int send(int signal) const noexcept;
    int reap() noexcept;
    std::string describe() const;

    const std::string program_;
    pid_t pid_ = -1;
    pid_t parent_ = -1;
    unique_fd pidfd_;
    spinlock lock_;  // guards the status, and that it is asked for once
    std::optional<exit_status> status_;
};

}  // namespace coir::detail
