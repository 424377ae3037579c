// The memory of posted functions, which is used again.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "hub/hub_core.hpp"
#include "task/leftovers.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::hub;
using coir::detail::posted_function;
using coir::detail::posted_function_store;
using spent_functions = task_tests::clean_test;
using task_tests::let_posts_run;

std::vector<posted_function*> take(posted_function_store& store, int count) {
    std::vector<posted_function*> taken;
    for (int i = 0; i < count; ++i) taken.push_back(&store.take([] {}));
    return taken;
}

int give_back(posted_function_store& store, const std::vector<posted_function*>& all) {
    int packs = 0;
    for (posted_function* f : all) packs += store.give_back(*f);
    return packs;
}

/// A thread of its own keeps nothing in hand for the next test.
void on_a_thread(const std::function<void()>& body) { std::thread(body).join(); }

TEST_F(spent_functions, go_back_to_whoever_posts_in_packs) {
    posted_function_store store;
    on_a_thread([&] {
        const auto made = take(store, 200);
        EXPECT_EQ(give_back(store, made), 3);
        EXPECT_TRUE(store.has_packs());
        EXPECT_TRUE(store.was_used());
        EXPECT_FALSE(store.was_used());
        const std::set<posted_function*> places(made.begin(), made.end());
        const auto made_again = take(store, 200);
        EXPECT_FALSE(store.has_packs());
        EXPECT_GE(std::ranges::count_if(made_again, [&](posted_function* f) { return places.contains(f); }), 192);
        for (posted_function* f : made_again) f->drop();
    });
}

TEST_F(spent_functions, are_freed_where_there_are_enough) {
    posted_function_store store;
    on_a_thread([&] {
        EXPECT_EQ(give_back(store, take(store, 20'000)), 256);  // of 312
        store.free_packs();
        EXPECT_FALSE(store.has_packs());
    });
}

TEST_F(spent_functions, are_freed_by_trim) {
    auto& store = coir::detail::hub_core::current().posted;
    for (int i = 0; i < 1000; ++i) hub::current().post([] {});
    let_posts_run();
    EXPECT_TRUE(store.has_packs());
    hub::current().trim();
    EXPECT_FALSE(store.has_packs());
}

TEST_F(spent_functions, do_not_stay_with_a_hub_that_has_ended) {
    std::optional<hub> ended;
    on_a_thread([&] {
        for (int i = 0; i < 1000; ++i) hub::current().post([] {});
        let_posts_run();
        EXPECT_TRUE(coir::detail::hub_core::current().posted.has_packs());
        ended = hub::current();
    });
    EXPECT_FALSE(ended->core()->posted.has_packs());
    EXPECT_FALSE(ended->post([] {}));
}

TEST_F(spent_functions, and_control_blocks_are_given_back_by_an_idle_hub) {
    auto& core = coir::detail::hub_core::current();
    for (int i = 0; i < 1000; ++i) hub::current().post([] {});
    for (int i = 0; i < 100; ++i) coir::spawn([] {}).join();
    let_posts_run();
    coir::event given_back;
    std::atomic<bool> is_over{false};
    std::thread looks([&, here = hub::current()] {
        while (!is_over) {
            std::this_thread::sleep_for(200ms);  // far less than a pack in two seconds
            here.post([&] {
                if (core.posted.has_packs() || core.thread().blocks.bytes() != 0) return;
                is_over = true;
                given_back.set();
            });
        }
    });
    given_back.wait();
    looks.join();
    let_posts_run();
}

}  // namespace
