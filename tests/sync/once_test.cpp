#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

COIR_TEST(once, calls_it_once_and_everybody_waits_for_its_end) {
    coir::once o;
    int calls = 0;
    bool has_ended = false;
    tasks all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(coir::spawn([&] {
            o.call([&] {
                ++calls;
                yield();  // std::call_once would deadlock here
                has_ended = true;
            });
            EXPECT_TRUE(has_ended);
        }));
    }
    get_all(all);
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(o.is_done());
    o.call([&] { ++calls; });
    EXPECT_EQ(calls, 1);
}

COIR_TEST(once, after_an_error_the_next_in_line_tries) {
    coir::once o;
    std::string tried;
    std::vector<std::string> thrown(5);
    tasks all = line_up(5, [&](int i) {
        thrown[static_cast<std::size_t>(i)] = thrown_by([&] {
            o.call([&] {
                tried += static_cast<char>('a' + i);
                for (int n = 0; n < 20; ++n) yield();
                if (i < 2) throw std::runtime_error("broken");
            });
        });
    });
    get_all(all);
    EXPECT_EQ(tried.substr(0, 1), "a");
    EXPECT_EQ(thrown[0], "broken");
    EXPECT_TRUE(o.is_done());
}

/// line_up lets each of them park: the first in its function, the others in the queue.
COIR_TEST(once, the_turn_goes_in_the_order_in_which_they_came) {
    coir::once o;
    coir::event go;
    std::string tried;
    tasks all = line_up(5, [&](int i) {
        thrown_by([&] {
            o.call([&] {
                tried += static_cast<char>('a' + i);
                go.wait();
                if (i < 3) throw std::runtime_error("broken");
            });
        });
    });
    go.set();
    get_all(all);
    EXPECT_EQ(tried, "abcd");
    EXPECT_TRUE(o.is_done());
}

COIR_TEST(once, from_inside_its_function_is_told_and_changes_nothing) {
    coir::once o;
    int calls = 0;
    coir::spawn({.name = "eve"}, [&] {
        o.call([&] {
            EXPECT_EQ(text_of<coir::fiber_error>([&] { o.call([&] { ++calls; }); }),
                      "fiber \"eve\" calls a once from inside its function");
            ++calls;
        });
    }).get();
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(o.is_done());
}

COIR_TEST(once, whoever_is_cancelled_inside_its_function_leaves_it_to_the_next) {
    coir::once o;
    coir::event never;
    int calls = 0;
    tasks all = line_up(3, [&](int i) {
        o.call([&] {
            ++calls;
            if (i == 0) never.wait();
        });
    });
    all[0].cancel();
    for (auto& t : all) t.join();
    EXPECT_EQ(calls, 2);
    EXPECT_TRUE(all[0].was_cancelled());
    EXPECT_TRUE(o.is_done());
}

COIR_TEST(once, one_that_waits_may_be_cancelled_and_loses_nobody_their_turn) {
    coir::once o;
    coir::event go;
    std::string tried;
    tasks all = line_up(4, [&](int i) {
        o.call([&] {
            tried += static_cast<char>('a' + i);
            go.wait();
            if (i == 0) throw coir::cancelled{};
        });
    });
    all[1].cancel();
    all[1].join();
    EXPECT_TRUE(all[1].was_cancelled());
    go.set();
    for (auto& t : all) t.join();
    EXPECT_EQ(tried, "ac");
    EXPECT_TRUE(o.is_done());
}

/// The turn was given to it before: it runs the function, and is cancelled at its next suspension.
COIR_TEST(once, given_the_turn_and_cancelled_in_one_round_the_turn_is_not_lost) {
    coir::once o;
    coir::event go;
    std::string tried;
    tasks all = line_up(3, [&](int i) {
        o.call([&] {
            tried += static_cast<char>('a' + i);
            if (i == 0) {
                go.wait();
                throw coir::cancelled{};
            }
            yield();
        });
    });
    go.set();
    all[1].cancel();
    for (auto& t : all) t.join();
    EXPECT_TRUE(tried == "abc" || tried == "ac") << tried;
    EXPECT_TRUE(o.is_done());
}

COIR_TEST(once, a_timeout_while_waiting_is_thrown) {
    const virtual_clock clock;
    coir::once o;
    auto t = coir::spawn([&] { o.call([] { coir::this_fiber::sleep_for(5ms); }); });
    until_parked(t);
    EXPECT_EQ(thrown_by([&] { coir::wait_for(3ms, [&] { o.call([] { ADD_FAILURE(); }); }); }), "timed_out");
    EXPECT_EQ(clock.elapsed(), 3ms);
    t.get();
    EXPECT_TRUE(o.is_done());
}

COIR_TEST(once, passes_arguments_and_has_the_name_of_the_standard) {
    coir::once_flag flag;
    int sum = 0;
    coir::call_once(
        flag, [&](int a, int b) { sum = a + b; }, 2, 3);
    coir::call_once(
        flag, [&](int a) { sum = a; }, 9);
    EXPECT_EQ(sum, 5);
}

COIR_TEST(once, a_posted_function_may_not_wait_for_it) {
    coir::once o;
    coir::event go;
    auto t = coir::spawn([&] { o.call([&] { go.wait(); }); });
    until_parked(t);
    EXPECT_EQ(thrown_when_posted([&] { o.call([] {}); }), "fiber_error");
    go.set();
    t.get();
    EXPECT_EQ(thrown_when_posted([&] { o.call([] {}); }), "");
}

}  // namespace
