#include <coir/fiber/value.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using coir::value;

struct tracked {
    static inline int alive = 0;
    explicit tracked(int n = 0) : number(n) { ++alive; }
    tracked(const tracked& other) : number(other.number) { ++alive; }
    tracked(tracked&& other) noexcept : number(std::exchange(other.number, -1)) { ++alive; }
    tracked& operator=(const tracked&) = default;
    ~tracked() { --alive; }
    int number;
};

struct large : tracked {
    using tracked::tracked;
    std::array<char, 200> room{};
};

struct throwing_move {
    throwing_move() = default;
    throwing_move(throwing_move&&) noexcept(false) {}
};

TEST(value, empty_is_a_value) {
    const value none{};
    EXPECT_FALSE(none.has_value());
    EXPECT_EQ(none.type(), typeid(void));
    EXPECT_EQ(none.get_if<int>(), nullptr);
    EXPECT_THROW(none.as<int>(), std::bad_any_cast);
    static_assert(!std::is_copy_constructible_v<value>);
    static_assert(std::is_nothrow_move_constructible_v<value> && std::is_nothrow_move_assignable_v<value>);
}

TEST(value, gives_back_exactly_what_it_holds) {
    value v = 7;
    EXPECT_TRUE(v.has_value());
    EXPECT_EQ(v.type(), typeid(int));
    EXPECT_EQ(v.as<int>(), 7);
    v.as<int>() = 8;
    EXPECT_EQ(std::as_const(v).as<int>(), 8);
    EXPECT_EQ(v.get_if<long>(), nullptr);
    EXPECT_THROW(v.as<unsigned>(), std::bad_any_cast);
    EXPECT_THROW(std::move(v).as<long>(), std::bad_any_cast);
    EXPECT_EQ(v.as<int>(), 8) << "a failed as() takes nothing";
}

TEST(value, decays_arrays_and_references) {
    EXPECT_STREQ(value("hello").as<const char*>(), "hello");
    const std::string text = "text";
    value v = text;
    EXPECT_EQ(v.as<std::string>(), "text");
    EXPECT_EQ(text, "text");
    EXPECT_EQ(value(nullptr).type(), typeid(std::nullptr_t));
}

TEST(value, carries_what_can_only_be_moved) {
    value v = std::make_unique<int>(3);
    value w = std::move(v);
    EXPECT_FALSE(v.has_value());
    std::unique_ptr<int> out = std::move(w).as<std::unique_ptr<int>>();
    EXPECT_EQ(*out, 3);
    EXPECT_TRUE(w.has_value());
    EXPECT_EQ(w.as<std::unique_ptr<int>>(), nullptr);
}

template <class T>
void keeps_one_alive() {
    {
        value v = T(5);
        EXPECT_EQ(tracked::alive, 1);
        value w = std::move(v);
        EXPECT_FALSE(v.has_value());
        EXPECT_EQ(tracked::alive, 1);
        w = std::move(*&w);
        EXPECT_EQ(w.as<T>().number, 5);
        v = std::move(w);
        v = T(6);
        EXPECT_EQ(tracked::alive, 1);
        v.reset();
        EXPECT_EQ(tracked::alive, 0);
        v.reset();
        v = T(7);
        v = {};
        EXPECT_FALSE(v.has_value());
        EXPECT_EQ(tracked::alive, 0);
        w = T(8);
    }
    EXPECT_EQ(tracked::alive, 0);
}

TEST(value, keeps_small_and_large_objects) {
    keeps_one_alive<tracked>();
    keeps_one_alive<large>();
}

TEST(value, over_aligned_objects_stay_aligned) {
    struct alignas(64) wide {
        char room[64] = {};
    };
    value v = wide();
    value w = std::move(v);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&w.as<wide>()) % 64, 0u);
}

TEST(value, objects_whose_move_throws_do_not_move_with_it) {
    value v = throwing_move();
    const throwing_move* place = v.get_if<throwing_move>();
    value w = std::move(v);
    EXPECT_EQ(w.get_if<throwing_move>(), place);
}

TEST(value, a_copy_that_throws_leaves_nothing) {
    struct fails {
        fails() = default;
        fails(const fails&) { throw std::runtime_error("copy"); }
        tracked t;
    };
    const fails original;
    EXPECT_THROW(value{original}, std::runtime_error);
    EXPECT_EQ(tracked::alive, 1);
}

TEST(value, holds_standard_things_and_other_holders) {
    value v = std::vector<value>();
    v.as<std::vector<value>>().push_back(1);
    v.as<std::vector<value>>().push_back("two");
    value w = std::move(v);
    EXPECT_EQ(w.as<std::vector<value>>()[0].as<int>(), 1);
    EXPECT_EQ(value(std::any(3)).type(), typeid(std::any));
}

}  // namespace
