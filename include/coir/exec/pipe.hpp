// <coir/exec/pipe.hpp>: the two ends of a pipe, as streams on the hub.
//
// An end belongs to the hub of its first wait, and moves to another when nobody waits on it; waiting from two hubs at
// once is fiber_error. close() may be called from any thread: it wakes whoever waits, with an error (EBADF). Failures
// throw std::system_error, whose text names the operation and the fd.
#pragma once

#include <coir/base/ref.hpp>
#include <coir/base/unique_fd.hpp>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace coir {

namespace detail {

class fd_watch;

/// Owns one end. Moved, not copied.
class pipe_end {
public:
    pipe_end() noexcept = default;
    /// Takes it over, and makes it non-blocking: this end only, the other is another open file.
    explicit pipe_end(unique_fd fd);
    pipe_end(pipe_end&& other) noexcept;
    pipe_end& operator=(pipe_end&& other) noexcept;
    ~pipe_end();

    void close() noexcept;
    /// -1 when it is empty or closed.
    int fd() const noexcept;

    // The object may be moved from, or destroyed, while these wait.
    std::size_t read(std::span<char> buffer);
    std::size_t write(std::string_view data);
    void write_all(std::string_view data);

private:
    ref<fd_watch> held(const char* operation) const;

    fd_watch* watch_ = nullptr;
};

}  // namespace detail

/// There was more to read than the reader allows.
class output_too_long : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The end that is read from. For one reading fiber at a time. Example: tests/exec/pipe_test.cpp
class pipe_reader {
public:
    /// An empty one; only assignment, close() and is_open() make sense.
    pipe_reader() noexcept = default;
    /// Takes over the read end of a pipe.
    explicit pipe_reader(unique_fd fd) : end_(std::move(fd)) {}

    /// Suspends until there is something, and says how much; 0 when all writers have closed it (or for an empty
    /// buffer). A cancellation point: nothing has been taken then.
    std::size_t read_some(std::span<char> buffer) { return end_.read(buffer); }

    /// Everything until all writers have closed it. Suspends; when cancelled, what had come is gone. Throws
    /// output_too_long when it is more than `limit` bytes.
    std::string read_all(std::size_t limit = std::string::npos);

    void close() noexcept { end_.close(); }
    bool is_open() const noexcept { return native_handle() >= 0; }
    /// -1 when closed.
    int native_handle() const noexcept { return end_.fd(); }

private:
    detail::pipe_end end_;
};

/// The end that is written to. When the reader has gone a write throws std::system_error with EPIPE; SIGPIPE never
/// arrives, whatever its action is. Example: tests/exec/pipe_test.cpp
class pipe_writer {
public:
    /// An empty one; only assignment, close() and is_open() make sense.
    pipe_writer() noexcept = default;
    /// Takes over the write end of a pipe.
    explicit pipe_writer(unique_fd fd) : end_(std::move(fd)) {}

    /// Suspends until at least one byte was taken, and says how many. A cancellation point: nothing was taken then.
    std::size_t write_some(std::string_view data) { return end_.write(data); }
    /// Suspends until all was taken. When it throws, nothing is known of how much was.
    void write_all(std::string_view data) { end_.write_all(data); }

    /// The reader reads the end, after what has been written.
    void close() noexcept { end_.close(); }
    bool is_open() const noexcept { return native_handle() >= 0; }
    /// -1 when closed.
    int native_handle() const noexcept { return end_.fd(); }

private:
    detail::pipe_end end_;
};

/// The two descriptors of a new pipe: close-on-exec, blocking. For handing one end to another process, say.
struct pipe_fds {
    unique_fd read;
    unique_fd write;
    /// Throws std::system_error. Never suspends. Any thread.
    static pipe_fds make();
};

}  // namespace coir
