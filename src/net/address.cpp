#include <coir/net/address.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <ostream>
#include <stdexcept>

namespace coir::net {

namespace {

const sockaddr_in& as_v4(const sockaddr* a) noexcept { return *reinterpret_cast<const sockaddr_in*>(a); }
const sockaddr_in6& as_v6(const sockaddr* a) noexcept { return *reinterpret_cast<const sockaddr_in6*>(a); }

bool parse_v4(const std::string& ip, std::uint16_t port, sockaddr_storage& out) noexcept {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    if (::inet_pton(AF_INET, ip.c_str(), &a.sin_addr) != 1) return false;
    std::memcpy(&out, &a, sizeof a);
    return true;
}

bool parse_v6(std::string ip, std::uint16_t port, sockaddr_storage& out) noexcept {
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_port = htons(port);
    if (const auto percent = ip.find('%'); percent != std::string::npos) {
        a.sin6_scope_id = ::if_nametoindex(ip.c_str() + percent + 1);
        if (a.sin6_scope_id == 0) return false;
        ip.resize(percent);
    }
    if (::inet_pton(AF_INET6, ip.c_str(), &a.sin6_addr) != 1) return false;
    std::memcpy(&out, &a, sizeof a);
    return true;
}

[[noreturn]] void refuse(std::string_view text, const char* expected) {
    throw std::invalid_argument(fmt::format("\"{}\" is no address: expected {}", text, expected));
}

}  // namespace

std::uint16_t checked_port(int port) {
    if (port < 0 || port > 65535) {
        throw std::invalid_argument(fmt::format("port {}: it must be from 0 to 65535", port));
    }
    return static_cast<std::uint16_t>(port);
}

address::address() noexcept { storage_.ss_family = AF_INET; }

address::address(std::string_view ip, int port) {
    const std::string text(ip);
    const std::uint16_t checked = checked_port(port);
    const bool has_nul = text.find('\0') != std::string::npos;  // the system would look no further
    if (has_nul || (!parse_v4(text, checked, storage_) && !parse_v6(text, checked, storage_))) {
        refuse(ip, "numbers as in 127.0.0.1 or ::1");
    }
}

address address::parse(std::string_view text) {
    constexpr const char* expected = "127.0.0.1:80 or [::1]:80";
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) refuse(text, expected);
    std::string_view ip = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    int port = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) refuse(text, expected);
    const bool bracketed = ip.starts_with('[') && ip.ends_with(']');
    if (bracketed) ip = ip.substr(1, ip.size() - 2);
    if (bracketed != (ip.find(':') != std::string_view::npos)) refuse(text, expected);
    return address(ip, port);
}

address address::from_native(const sockaddr* native, socklen_t size) {
    address a;
    const bool known = (native->sa_family == AF_INET && size >= sizeof(sockaddr_in)) ||
                       (native->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6));
    if (!known) throw std::invalid_argument(fmt::format("address family {} is not IP", native->sa_family));
    std::memcpy(&a.storage_, native, native->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    return a;
}

std::string address::ip() const {
    char text[NI_MAXHOST] = "?";
    ::getnameinfo(native(), native_size(), text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    return text;
}

std::uint16_t address::port() const noexcept {
    return ntohs(is_v6() ? as_v6(native()).sin6_port : as_v4(native()).sin_port);
}

std::string address::to_string() const {
    return is_v6() ? fmt::format("[{}]:{}", ip(), port()) : fmt::format("{}:{}", ip(), port());
}

bool operator==(const address& a, const address& b) noexcept {
    if (a.is_v6() != b.is_v6() || a.port() != b.port()) return false;
    if (!a.is_v6()) return as_v4(a.native()).sin_addr.s_addr == as_v4(b.native()).sin_addr.s_addr;
    const sockaddr_in6& x = as_v6(a.native());
    const sockaddr_in6& y = as_v6(b.native());
    return std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0 && x.sin6_scope_id == y.sin6_scope_id;
}

std::ostream& operator<<(std::ostream& out, const address& a) { return out << a.to_string(); }

}  // namespace coir::net
