// In a worker process: plain blocking code, on a thread's stack, without a hub unless a job makes one.
#include "exec/worker_loop.hpp"

#include "base/syscall.hpp"
#include "exec/frame.hpp"
#include "exec/type_name.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

namespace coir::detail {

namespace {

/// False at the end of the stream.
bool read_all(int socket, char* to, std::size_t count) noexcept {
    while (count != 0) {
        const ssize_t n = sys.recv(socket, to, count, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        to += n;
        count -= static_cast<std::size_t>(n);
    }
    return true;
}

bool write_all(int socket, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t n = sys.send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

std::string error_frame(std::string_view type, std::string_view what) {
    frame_writer frame(longest_error_text);
    frame.append(type.substr(0, longest_error_text / 2));
    frame.append({"", 1});
    frame.append(what.substr(0, longest_error_text / 2 - 1));
    return std::move(frame).seal(frame_kind::error);
}

std::string too_long_frame(std::size_t length) {
    frame_writer frame(sizeof length);
    frame.append({reinterpret_cast<const char*>(&length), sizeof length});
    return std::move(frame).seal(frame_kind::too_long);
}

/// Runs the job and gives the frame of its result, or of its error.
std::string run(const frame_header& job, std::string_view arguments, std::size_t max_payload) {
    try {
        frame_writer result(max_payload);
        job.entry(job.function, arguments, result);
        return result.fits() ? std::move(result).seal(frame_kind::result) : too_long_frame(result.length());
    } catch (const std::exception& e) {
        return error_frame(type_name(typeid(e)), e.what());
    } catch (...) {
        return error_frame(current_exception_type(), "it is no std::exception");
    }
}

/// What a job has printed is there when its result is.
void flush_output() {
    std::cout.flush();
    std::fflush(stdout);
}

}  // namespace

void run_worker(int socket, std::size_t max_payload) noexcept {
    frame_header header;
    std::string arguments;
    while (read_all(socket, reinterpret_cast<char*>(&header), sizeof header)) {
        if (!is_frame_start(header, max_payload)) break;
        arguments.resize(header.length);
        if (!read_all(socket, arguments.data(), arguments.size()) || !is_intact(header, arguments)) break;
        std::string reply = run(header, arguments, max_payload);
        flush_output();
        if (!write_all(socket, reply)) break;
        if (arguments.capacity() > longest_error_text) std::string().swap(arguments);
    }
    ::_exit(0);
}

}  // namespace coir::detail
