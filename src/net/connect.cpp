// Connecting to a name, as RFC 8305 has it ("happy eyeballs"): of its addresses the next is tried when the last has
// failed or has not answered in time, IPv6 and IPv4 in turn, and whoever connects first wins.
#include <coir/net/dns.hpp>
#include <coir/net/tcp.hpp>
#include <coir/sync/channel.hpp>
#include <coir/task/task_group.hpp>
#include <coir/task/timeout.hpp>

#include "hub/io_loop.hpp"

#include <netinet/tcp.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace coir::net {

namespace {

using namespace std::chrono_literals;

constexpr auto attempt_delay = 250ms;

struct attempt {
    tcp_stream stream;
    std::error_code ec;
};

attempt connect_once(const address& to) {
    attempt made;
    detail::socket s = detail::socket::make(to.native()->sa_family, made.ec);
    if (!made.ec) s.set_option(IPPROTO_TCP, TCP_NODELAY, 1, made.ec);
    if (!made.ec) s.connect(to, made.ec);
    if (!made.ec) made.stream = tcp_stream(std::move(s));
    return made;
}

/// The families in turn, each in the resolver's order.
std::vector<address> interleave(const std::vector<address>& addresses) {
    std::vector<address> first;
    std::vector<address> second;
    for (const address& a : addresses) (a.is_v6() == addresses.front().is_v6() ? first : second).push_back(a);
    std::vector<address> mixed;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) mixed.push_back(first[i]);
        if (i < second.size()) mixed.push_back(second[i]);
    }
    return mixed;
}

/// In a race nothing but a cancellation may escape: the others wait for each outcome.
attempt connect_in_race(const address& to) {
    attempt failed;
    try {
        return connect_once(to);
    } catch (const std::system_error& e) {
        failed.ec = e.code();
    } catch (const std::exception&) {
        failed.ec = std::make_error_code(std::errc::not_enough_memory);
    }
    return failed;
}

/// The first to connect; or the first error, with `failures` saying what became of each.
attempt connect_race(const std::vector<address>& addresses, std::string& failures) {
    channel<attempt> results(channel<attempt>::unbounded);
    task_group attempts;
    std::size_t started = 0;
    std::size_t ended = 0;
    attempt outcome;
    while (ended < addresses.size()) {
        if (started < addresses.size()) {
            const address& to = addresses[started++];
            attempts.spawn({.name = "connect " + to.to_string()},
                           [&results, to] { results.send(connect_in_race(to)); });
        }
        auto result = started < addresses.size() ? results.recv_for(attempt_delay) : results.recv();
        if (!result) continue;
        if (!result->ec) {
            attempts.cancel();
            return std::move(*result);
        }
        ++ended;
        failures += fmt::format("{}{}", failures.empty() ? "" : ", ", result->ec.message());
        if (!outcome.ec) outcome.ec = result->ec;
    }
    return outcome;
}

attempt connect_to(const std::vector<address>& addresses, std::string& failures) {
    if (addresses.size() == 1) return connect_once(addresses.front());
    return connect_race(interleave(addresses), failures);
}

/// With a failure, and the limit, as an error_code. Another scope's timed_out passes.
template <class Function>
tcp_stream connect_quietly(time_span limit, std::error_code& ec, Function function) {
    const timeout scope(limit);
    try {
        attempt made = function();
        ec = made.ec;
        return std::move(made.stream);
    } catch (const timed_out& e) {
        if (!scope.owns(e)) throw;
        ec = std::make_error_code(std::errc::timed_out);
    } catch (const std::system_error& e) {
        ec = e.code();
    }
    return {};
}

}  // namespace

tcp_stream tcp_stream::connect(const address& to, const connect_options& options, std::error_code& ec) {
    return connect_quietly(options.timeout, ec, [&] { return connect_once(to); });
}

tcp_stream tcp_stream::connect(const address& to, const connect_options& options) {
    attempt made = wait_for(options.timeout, [&] { return connect_once(to); });
    if (made.ec) coir::detail::throw_system_error(made.ec.value(), "connect " + to.to_string());
    return std::move(made.stream);
}

tcp_stream tcp_stream::connect(const std::string& host, int port, const connect_options& options) {
    std::string failures;
    attempt made = wait_for(options.timeout, [&] { return connect_to(resolve(host, port), failures); });
    if (made.ec) {
        const std::string details = failures.empty() ? "" : " (" + failures + ")";
        coir::detail::throw_system_error(made.ec.value(), fmt::format("connect {}:{}{}", host, port, details));
    }
    return std::move(made.stream);
}

tcp_stream tcp_stream::connect(const std::string& host, int port, const connect_options& options, std::error_code& ec) {
    std::string failures;
    return connect_quietly(options.timeout, ec, [&] { return connect_to(resolve(host, port), failures); });
}

}  // namespace coir::net
