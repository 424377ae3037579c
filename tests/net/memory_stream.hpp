// A byte_stream without a socket: two queues of bytes between two ends, for tests of what works over any
// stream.
#pragma once

#include <coir/net/stream.hpp>
#include <coir/sync/event.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

namespace net_tests {

/// One direction: a bounded queue whose ends wait for each other.
class memory_pipe {
public:
    explicit memory_pipe(std::size_t capacity) : capacity_(capacity) {}

    std::size_t read_some(coir::net::mutable_buffer buffer) {
        while (bytes_.empty() && !ended_) wait_for_change();
        const std::size_t n = std::min(buffer.size(), bytes_.size());
        std::copy_n(bytes_.data(), n, buffer.data());
        bytes_.erase(0, n);
        announce_change();
        return n;
    }
    /// False when the reader has gone.
    bool write_all(coir::net::const_buffer data) {
        while (!data.empty() && !broken_) {
            const std::size_t n = std::min(data.size(), capacity_ - bytes_.size());
            bytes_.append(data.data(), n);
            data = data.skip(n);
            announce_change();
            if (!data.empty()) wait_for_change();
        }
        return !broken_;
    }
    void end() {
        ended_ = true;
        announce_change();
    }
    void break_it() {
        broken_ = true;
        end();
    }

private:
    void wait_for_change() {
        changed_.clear();
        changed_.wait();
    }
    void announce_change() { changed_.set(); }

    const std::size_t capacity_;
    std::string bytes_;
    bool ended_ = false;
    bool broken_ = false;
    coir::event changed_;
};

/// For fibers of one hub. `piece` is the most that one read gives, so that a test can split what it reads
/// anywhere.
class memory_stream {
public:
    static std::pair<memory_stream, memory_stream> make_pair(std::size_t capacity = 64 * 1024) {
        auto there = std::make_shared<memory_pipe>(capacity);
        auto back = std::make_shared<memory_pipe>(capacity);
        return {memory_stream(there, back), memory_stream(back, there)};
    }
    memory_stream(memory_stream&& other) noexcept
        : piece(other.piece),
          in_(std::move(other.in_)),
          out_(std::move(other.out_)),
          is_open_(std::exchange(other.is_open_, false)),
          has_ended_(other.has_ended_) {}
    ~memory_stream() { close(); }

    std::size_t read_some(coir::net::mutable_buffer buffer, std::error_code& ec) {
        ec.clear();
        if (is_open_ && buffer.empty()) return 0;
        const auto in = in_;
        const std::size_t n = is_open_ ? in->read_some({buffer.data(), std::min(piece, buffer.size())}) : 0;
        if (!is_open_) ec = std::make_error_code(std::errc::bad_file_descriptor);
        return ec ? 0 : n;
    }
    void write_all(coir::net::const_buffer data, std::error_code& ec) {
        ec.clear();
        const auto out = out_;
        const bool written = is_open_ && !has_ended_ && out->write_all(data);
        if (!written) ec = std::make_error_code(is_open_ ? std::errc::broken_pipe : std::errc::bad_file_descriptor);
    }
    std::size_t read_some(coir::net::mutable_buffer buffer) {
        std::error_code ec;
        const std::size_t n = read_some(buffer, ec);
        throw_if(ec, "read");
        return n;
    }
    void read_exactly(coir::net::mutable_buffer buffer) {
        for (std::size_t got = 0; got < buffer.size();) {
            const std::size_t n = read_some(buffer.skip(got));
            if (n == 0) throw coir::net::end_of_stream(got);
            got += n;
        }
    }
    void write_all(coir::net::const_buffer data) {
        std::error_code ec;
        write_all(data, ec);
        throw_if(ec, "write");
    }
    void shutdown_write() {
        if (!is_open_) throw_if(std::make_error_code(std::errc::bad_file_descriptor), "shutdown");
        has_ended_ = true;
        out_->end();
    }
    void close() noexcept {
        if (!std::exchange(is_open_, false)) return;
        out_->end();
        in_->break_it();
    }

    std::size_t piece = 64 * 1024;

private:
    memory_stream(std::shared_ptr<memory_pipe> in, std::shared_ptr<memory_pipe> out)
        : in_(std::move(in)), out_(std::move(out)) {}

    static void throw_if(const std::error_code& ec, const char* operation) {
        if (ec) throw std::system_error(ec, operation);
    }

    std::shared_ptr<memory_pipe> in_;
    std::shared_ptr<memory_pipe> out_;
    bool is_open_ = true;
    bool has_ended_ = false;
};

static_assert(coir::net::byte_stream<memory_stream>);

}  // namespace net_tests
