// <coir/net/error.hpp>: what reading from a stream throws besides std::system_error.
#pragma once

#include <cstddef>
#include <stdexcept>

namespace coir::net {

/// The stream ended before all of what was asked for had come.
class end_of_stream : public std::runtime_error {
public:
    explicit end_of_stream(std::size_t got = 0)
        : std::runtime_error("the stream ended before all bytes had come"), got_(got) {}
    /// How many bytes came before the end.
    std::size_t bytes_read() const noexcept { return got_; }

private:
    std::size_t got_;
};

/// A line, or another delimited piece, is longer than the caller allows. What has come so far is still unread.
class line_too_long : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace coir::net
