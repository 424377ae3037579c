#include "net/resolver.hpp"

#include <coir/exec/thread_pool.hpp>

#include <netdb.h>

#include <cerrno>
#include <chrono>
#include <memory>

namespace coir::net::detail {

namespace {

/// One of its own, so that slow names hold up nothing but names. Never destroyed: its threads may outlive main().
thread_pool& resolvers() {
    static thread_pool* const pool =
        new thread_pool({.max_threads = 8, .idle_time = std::chrono::seconds(1), .name = "coir-resolver"});
    return *pool;
}

}  // namespace

resolution look_up(const std::string& host, int port, bool numbers_only) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | (numbers_only ? AI_NUMERICHOST : AI_ADDRCONFIG);
    addrinfo* found = nullptr;
    resolution r;
    r.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    r.system_error = r.error == EAI_SYSTEM ? errno : 0;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    for (const addrinfo* a = found; a; a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) {
            r.addresses.push_back(address::from_native(a->ai_addr, a->ai_addrlen));
        }
    }
    if (r.error == 0 && r.addresses.empty()) r.error = EAI_NONAME;
    return r;
}

resolution look_up_on_helper(const std::string& host, int port) {
    return resolvers().submit(look_up, host, port, false).get();
}

}  // namespace coir::net::detail
