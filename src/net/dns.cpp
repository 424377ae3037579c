#include <coir/net/dns.hpp>

#include "net/resolver.hpp"

#include <netdb.h>

#include <fmt/format.h>

#include <stdexcept>
#include <system_error>

namespace coir::net {

namespace {

class resolver_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "getaddrinfo"; }
    std::string message(int code) const override { return ::gai_strerror(code); }
};

const std::error_category& resolver_errors() noexcept {
    static const resolver_category category;
    return category;
}

}  // namespace

std::vector<address> resolve(const std::string& host, int port) {
    checked_port(port);
    if (host.find('\0') != std::string::npos) throw std::invalid_argument("a host name with a NUL: " + host);
    if (host.empty() || host == "*") return {address("0.0.0.0", port)};
    detail::resolution r = detail::look_up(host, port, true);
    if (r.error == EAI_NONAME) r = detail::look_up_on_helper(host, port);
    if (r.error == 0) return std::move(r.addresses);
    const std::error_code code = r.error == EAI_SYSTEM ? std::error_code(r.system_error, std::generic_category())
                                                       : std::error_code(r.error, resolver_errors());
    throw std::system_error(code, fmt::format("resolve \"{}\"", host));
}

}  // namespace coir::net
