// <coir/net/stream.hpp>: what every stream of bytes can do.
#pragma once

#include <coir/net/buffer.hpp>
#include <coir/net/error.hpp>

#include <concepts>
#include <cstddef>
#include <system_error>

namespace coir::net {

/// Code that is written for a byte_stream works over TCP, unix sockets, TLS and in memory.
///
/// read_some suspends until there is something, and gives how much; 0 is the end of the stream (or an empty buffer).
/// write_all suspends until all is handed over. read_exactly throws end_of_stream when the stream ends before it is
/// full. shutdown_write ends one's own side; the other's can still be read. close ends both, and wakes whoever waits.
/// Cancellation: read_some has taken nothing then; of what write_all and read_exactly had done, nothing is known.
/// Failures throw std::system_error, or are put into the error_code.
template <class S>
concept byte_stream = requires(S& s, mutable_buffer in, const_buffer out, std::error_code& ec) {
    { s.read_some(in) } -> std::same_as<std::size_t>;
    { s.read_some(in, ec) } -> std::same_as<std::size_t>;
    s.read_exactly(in);
    s.write_all(out);
    s.write_all(out, ec);
    s.shutdown_write();
    s.close();
};

}  // namespace coir::net
