// Reading the protocol: requests in RESP2, and lines typed by hand.
#pragma once

#include <coir/net.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mini_redis {

using arguments = std::span<const std::string_view>;
using input = coir::net::buffered<coir::net::tcp_stream>;

/// What came is no request, and where the next one begins cannot be known.
class protocol_error : public std::runtime_error {
public:
    explicit protocol_error(const std::string& what) : std::runtime_error("ERR Protocol error: " + what) {}
};

constexpr std::int64_t max_arguments = 1024 * 1024;
constexpr std::int64_t max_bulk_size = 512 * 1024 * 1024;
constexpr std::size_t max_request_size = 1024 * 1024 * 1024;
constexpr std::size_t max_inline_size = 64 * 1024;

/// Finds requests in what an input has read ahead. It goes on where it stopped when more has come, and takes
/// memory only for what is there, whatever lengths a client has announced.
class request_reader {
public:
    explicit request_reader(input& in) noexcept : in_(in) {}

    /// False when the next request is not complete yet: fill the input, and call it again. Throws
    /// protocol_error.
    bool next();

    /// Of the last request, its name first. The views are into the input, and end with the next fill() of it.
    arguments current() const noexcept { return arguments_; }

private:
    struct piece {
        std::size_t offset;
        std::size_t size;
    };

    bool read_inline();
    bool read_array();
    bool read_bulk();
    std::optional<std::int64_t> read_length(std::size_t& at, char type, const char* what, std::int64_t most) const;
    void finish_array();

    input& in_;
    std::size_t position_ = 0;           // how much of the request has been understood
    std::optional<std::int64_t> count_;  // of the array that has begun
    std::vector<piece> pieces_;          // its elements so far; in_ may move until all have come
    std::vector<std::string> words_;     // of an inline request
    std::vector<std::string_view> arguments_;
};

/// Splits a line as a shell would: blanks separate, 'single' and "double" quotes keep together, and inside
/// double ones there are \n, \r, \t, \b, \a and \xHH. Nothing when a quote is not closed.
std::optional<std::vector<std::string>> split_line(std::string_view line);

}  // namespace mini_redis
