// <coir/net/buffer.hpp>: views of bytes to read into and to write from.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <ranges>
#include <string_view>
#include <type_traits>

namespace coir::net {

namespace detail {
template <class T>
concept byte_like =
    std::same_as<T, char> || std::same_as<T, unsigned char> || std::same_as<T, std::byte> || std::same_as<T, char8_t>;

template <class Range>
concept bytes = std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> &&
    byte_like<std::ranges::range_value_t<Range>>;
}  // namespace detail

/// Where a read goes: an array, std::array, std::span, std::string or std::vector of bytes (all of its size()), or
/// {pointer, size}. Does not own the memory.
class mutable_buffer {
public:
    mutable_buffer(void* data, std::size_t size) noexcept : data_(static_cast<char*>(data)), size_(size) {}

    template <class Range>
    requires(detail::bytes<Range> &&
             (std::is_lvalue_reference_v<Range> || std::ranges::borrowed_range<Range>)&&!std::is_const_v<
                 std::remove_reference_t<std::ranges::range_reference_t<Range>>> &&
             !std::same_as<std::remove_cvref_t<Range>, mutable_buffer>) mutable_buffer(Range&& range)
    noexcept : mutable_buffer(std::ranges::data(range), std::ranges::size(range)) {}

    char* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// What is left after the first n bytes. Requires n <= size().
    mutable_buffer skip(std::size_t n) const noexcept { return {data_ + n, size_ - n}; }

private:
    char* data_;
    std::size_t size_;
};

/// What a write takes: as mutable_buffer, and std::string_view, and string literals without their NUL.
class const_buffer {
public:
    const_buffer(const void* data, std::size_t size) noexcept : data_(static_cast<const char*>(data)), size_(size) {}
    const_buffer(mutable_buffer other) noexcept : const_buffer(other.data(), other.size()) {}
    /// A literal; the NUL at its end is not sent.
    template <std::size_t N>
    const_buffer(const char (&text)[N]) noexcept : const_buffer(text, N - (text[N - 1] == '\0' ? 1 : 0)) {}

    template <class Range>
    requires(detail::bytes<const std::remove_reference_t<Range>> &&
             !std::same_as<std::remove_cvref_t<Range>, const_buffer>) const_buffer(Range&& range)
    noexcept : const_buffer(std::ranges::data(range), std::ranges::size(range)) {}

    const char* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::string_view view() const noexcept { return {data_, size_}; }
    const_buffer skip(std::size_t n) const noexcept { return {data_ + n, size_ - n}; }

private:
    const char* data_;
    std::size_t size_;
};

}  // namespace coir::net
