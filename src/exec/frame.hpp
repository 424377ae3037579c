// Frames as they come in: whether they are whole.
#pragma once

#include <coir/exec/detail/frame.hpp>

#include <string_view>

namespace coir::detail {

/// The header at the start of `bytes`. Requires as many.
frame_header header_of(std::string_view bytes) noexcept;

/// Begins as a frame does, and has a length within the limit.
bool is_frame_start(const frame_header& header, std::size_t limit) noexcept;

/// What follows the header is what was sent.
bool is_intact(const frame_header& header, std::string_view payload) noexcept;

/// Frames of errors may be longer than what results are limited to.
inline constexpr std::size_t longest_error_text = 64 * 1024;

}  // namespace coir::detail
