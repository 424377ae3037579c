// What a process pool and its workers send each other: a header, and that many bytes. Not for use outside coir.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <streambuf>
#include <string>
#include <string_view>

namespace coir::detail {

class frame_writer;

/// Runs `function`, if it takes one, with the arguments, and writes the result. In a worker, where everything has the
/// address that it has in the parent: workers are forks that execute no other program.
using job_entry = void (*)(std::uintptr_t function, std::string_view arguments, frame_writer& result);

enum class frame_kind : std::uint32_t {
    job = 1,
    result,
    error,    // the name of its type, a NUL, what()
    too_long  // the length that the result has
};

struct frame_header {
    std::uint32_t magic;
    frame_kind kind;
    std::uint64_t length;  // of what follows, in bytes
    std::uint64_t checksum;
    job_entry entry;  // of a job
    std::uintptr_t function;
};

/// Collects a frame from what is streamed into it. Beyond the limit it only counts.
class frame_writer final : public std::streambuf {
public:
    explicit frame_writer(std::size_t limit) : frame_(sizeof(frame_header), '\0'), limit_(limit) {}

    void append(std::string_view bytes);
    std::size_t length() const noexcept { return length_; }
    bool fits() const noexcept { return length_ <= limit_; }
    /// The frame. Requires that it fits.
    std::string seal(frame_kind kind, job_entry entry = nullptr, std::uintptr_t function = 0) &&;

private:
    std::streamsize xsputn(const char* bytes, std::streamsize count) override;
    int_type overflow(int_type byte) override;

    std::string frame_;
    std::size_t length_ = 0;
    const std::size_t limit_;
};

/// Streams out what it is given a view of.
class frame_reader final : public std::streambuf {
public:
    explicit frame_reader(std::string_view bytes) {
        char* begin = const_cast<char*>(bytes.data());  // a get area is only read
        setg(begin, begin, begin + bytes.size());
    }
};

}  // namespace coir::detail
