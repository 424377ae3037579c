// <coir/base/unique_fd.hpp>: owns a file descriptor.
#pragma once

#include <utility>

namespace coir {

/// Closes its descriptor when it goes. For descriptors that no hub watches; streams close theirs themselves.
class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~unique_fd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor away without closing it.
    int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what it holds and takes `fd`.
    void reset(int fd = -1) noexcept;

private:
    int fd_ = -1;
};

}  // namespace coir
