// Requests with HTTP/1.1 for "/" on connections that stay: each answer must be a 200 with "hello, world\n".
#include "exchange.hpp"

#include <charconv>

namespace load {

namespace {

constexpr std::string_view status = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view body = "hello, world\n";
constexpr std::string_view end_of_head = "\r\n\r\n";

/// The length that the head announces; npos when it does not.
std::size_t content_length(std::string_view head) {
    std::string lower(head);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c | 32 : c; });
    constexpr std::string_view name = "\r\ncontent-length:";
    const std::size_t at = lower.find(name);
    if (at == lower.npos) return lower.npos;
    const std::size_t digits = lower.find_first_not_of(' ', at + name.size());
    std::size_t length = lower.npos;
    if (digits != lower.npos) std::from_chars(lower.data() + digits, lower.data() + lower.size(), length);
    return length;
}

/// Answers of one server are of one size, so that after the first one its headers need not be read again.
class http_dialogue {
public:
    http_dialogue(int port, std::uint32_t connections)
        : request_("GET / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\n\r\n"), heard_(connections) {}

    std::string_view request(std::uint32_t id, std::uint32_t) {
        heard_[id].clear();
        return request_;
    }

    std::size_t expected(std::size_t) const noexcept { return std::string_view::npos; }

    verdict hear(std::uint32_t id, std::uint32_t, std::size_t received, std::string_view bytes) {
        if (received == 0 && bytes.size() == size_) return judge_whole(bytes);
        heard_[id].append(bytes);
        const std::string_view heard = heard_[id];
        const std::size_t head = heard.find(end_of_head);
        if (head == heard.npos) return verdict::partial;
        if (content_length(heard.substr(0, head)) != body.size()) return verdict::wrong;
        const std::size_t size = head + end_of_head.size() + body.size();
        if (heard.size() < size) return verdict::partial;
        if (heard.size() > size) return verdict::wrong;
        size_ = size;
        return judge_whole(heard);
    }

private:
    static verdict judge_whole(std::string_view answer) noexcept {
        const std::string_view rest = answer.substr(0, answer.size() - body.size());
        const bool is_right = answer.starts_with(status) && answer.ends_with(body) && rest.ends_with(end_of_head);
        return is_right ? verdict::complete : verdict::wrong;
    }

    std::string request_;
    std::vector<std::string> heard_;  // of answers that come in pieces
    std::size_t size_ = 0;            // of an answer
};

}  // namespace

std::string http(int port, std::uint32_t connections, int milliseconds) {
    return run_exchange(port, connections, milliseconds, http_dialogue(port, connections));
}

}  // namespace load
