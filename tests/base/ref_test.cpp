#include <coir/base/ref.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

namespace {

using coir::detail::ref;
using coir::detail::ref_count;

struct object {
    static inline int alive = 0;
    object() { ++alive; }
    virtual ~object() { --alive; }
    void add_ref() noexcept { refs.add(); }
    void drop_ref() noexcept {
        if (refs.drop()) delete this;
    }
    ref_count refs;
};
struct derived : object {};

TEST(ref, counts_its_copies) {
    {
        auto a = ref<object>::adopt(new object);
        EXPECT_TRUE(a->refs.is_sole());
        ref<object> b = a;
        ref<object> c(a.get());
        EXPECT_EQ(a->refs.get(), 3u);
        EXPECT_EQ(a, b);
        b = nullptr;
        EXPECT_FALSE(b);
        EXPECT_NE(a, b);
        c = std::move(a);
        EXPECT_FALSE(a);
        EXPECT_TRUE(c->refs.is_sole());
        EXPECT_EQ(object::alive, 1);
    }
    EXPECT_EQ(object::alive, 0);
}

TEST(ref, survives_being_assigned_to_itself) {
    auto a = ref<object>::adopt(new object);
    ref<object>& same = a;
    a = same;
    EXPECT_TRUE(a->refs.is_sole());
    a = std::move(same);
    EXPECT_TRUE(a && a->refs.is_sole());
    a = nullptr;
    EXPECT_EQ(object::alive, 0);
}

TEST(ref, converts_to_a_base) {
    auto d = ref<derived>::adopt(new derived);
    ref<object> copied = d;
    EXPECT_EQ(d->refs.get(), 2u);
    ref<object> moved = std::move(d);
    EXPECT_FALSE(d);
    EXPECT_EQ(moved->refs.get(), 2u);
    object* raw = moved.release();
    EXPECT_FALSE(moved);
    raw->drop_ref();
    EXPECT_EQ(object::alive, 1);
    copied = nullptr;
    EXPECT_EQ(object::alive, 0);
}

TEST(ref, may_be_copied_and_dropped_on_any_thread) {
    auto shared = ref<object>::adopt(new object);
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([mine = shared] {
                for (int i = 0; i < 10'000; ++i) {
                    ref<object> copy = mine;
                    ref<object> moved = std::move(copy);
                }
            });
        }
        shared = nullptr;
    }
    EXPECT_EQ(object::alive, 0);
}

}  // namespace
