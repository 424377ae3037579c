// Writing the protocol: replies in RESP2, appended to a client's output.
// https://redis.io/docs/reference/protocol-spec
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mini_redis {

class reply {
public:
    explicit reply(std::string& out) noexcept : out_(out) {}

    void simple(std::string_view text);
    void ok() { out_ += "+OK\r\n"; }
    /// `text` begins with its code: "ERR syntax error". It may quote what a client sent.
    void error(std::string_view text);
    void integer(std::int64_t number);
    void bulk(std::string_view bytes);
    void null() { out_ += "$-1\r\n"; }
    /// What follows next are its elements.
    void array(std::size_t size);
    void null_array() { out_ += "*-1\r\n"; }

private:
    void header(char type, std::int64_t number);

    std::string& out_;
};

}  // namespace mini_redis
