#include "reply.hpp"

#include "numbers.hpp"

namespace mini_redis {

void reply::header(char type, std::int64_t number) {
    out_ += type;
    append_integer(out_, number);
    out_ += "\r\n";
}

void reply::simple(std::string_view text) {
    out_ += '+';
    out_ += text;
    out_ += "\r\n";
}

void reply::error(std::string_view text) {
    out_ += '-';
    for (const char c : text) out_ += c == '\r' || c == '\n' ? ' ' : c;  // a line of its own would be a reply
    out_ += "\r\n";
}

void reply::integer(std::int64_t number) { header(':', number); }

void reply::bulk(std::string_view bytes) {
    header('$', static_cast<std::int64_t>(bytes.size()));
    out_ += bytes;
    out_ += "\r\n";
}

void reply::array(std::size_t size) { header('*', static_cast<std::int64_t>(size)); }

}  // namespace mini_redis
