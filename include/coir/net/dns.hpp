// <coir/net/dns.hpp>: from names to addresses.
#pragma once

#include <coir/net/address.hpp>

#include <string>
#include <vector>

namespace coir::net {

/// The addresses of a host, the preferred first, with `port`. Numbers are converted at once; names are looked up by
/// the system's resolver on a helper thread, while only this fiber waits. An empty name or "*" is all addresses of
/// this machine. A cancellation point: the lookup goes on, and its answer is dropped. Any thread. Throws
/// std::system_error, whose text has the name, when there is no such host, and std::invalid_argument for a bad port.
std::vector<address> resolve(const std::string& host, int port);

}  // namespace coir::net
