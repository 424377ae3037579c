// <coir/net/buffered.hpp>: reading a stream by lines and pieces, and collecting what is written.
#pragma once

#include <coir/net/stream.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace coir::net {

/// Reads ahead and writes behind, over a stream that must outlive it:
/// `coir::net::buffered in(stream); while (auto line = in.read_line()) ...`
///
/// Reads suspend when the buffer has not enough; cancelled reads lose nothing that has come. For one reading and one
/// writing fiber at a time. What was written is sent by flush(): the destructor sends nothing, since it could not say
/// that it failed. Example: tests/net/buffered_test.cpp
template <byte_stream Stream>
class buffered {
public:
    static constexpr std::size_t default_line_limit = 64 * 1024;

    explicit buffered(Stream& stream) noexcept : stream_(stream) {}

    /// The next line without its "\n" or "\r\n"; nothing at the end of the stream. A last line may lack its end.
    /// Throws line_too_long when `limit` bytes have come and no end.
    std::optional<std::string> read_line(std::size_t limit = default_line_limit);

    /// Up to `delimiter`, which is dropped. Throws end_of_stream when the stream ends after some bytes without one.
    std::optional<std::string> read_until(std::string_view delimiter, std::size_t limit = default_line_limit);

    /// Exactly n bytes; throws end_of_stream.
    std::string read_exactly(std::size_t n);
    void read_exactly(mutable_buffer buffer);
    /// What there is, at least one byte; 0 at the end of the stream.
    std::size_t read_some(mutable_buffer buffer);

    /// For a parser: what has come and is unread; more of it (false at the end of the stream); and how much of it the
    /// parser has used.
    std::string_view peek() const noexcept { return std::string_view(in_).substr(read_); }
    bool fill();
    void consume(std::size_t n) noexcept;

    /// Collects; sends when more than `write_chunk` has gathered.
    void write(const_buffer data);
    /// Sends what has gathered.
    void flush();
    std::size_t unsent() const noexcept { return out_.size(); }

    Stream& stream() noexcept { return stream_; }

private:
    static constexpr std::size_t read_chunk = 4096;
    static constexpr std::size_t most_read = 64 * 1024;
    static constexpr std::size_t write_chunk = 16 * 1024;

    /// The position of the delimiter in peek(); nothing at the end of the stream.
    std::optional<std::size_t> find(std::string_view delimiter, std::size_t limit);
    std::string take(std::size_t n);

    Stream& stream_;
    std::string in_;
    std::size_t read_ = 0;  // how much of in_ has been used
    std::size_t chunk_ = read_chunk;
    std::string out_;
};

template <byte_stream Stream>
bool buffered<Stream>::fill() {
    if (read_ == in_.size()) {
        in_.clear();
        read_ = 0;
    } else if (read_ > in_.size() / 2) {
        in_.erase(0, std::exchange(read_, 0));
    }
    const std::size_t had = in_.size();
    struct restore {  // also when the read throws
        std::string& text;
        std::size_t size;
        ~restore() { text.resize(size); }
    } at_end{in_, had};
    in_.resize(had + chunk_);
    const std::size_t got = stream_.read_some(mutable_buffer(in_.data() + had, chunk_));
    at_end.size = had + got;
    if (got == chunk_) chunk_ = std::min(chunk_ * 2, most_read);
    return got != 0;
}

template <byte_stream Stream>
void buffered<Stream>::consume(std::size_t n) noexcept {
    read_ += std::min(n, in_.size() - read_);
}

template <byte_stream Stream>
std::optional<std::size_t> buffered<Stream>::find(std::string_view delimiter, std::size_t limit) {
    std::size_t searched = 0;
    for (;;) {
        const std::size_t at = peek().find(delimiter, searched);
        if (at != std::string_view::npos && at <= limit) return at;
        if (peek().size() >= delimiter.size() && peek().size() - (delimiter.size() - 1) > limit) {
            throw line_too_long("no end of line within " + std::to_string(limit) + " bytes");
        }
        searched = peek().size() - std::min(peek().size(), delimiter.size() - 1);
        if (!fill()) return std::nullopt;
    }
}

template <byte_stream Stream>
std::string buffered<Stream>::take(std::size_t n) {
    std::string piece(peek().substr(0, n));
    consume(n);
    return piece;
}

template <byte_stream Stream>
std::optional<std::string> buffered<Stream>::read_line(std::size_t limit) {
    const auto end = find("\n", limit);
    if (!end && peek().empty()) return std::nullopt;
    std::string line = take(end.value_or(peek().size()));
    if (end) {
        consume(1);
        if (line.ends_with('\r')) line.pop_back();
    }
    return line;
}

template <byte_stream Stream>
std::optional<std::string> buffered<Stream>::read_until(std::string_view delimiter, std::size_t limit) {
    if (delimiter.empty()) throw std::invalid_argument("read_until with an empty delimiter");
    const auto end = find(delimiter, limit);
    if (!end && peek().empty()) return std::nullopt;
    if (!end) throw end_of_stream(peek().size());
    std::string piece = take(*end);
    consume(delimiter.size());
    return piece;
}

template <byte_stream Stream>
std::string buffered<Stream>::read_exactly(std::size_t n) {
    std::string bytes(n, '\0');
    read_exactly(mutable_buffer(bytes));
    return bytes;
}

template <byte_stream Stream>
void buffered<Stream>::read_exactly(mutable_buffer buffer) {
    while (peek().size() < buffer.size()) {
        if (!fill()) throw end_of_stream(peek().size());
    }
    std::copy_n(peek().data(), buffer.size(), buffer.data());
    consume(buffer.size());
}

template <byte_stream Stream>
std::size_t buffered<Stream>::read_some(mutable_buffer buffer) {
    if (buffer.empty() || (peek().empty() && !fill())) return 0;
    const std::size_t n = std::min(buffer.size(), peek().size());
    std::copy_n(peek().data(), n, buffer.data());
    consume(n);
    return n;
}

template <byte_stream Stream>
void buffered<Stream>::write(const_buffer data) {
    out_.append(data.data(), data.size());
    if (out_.size() >= write_chunk) flush();
}

template <byte_stream Stream>
void buffered<Stream>::flush() {
    if (out_.empty()) return;
    // A write that fails half-way is not repeated: the stream is of no use any more.
    std::string sending = std::exchange(out_, {});
    stream_.write_all(const_buffer(sending));
    sending.clear();
    if (out_.empty()) out_ = std::move(sending);  // its memory, for the next time
}

}  // namespace coir::net
