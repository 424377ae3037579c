// Requests with HTTP/1.1 for "/" on connections that stay: each answer must be a 200 with "hello, world\n", and but for
// its date the same as the first.
#include "exchange.hpp"

#include <charconv>

namespace load {

namespace {

constexpr std::string_view status = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view body = "hello, world\n";
constexpr std::string_view end_of_head = "\r\n\r\n";

std::string in_lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower;
}

/// Where the value of a header begins; npos when it is not there.
std::size_t value_of(std::string_view name, std::string_view head) {
    const std::string line = "\r\n" + std::string(name) + ": ";
    const std::size_t at = in_lower_case(head).find(line);
    return at == head.npos ? at : at + line.size();
}

/// The length that the head announces; npos when it does not.
std::size_t content_length(std::string_view head) {
    std::size_t length = head.npos;
    if (const std::size_t at = value_of("content-length", head); at != head.npos) {
        std::from_chars(head.data() + at, head.data() + head.size(), length);
    }
    return length;
}

/// An answer to compare others with.
class model_answer {
public:
    model_answer() = default;
    explicit model_answer(std::string answer) : text_(std::move(answer)) {
        const std::size_t date = value_of("date", text_);
        if (date == text_.npos) return;
        date_begin_ = date;
        date_end_ = text_.find('\r', date);
    }

    std::size_t size() const noexcept { return text_.size(); }

    bool is_like(std::string_view other) const noexcept {
        const std::string_view text = text_;
        return other.size() == text.size() && other.substr(0, date_begin_) == text.substr(0, date_begin_) &&
               other.substr(date_end_) == text.substr(date_end_);
    }

private:
    std::string text_;
    std::size_t date_begin_ = 0;
    std::size_t date_end_ = 0;
};

bool is_right(std::string_view head) {
    return head.starts_with(status) && content_length(head) == body.size() && value_of("date", head) != head.npos &&
           value_of("content-type", head) != head.npos;
}

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
        if (received == 0 && model_.is_like(bytes)) return verdict::complete;
        heard_[id].append(bytes);
        if (model_.size() == 0) return hear_first(heard_[id]);
        if (heard_[id].size() < model_.size()) return verdict::partial;
        return model_.is_like(heard_[id]) ? verdict::complete : verdict::wrong;
    }

private:
    verdict hear_first(std::string_view heard) {
        const std::size_t head = heard.find(end_of_head);
        if (head == heard.npos) return verdict::partial;
        if (!is_right(heard.substr(0, head))) return verdict::wrong;
        const std::string_view heard_body = heard.substr(head + end_of_head.size());
        if (heard_body.size() < body.size()) return verdict::partial;
        if (heard_body != body) return verdict::wrong;
        model_ = model_answer(std::string(heard));
        return verdict::complete;
    }

    std::string request_;
    std::vector<std::string> heard_;  // of answers that come in pieces
    model_answer model_;
};

}  // namespace

std::string http(int port, std::uint32_t connections, int milliseconds) {
    return run_exchange(port, connections, milliseconds, http_dialogue(port, connections));
}

}  // namespace load
