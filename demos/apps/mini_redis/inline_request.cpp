// Requests that are typed by hand, with telnet or nc, are lines of words.
#include "numbers.hpp"
#include "request.hpp"

#include <charconv>

namespace mini_redis {

namespace {

bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Takes words from the front of a line.
class word_reader {
public:
    explicit word_reader(std::string_view line) noexcept : rest_(line) {}

    bool at_end() noexcept {
        while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
        return rest_.empty();
    }

    /// False when a quote is not closed, or something follows its end at once.
    bool read(std::string& word) {
        while (!rest_.empty() && !is_blank(rest_.front())) {
            const char c = take();
            if (c == '"' || c == '\'') {
                if (!read_quoted(word, c)) return false;
                return rest_.empty() || is_blank(rest_.front());
            }
            word += c;
        }
        return true;
    }

private:
    char take() noexcept {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    bool read_quoted(std::string& word, char quote) {
        while (!rest_.empty()) {
            const char c = take();
            if (c == quote) return true;
            if (c == '\\' && quote == '"' && !rest_.empty()) {
                word += read_escape();
            } else if (c == '\\' && rest_.starts_with('\'')) {
                word += take();
            } else {
                word += c;
            }
        }
        return false;
    }

    char read_escape() noexcept {
        const char c = take();
        switch (c) {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'b':
                return '\b';
            case 'a':
                return '\a';
            case 'x':
                return read_hex();
            default:
                return c;
        }
    }

    /// What follows "\x": two digits, or else the x is only an x.
    char read_hex() noexcept {
        const std::string_view digits = rest_.substr(0, 2);
        unsigned char byte = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (error != std::errc{} || end != digits.data() + 2) return 'x';
        rest_.remove_prefix(2);
        return static_cast<char>(byte);
    }

    std::string_view rest_;
};

}  // namespace

std::optional<std::vector<std::string>> split_line(std::string_view line) {
    std::vector<std::string> words;
    for (word_reader reader(line); !reader.at_end();) {
        if (!reader.read(words.emplace_back())) return std::nullopt;
    }
    return words;
}

}  // namespace mini_redis
