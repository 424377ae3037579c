// <coir/net/address.hpp>: where a socket is: an IP address and a port.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace coir::net {

/// An IPv4 or IPv6 address with a port. Never suspends.
class address {
public:
    /// 0.0.0.0:0
    address() noexcept;
    /// From numbers, no names: "127.0.0.1", "::1", "fe80::1%eth0". Throws std::invalid_argument, which quotes what
    /// makes no sense; ports are from 0 to 65535.
    address(std::string_view ip, int port);
    /// From "127.0.0.1:80" or "[::1]:80".
    static address parse(std::string_view text);
    /// From what the system gives; std::invalid_argument for other families.
    static address from_native(const sockaddr* native, socklen_t size);

    std::string ip() const;
    std::uint16_t port() const noexcept;
    bool is_v6() const noexcept { return storage_.ss_family == AF_INET6; }
    /// "127.0.0.1:80" or "[::1]:80".
    std::string to_string() const;

    const sockaddr* native() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t native_size() const noexcept { return is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

    friend bool operator==(const address& a, const address& b) noexcept;

private:
    sockaddr_storage storage_{};
};

std::ostream& operator<<(std::ostream& out, const address& a);

/// Throws std::invalid_argument unless 0 <= port <= 65535.
std::uint16_t checked_port(int port);

}  // namespace coir::net
