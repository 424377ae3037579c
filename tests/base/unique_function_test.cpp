#include <coir/base/unique_function.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using coir::unique_function;

/// Counts the objects that live, and those that were made by copying.
struct tracked {
    static inline int alive = 0;
    static inline int copies = 0;
    tracked() { ++alive; }
    tracked(const tracked&) { ++alive, ++copies; }
    tracked(tracked&&) noexcept { ++alive; }
    ~tracked() { --alive; }
};

TEST(unique_function, is_empty_by_default) {
    unique_function<int()> none, null(nullptr);
    EXPECT_FALSE(none);
    EXPECT_FALSE(null);
    none.reset();
    unique_function<int()> taken(std::move(none));
    EXPECT_FALSE(taken);
    static_assert(!std::is_copy_constructible_v<unique_function<int()>>);
    static_assert(std::is_nothrow_move_constructible_v<unique_function<int()>>);
}

TEST(unique_function, null_callables_make_it_empty) {
    int (*no_function)(int) = nullptr;
    struct box {
        int n;
    };
    int box::*no_member = nullptr;
    EXPECT_FALSE(unique_function<int(int)>(no_function));
    EXPECT_FALSE(unique_function<int(box&)>(no_member));
    EXPECT_FALSE(unique_function<int(int)>(std::function<int(int)>()));
    EXPECT_FALSE(unique_function<long(int)>(unique_function<int(int)>()));
    EXPECT_TRUE(unique_function<int(int)>([](int n) { return n; }));
}

TEST(unique_function, calls_what_can_be_invoked) {
    struct box {
        int n;
    };
    box b{4};
    EXPECT_EQ(unique_function<int(box&)>(&box::n)(b), 4);
    const std::string word = "seven";
    EXPECT_EQ(unique_function<std::size_t(const std::string&)>(&std::string::size)(word), 5u);
    unique_function<void(int)> drops_result = [](int n) { return n; };
    drops_result(1);
    int n = 1;
    unique_function<int&()> same = [&]() -> int& { return n; };
    same() = 9;
    EXPECT_EQ(n, 9);
}

TEST(unique_function, takes_move_only_callables_and_arguments) {
    auto owned = std::make_unique<int>(5);
    unique_function<std::unique_ptr<int>(std::unique_ptr<int>)> f =
        [owned = std::move(owned)](std::unique_ptr<int> p) mutable {
            *p += *owned;
            return p;
        };
    auto g = std::move(f);
    EXPECT_FALSE(f);
    EXPECT_EQ(*g(std::make_unique<int>(2)), 7);
}

template <std::size_t Size>
void keeps_one_object_alive() {
    {
        unique_function<int()> f = [t = tracked(), room = std::array<char, Size>{1}] { return room[0] + 0; };
        EXPECT_EQ(tracked::alive, 1);
        unique_function<int()> g = std::move(f);
        EXPECT_EQ(tracked::alive, 1);
        EXPECT_EQ(g(), 1);
        f = std::move(g);
        f = std::move(*&f);
        EXPECT_EQ(f(), 1);
        f = [] { return 2; };
        EXPECT_EQ(tracked::alive, 0);
        EXPECT_EQ(f(), 2);
    }
    EXPECT_EQ(tracked::alive, 0);
    EXPECT_EQ(tracked::copies, 0);
}

TEST(unique_function, keeps_small_and_large_callables) {
    keeps_one_object_alive<1>();
    keeps_one_object_alive<47>();
    keeps_one_object_alive<48>();
    keeps_one_object_alive<4096>();
}

TEST(unique_function, over_aligned_callables_stay_aligned) {
    struct alignas(64) wide {
        bool operator()() const { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
    };
    unique_function<bool()> f = wide();
    auto g = std::move(f);
    EXPECT_TRUE(g());
}

TEST(unique_function, an_error_in_the_call_leaves_it_usable) {
    unique_function<int(bool)> f = [t = tracked(), calls = 0](bool fail) mutable {
        ++calls;
        if (fail) throw std::runtime_error("no");
        return calls;
    };
    EXPECT_THROW(f(true), std::runtime_error);
    EXPECT_EQ(f(false), 2);
    f.reset();
    EXPECT_EQ(tracked::alive, 0);
}

TEST(unique_function, an_error_while_it_is_made_leaves_nothing) {
    struct fails_to_copy {
        tracked t;
        fails_to_copy() = default;
        fails_to_copy(const fails_to_copy&) : t() { throw std::runtime_error("copy"); }
        int operator()() const { return 0; }
    };
    const fails_to_copy original;
    EXPECT_THROW(unique_function<int()>{original}, std::runtime_error);
    EXPECT_EQ(tracked::alive, 1);
}

TEST(unique_function, a_callable_may_reset_its_own_holder) {
    unique_function<void()> f;
    int calls = 0;
    f = [&calls] { ++calls; };
    unique_function<void()> resets = [&f] { f.reset(); };
    f();
    resets();
    EXPECT_FALSE(f);
    EXPECT_EQ(calls, 1);
}

}  // namespace
