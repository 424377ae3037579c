#include "exec/frame.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::uint32_t frame_magic = 0x72696f63;  // "coir"
constexpr std::uint64_t mixer = 0x9e37'79b9'7f4a'7c15;

constexpr std::uint64_t mix(std::uint64_t sum, std::uint64_t word) noexcept {
    sum = (sum ^ word) * mixer;
    return sum ^ (sum >> 32);
}

/// Of the header's fields and the payload, eight bytes at a time.
std::uint64_t checksum_of(const frame_header& header, std::string_view payload) noexcept {
    std::uint64_t sum = mix(mix(mixer, static_cast<std::uint64_t>(header.kind)), header.length);
    sum = mix(mix(sum, reinterpret_cast<std::uintptr_t>(header.entry)), header.function);
    for (std::uint64_t word; !payload.empty(); payload.remove_prefix(std::min(sizeof word, payload.size()))) {
        word = 0;
        std::memcpy(&word, payload.data(), std::min(sizeof word, payload.size()));
        sum = mix(sum, word);
    }
    return sum;
}

}  // namespace

void frame_writer::append(std::string_view bytes) {
    length_ += bytes.size();
    if (fits()) frame_.append(bytes);
}

std::streamsize frame_writer::xsputn(const char* bytes, std::streamsize count) {
    append({bytes, static_cast<std::size_t>(count)});
    return count;
}

frame_writer::int_type frame_writer::overflow(int_type byte) {
    if (!traits_type::eq_int_type(byte, traits_type::eof())) {
        const char c = traits_type::to_char_type(byte);
        append({&c, 1});
    }
    return traits_type::not_eof(byte);
}

std::string frame_writer::seal(frame_kind kind, job_entry entry, std::uintptr_t function) && {
    frame_header header{frame_magic, kind, length_, 0, entry, function};
    header.checksum = checksum_of(header, std::string_view(frame_).substr(sizeof header));
    std::memcpy(frame_.data(), &header, sizeof header);
    return std::move(frame_);
}

frame_header header_of(std::string_view bytes) noexcept {
    frame_header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    return header;
}

bool is_frame_start(const frame_header& header, std::size_t limit) noexcept {
    return header.magic == frame_magic && header.kind >= frame_kind::job && header.kind <= frame_kind::too_long &&
           header.length <= std::max(limit, longest_error_text);
}

bool is_intact(const frame_header& header, std::string_view payload) noexcept {
    return header.length == payload.size() && header.checksum == checksum_of(header, payload);
}

}  // namespace coir::detail
