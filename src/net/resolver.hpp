// The threads that wait for getaddrinfo, so that no hub has to.
#pragma once

#include <coir/net/address.hpp>

#include <string>
#include <vector>

namespace coir::net::detail {

struct resolution {
    int error = 0;         // of getaddrinfo
    int system_error = 0;  // errno, where that is what `error` refers to
    std::vector<address> addresses;
};

/// The blocking call.
resolution look_up(const std::string& host, int port, bool numbers_only);

/// The same on a helper thread. Suspends; a cancellation point: the answer is then dropped.
resolution look_up_on_helper(const std::string& host, int port);

}  // namespace coir::net::detail
