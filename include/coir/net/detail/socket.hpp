// A connected or listening socket on the hub. Not for use outside coir.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/net/address.hpp>
#include <coir/net/buffer.hpp>

#include <cstddef>
#include <system_error>
#include <utility>

namespace coir::detail {
class fd_watch;
}

namespace coir::net::detail {

/// Owns the descriptor. Moved, not copied.
class socket {
public:
    socket() noexcept = default;
    /// Takes over a non-blocking descriptor.
    explicit socket(int fd);
    /// A new one: SOCK_STREAM, non-blocking, close-on-exec. -1 and `ec` on failure.
    static socket make(int family, std::error_code& ec);
    socket(socket&& other) noexcept : watch_(other.watch_) { other.watch_ = nullptr; }
    socket& operator=(socket&& other) noexcept {
        socket taken(std::move(other));
        std::swap(watch_, taken.watch_);
        return *this;
    }
    ~socket();

    /// -1 when empty or closed.
    int fd() const noexcept;
    bool is_open() const noexcept { return fd() >= 0; }
    void close() noexcept;

    // The object may be moved from, or destroyed, while these wait.
    std::size_t read_some(mutable_buffer buffer, std::error_code& ec);
    std::size_t read_exactly(mutable_buffer buffer, std::error_code& ec);
    std::size_t write_some(const_buffer buffer, std::error_code& ec);
    void write_all(const_buffer buffer, std::error_code& ec);
    // The two that an echo consists of, without the detour of an error_code: throw std::system_error.
    std::size_t read_some(mutable_buffer buffer);
    void write_all(const_buffer buffer);
    void shutdown_write(std::error_code& ec) noexcept;
    void connect(const address& to, std::error_code& ec);
    /// Retries what concerns only the connection that failed; backs off while descriptors or memory are short.
    socket accept(std::error_code& ec);

    /// Suspends until somebody closes it. For a listener.
    void wait_until_closed();

    void set_option(int level, int name, int on, std::error_code& ec) noexcept;
    address local_address(std::error_code& ec) const;
    address peer_address(std::error_code& ec) const;

private:
    coir::detail::fd_watch* watch_ = nullptr;
};

/// Throws what `ec` holds: "read fd 7: Connection reset by peer".
void throw_if(const std::error_code& ec, const char* operation, int fd);

}  // namespace coir::net::detail
