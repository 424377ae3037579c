// HTTP for those who bring none: requests read with llhttp, as a server has to, and the answer to them.
#pragma once

#include "http_date.hpp"

#include <llhttp/llhttp.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// One side of one connection.
class http_hello {
public:
    http_hello() {
        llhttp_init(&parser_, HTTP_REQUEST, &callbacks());
        parser_.data = this;
    }
    http_hello(const http_hello&) = delete;
    http_hello& operator=(const http_hello&) = delete;

    /// Puts the answer to each request that is complete now behind the answers. False when these are the last.
    bool hear(std::string_view bytes) {
        const char* const end = bytes.data() + bytes.size();
        llhttp_errno_t heard = llhttp_execute(&parser_, bytes.data(), bytes.size());
        while (heard == HPE_PAUSED_UPGRADE) {  // an offer, which is not taken
            llhttp_resume_after_upgrade(&parser_);
            const char* const rest = llhttp_get_error_pos(&parser_);
            heard = llhttp_execute(&parser_, rest, static_cast<std::size_t>(end - rest));
        }
        if (heard != HPE_OK && heard != HPE_PAUSED) refuse(heard == HPE_USER ? "431 Too Large" : "400 Bad Request");
        return heard == HPE_OK;
    }

    std::string& answers() noexcept { return answers_; }

private:
    static constexpr std::size_t most_of_a_head = 16 * 1024;

    struct header {
        std::string name, value;
    };

    static const llhttp_settings_t& callbacks() {
        static const llhttp_settings_t settings = [] {
            llhttp_settings_t s;
            llhttp_settings_init(&s);
            s.on_message_begin = [](llhttp_t* p) { return of(p).begin(); };
            s.on_url = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).add({at, n}, of(p).target_); };
            s.on_header_field = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).add_name({at, n}); };
            s.on_header_value = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).add_value({at, n}); };
            s.on_message_complete = [](llhttp_t* p) { return of(p).answer(); };
            return s;
        }();
        return settings;
    }

    static http_hello& of(llhttp_t* parser) noexcept { return *static_cast<http_hello*>(parser->data); }

    int begin() {
        head_size_ = 0;
        target_.clear();
        headers_.clear();
        is_in_value_ = true;
        return 0;
    }

    int add(std::string_view piece, std::string& to) {
        head_size_ += piece.size();
        if (head_size_ > most_of_a_head) return HPE_USER;
        to += piece;
        return 0;
    }

    int add_name(std::string_view piece) {
        if (is_in_value_) headers_.emplace_back();
        is_in_value_ = false;
        return add(piece, headers_.back().name);
    }

    int add_value(std::string_view piece) {
        is_in_value_ = true;
        return add(piece, headers_.back().value);
    }

    int answer() {
        constexpr std::string_view hello = "hello, world\n";
        constexpr std::string_view nothing = "not found\n";
        const bool is_found = parser_.method == HTTP_GET && target_ == "/";
        const bool is_kept = llhttp_should_keep_alive(&parser_) != 0;
        const std::string_view body = is_found ? hello : nothing;
        answers_ += is_found ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 404 Not Found\r\n";
        answers_ += "Content-Type: text/plain\r\nContent-Length: ";
        answers_ += std::to_string(body.size());
        answers_ += "\r\nDate: ";
        answers_ += http_date();
        answers_ += is_kept ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
        if (parser_.method != HTTP_HEAD) answers_ += body;
        return is_kept ? 0 : HPE_PAUSED;
    }

    void refuse(std::string_view status) {
        answers_ += "HTTP/1.1 ";
        answers_ += status;
        answers_ += "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    }

    llhttp_t parser_;
    std::size_t head_size_ = 0;
    std::string target_;
    std::vector<header> headers_;
    bool is_in_value_ = true;
    std::string answers_;
};
