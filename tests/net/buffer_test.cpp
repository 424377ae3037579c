#include <coir/net/buffer.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace {

using coir::net::const_buffer;
using coir::net::mutable_buffer;

template <class Buffer, class T>
void expect_view(T&& range, const void* data, std::size_t size) {
    const Buffer buffer(range);
    EXPECT_EQ(static_cast<const void*>(buffer.data()), data);
    EXPECT_EQ(buffer.size(), size);
}

TEST(mutable_buffer, is_made_of_whatever_holds_bytes) {
    char array[3];
    unsigned char unsigned_array[4];
    std::byte bytes[5];
    std::array<char, 6> std_array;
    std::string string(7, 'x');
    std::vector<char> vector(8);
    std::vector<std::byte> byte_vector(9);
    expect_view<mutable_buffer>(array, array, 3);
    expect_view<mutable_buffer>(unsigned_array, unsigned_array, 4);
    expect_view<mutable_buffer>(bytes, bytes, 5);
    expect_view<mutable_buffer>(std_array, std_array.data(), 6);
    expect_view<mutable_buffer>(string, string.data(), 7);
    expect_view<mutable_buffer>(vector, vector.data(), 8);
    expect_view<mutable_buffer>(byte_vector, byte_vector.data(), 9);
    expect_view<mutable_buffer>(std::span<char>(array), array, 3);
    expect_view<mutable_buffer>(std::span<std::byte>(bytes), bytes, 5);
}

TEST(mutable_buffer, is_made_of_a_pointer_and_a_size) {
    int number = 0;
    const mutable_buffer buffer{&number, sizeof number};
    EXPECT_EQ(static_cast<void*>(buffer.data()), &number);
    EXPECT_EQ(buffer.size(), sizeof number);
}

TEST(mutable_buffer, is_not_made_of_what_must_not_be_written) {
    static_assert(!std::is_constructible_v<mutable_buffer, const std::string&>);
    static_assert(!std::is_constructible_v<mutable_buffer, std::string_view>);
    static_assert(!std::is_constructible_v<mutable_buffer, const char(&)[4]>);
    static_assert(!std::is_constructible_v<mutable_buffer, std::span<const std::byte>>);
    static_assert(!std::is_constructible_v<mutable_buffer, const_buffer>);
    static_assert(!std::is_constructible_v<mutable_buffer, std::string>, "it would not outlive the call");
    static_assert(!std::is_constructible_v<mutable_buffer, std::vector<int>&>, "these are no bytes");
}

TEST(const_buffer, is_made_of_all_that_a_mutable_one_is_and_of_constants) {
    const std::string string(7, 'x');
    const std::vector<std::byte> vector(8);
    const char array[2] = {'a', 'b'};
    char writable[3] = {'a', 'b', 'c'};
    expect_view<const_buffer>(string, string.data(), 7);
    expect_view<const_buffer>(std::string_view(string), string.data(), 7);
    expect_view<const_buffer>(vector, vector.data(), 8);
    expect_view<const_buffer>(std::span<const std::byte>(vector), vector.data(), 8);
    expect_view<const_buffer>(array, array, 2);
    expect_view<const_buffer>(writable, writable, 3);
    expect_view<const_buffer>(mutable_buffer(writable), writable, 3);
}

TEST(const_buffer, a_literal_comes_without_its_nul) {
    EXPECT_EQ(const_buffer("hello\n").view(), "hello\n");
    EXPECT_EQ(const_buffer("").view(), "");
    EXPECT_EQ(const_buffer("with a \0 inside").size(), 15u);
}

TEST(const_buffer, all_of_a_writable_array_counts) {
    // It is data, not a literal: what its last byte is says nothing of its length.
    char data[4] = {1, 2, 3, 0};
    EXPECT_EQ(const_buffer(data).size(), 4u);
    unsigned char more[4] = {1, 2, 3, 0};
    EXPECT_EQ(const_buffer(more).size(), 4u);
    const std::array<char, 4> standard = {1, 2, 3, 0};
    EXPECT_EQ(const_buffer(standard).size(), 4u);
}

TEST(const_buffer, a_temporary_string_lives_as_long_as_the_call) {
    const auto size_of = [](const_buffer buffer) { return buffer.size(); };
    EXPECT_EQ(size_of(std::string(1000, 'x')), 1000u);
    EXPECT_EQ(size_of({"abc", 2}), 2u);
}

TEST(buffers, what_is_left_after_some_bytes) {
    char data[5] = {'a', 'b', 'c', 'd', 'e'};
    const mutable_buffer all(data);
    EXPECT_EQ(all.skip(2).data(), data + 2);
    EXPECT_EQ(all.skip(2).size(), 3u);
    EXPECT_TRUE(all.skip(5).empty());
    EXPECT_EQ(const_buffer(all).skip(4).view(), "e");
}

TEST(buffers, may_be_empty) {
    std::string nothing;
    EXPECT_TRUE(mutable_buffer(nothing).empty());
    EXPECT_TRUE(const_buffer(std::string_view()).empty());
    EXPECT_TRUE(const_buffer(nullptr, 0).empty());
}

}  // namespace
