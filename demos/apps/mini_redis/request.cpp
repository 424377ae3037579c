#include "request.hpp"

#include "numbers.hpp"

#include <algorithm>

namespace mini_redis {

namespace {

constexpr std::size_t max_length_line = 32;  // far more digits than any length has

/// For an error message: printable, and not too long.
std::string quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text.substr(0, max_length_line)) result += c >= ' ' && c <= '~' ? c : '?';
    return result + "'";
}

}  // namespace

bool request_reader::next() {
    arguments_.clear();
    while (arguments_.empty()) {  // an empty request has no answer
        const std::string_view text = in_.peek();
        const bool is_line = !count_ && !text.empty() && text.front() != '*';
        if (!(is_line ? read_inline() : read_array())) return false;
    }
    return true;
}

bool request_reader::read_inline() {
    const std::string_view text = in_.peek();
    const std::size_t end = text.find('\n');
    if (std::min(end, text.size()) > max_inline_size) throw protocol_error("too big inline request");
    if (end == text.npos) return false;

    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto words = split_line(line);
    if (!words) throw protocol_error("unbalanced quotes in request");
    words_ = std::move(*words);
    arguments_.assign(words_.begin(), words_.end());
    in_.consume(end + 1);
    return true;
}

bool request_reader::read_array() {
    if (!count_) {
        count_ = read_length(position_, '*', "multibulk", max_arguments);
        if (!count_) return false;
    }
    while (static_cast<std::int64_t>(pieces_.size()) < *count_) {
        if (!read_bulk()) {
            if (in_.peek().size() > max_request_size) throw protocol_error("too big request");
            return false;
        }
    }
    finish_array();
    return true;
}

bool request_reader::read_bulk() {
    std::size_t at = position_;
    const auto announced = read_length(at, '$', "bulk", max_bulk_size);
    if (!announced) return false;
    if (*announced < 0) throw protocol_error("invalid bulk length " + quoted(std::to_string(*announced)));

    const auto size = static_cast<std::size_t>(*announced);
    const std::string_view rest = in_.peek().substr(at);
    if (rest.size() < size + 2) return false;
    const std::string_view end = rest.substr(size, 2);
    if (end != "\r\n") throw protocol_error("expected the end of a bulk, got " + quoted(end));
    pieces_.push_back({at, size});
    position_ = at + size + 2;
    return true;
}

/// A line such as "$5": its number, and `at` moves behind it. Nothing while the line is incomplete.
std::optional<std::int64_t> request_reader::read_length(std::size_t& at, char type, const char* what,
                                                        std::int64_t most) const {
    const std::string_view text = in_.peek().substr(at, 1 + max_length_line);
    if (text.empty()) return std::nullopt;
    if (text.front() != type)
        throw protocol_error(std::string("expected '") + type + "', got " + quoted(text.substr(0, 1)));
    const std::size_t end = text.find('\r');
    if (end == text.npos) {
        if (text.size() > max_length_line) throw protocol_error(std::string("too big ") + what + " count string");
        return std::nullopt;
    }
    if (end + 1 == in_.peek().size() - at) return std::nullopt;  // the '\n' is still to come

    const auto number = parse_integer(text.substr(1, end - 1));
    if (!number || *number > most || in_.peek()[at + end + 1] != '\n') {
        throw protocol_error(std::string("invalid ") + what + " length " + quoted(text.substr(1, end - 1)));
    }
    at += end + 2;
    return number;
}

void request_reader::finish_array() {
    const std::string_view text = in_.peek();
    for (const auto [offset, size] : pieces_) arguments_.push_back(text.substr(offset, size));
    in_.consume(position_);
    position_ = 0;
    count_.reset();
    pieces_.clear();
}

}  // namespace mini_redis
