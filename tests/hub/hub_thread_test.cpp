// What becomes of fibers, hubs and stacks when a thread, or the process, ends.
#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "hub/counts_end.hpp"
#include "task/leftovers.hpp"

#include <coir/base/unique_fd.hpp>

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using hub_tests::counts_end;
using hub_thread = task_tests::clean_test;
using hub_thread_death = task_tests::clean_test;

TEST_F(hub_thread, its_parked_fibers_are_unwound_whatever_they_wait_for) {
    std::atomic<int> ended{0};
    coir::event never;
    coir::mutex held;
    held.lock();
    coir::channel<int> empty;
    std::thread([&] {
        int fds[2];
        EXPECT_EQ(::pipe(fds), 0);
        int number = 0;
        const auto keep = [&](auto wait) {
            coir::spawn([&ended, wait = std::move(wait), n = number++] {
                const counts_end at_end(ended);
                wait();
                ADD_FAILURE() << "wait " << n << " has ended";
            });
        };
        keep([&] { never.wait(); });
        keep([&] { held.lock(); });
        keep([&] { empty.recv(); });
        keep([] { sleep_for(1h); });
        keep([fd = fds[0]] {
            const coir::unique_fd mine(fd);
            coir::wait_readable(fd);
        });
        keep([] { coir::spawn([] { sleep_for(1h); }).join(); });
        keep([] {
            coir::timeout limit(1h);
            coir::fiber([] { sleep_for(1h); }).switch_to();
            sleep_for(1h);  // the called fiber has ended by fiber_exit, which is no error
        });
        keep([] {
            coir::task_group g;
            g.spawn([] { sleep_for(1h); });
            g.join();
        });
        task_tests::yield_times(3);
        ::close(fds[1]);
    }).join();
    EXPECT_EQ(ended, 8);
    held.unlock();
}

TEST_F(hub_thread, its_suspended_fibers_and_unstarted_tasks_too) {
    std::atomic<int> ended{0};
    std::thread([&] {
        static thread_local coir::fiber kept;
        kept = coir::fiber([&] {
            const counts_end at_end(ended);
            coir::fiber::current().parent().switch_to();
            ADD_FAILURE();
        });
        (void)coir::hub::current();
        kept.switch_to();
        coir::spawn([at_end = counts_end(ended)] { ADD_FAILURE(); });
    }).join();
    EXPECT_EQ(ended, 2);
}

/// The handler runs in the fiber that unwinds the others.
TEST_F(hub_thread, who_is_told_of_a_goodbye_that_fails_may_ask_where_he_is) {
    std::string told;
    coir::fiber suspended;
    std::thread([&] {
        coir::hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) {
            told = std::string(name) + " in " + coir::fiber::current().name();
            EXPECT_NE(coir::this_fiber::get_id(), coir::fiber_id());
        });
        suspended = coir::fiber({.name = "fails"}, [](coir::value) -> coir::value {
            try {
                coir::fiber::current().parent().switch_to();
            } catch (const coir::fiber_exit&) {
                throw std::runtime_error("at the end");
            }
            return {};
        });
        const coir::fiber& to = suspended;
        to.switch_to();
    }).join();
    EXPECT_EQ(told, "fails in gravedigger");
}

TEST_F(hub_thread, goodbyes_may_suspend) {
    std::atomic<int> said{0};
    std::thread([&] {
        for (int i = 0; i < 10; ++i) {
            coir::spawn([&] {
                struct goodbye {
                    std::atomic<int>& said;
                    ~goodbye() {
                        coir::shield mask;
                        sleep_for(1ms);
                        ++said;
                    }
                } const at_end{said};
                sleep_for(1h);
            });
        }
        yield();
    }).join();
    EXPECT_EQ(said, 10);
}

TEST_F(hub_thread, a_thousand_short_ones_leave_nothing) {
    std::atomic<int> ended{0};
    for (int i = 0; i < 1'000; ++i) {
        std::thread([&] {
            for (int n = 0; n < 3; ++n) {
                coir::spawn([&] {
                    const counts_end at_end(ended);
                    sleep_for(1h);
                });
            }
            yield();
        }).join();
    }
    EXPECT_EQ(ended, 3'000);
}

TEST_F(hub_thread, joiners_elsewhere_see_its_tasks_end) {
    coir::task<void> parked, unstarted;
    coir::event made, go;
    std::thread owner([&] {
        parked = coir::spawn([] { sleep_for(1h); });
        yield();
        unstarted = coir::spawn([] {});
        made.set();
    });
    made.wait();
    parked.join();
    unstarted.join();
    owner.join();
    EXPECT_EQ(task_tests::thrown_by([&] { parked.get(); }), "task_cancelled");
    EXPECT_EQ(task_tests::thrown_by([&] { unstarted.get(); }), "task_cancelled");
}

TEST_F(hub_thread, who_does_not_end_is_reported_by_name_and_ends_for_its_joiners) {
    coir::task<void> undead;
    std::string reported;
    std::thread([&] {
        undead = coir::spawn({.name = "undead"}, [] {
            for (;;) {
                try {
                    sleep_for(1h);
                } catch (...) {
                }
            }
        });
        coir::hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) { reported += name; });
        yield();
    }).join();
    EXPECT_EQ(reported, "undead");
    EXPECT_TRUE(undead.done());
    EXPECT_TRUE(undead.join_for(0ms));
    EXPECT_EQ(task_tests::thrown_by([&] { undead.get(); }), "task_cancelled");
}

TEST_F(hub_thread, who_shields_itself_for_ever_is_reported_by_name_too) {
    coir::task<void> t;
    std::string reported;
    coir::event never;
    std::thread([&] {
        t = coir::spawn({.name = "shielded"}, [&] {
            coir::shield mask;
            never.wait();
        });
        coir::hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) { reported += name; });
        yield();
    }).join();
    EXPECT_EQ(reported, "shielded");
    t.join();
    never.set();  // it is no longer on the event's queue
}

TEST_F(hub_thread, the_unwinding_of_a_fiber_dropped_elsewhere_may_be_parked_at_its_end) {
    coir::event never, dropped;
    std::string reported;
    std::thread owner([&] {
        struct waits {
            coir::event& e;
            ~waits() {
                coir::shield mask;
                e.wait();
            }
        };
        coir::fiber f([&] {
            const waits at_end{never};
            coir::fiber::current().parent().switch_to();
        });
        f.switch_to();
        coir::hub::current().on_unhandled([&](std::string_view name, std::exception_ptr) { reported += name; });
        std::thread([g = std::move(f)]() mutable { g = {}; }).join();
        task_tests::yield_times(5);
    });
    owner.join();
    EXPECT_NE(reported, "");
    never.set();
}

TEST_F(hub_thread, a_waiter_in_a_plain_thread_needs_no_hub) {
    coir::event e;
    bool has_hub = true;
    std::thread other([&] {
        e.wait();
        has_hub = coir::detail::hub_core::of_this_thread() != nullptr;
    });
    e.set();
    other.join();
    EXPECT_FALSE(has_hub);
}

/// Says so when it is unwound.
struct loud {
    ~loud() { std::fputs("unwound", stderr); }
};

void park_some() {
    static thread_local coir::fiber* suspended;  // a static handle would drop it at exit
    suspended = new coir::fiber([] {
        const loud l;
        coir::fiber::current().parent().switch_to();
    });
    suspended->switch_to();
    for (int i = 0; i < 3; ++i) {
        coir::spawn([] {
            const loud l;
            sleep_for(1h);
        });
    }
    yield();
}

class hub_exit : public testing::Test {
protected:
    hub_exit() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    static void exits_quietly(const std::function<void()>& end) {
        EXPECT_EXIT(
            {
                park_some();
                end();
            },
            testing::ExitedWithCode(0), testing::Eq(std::string()));
    }
};

TEST_F(hub_exit, from_main_with_parked_fibers_unwinds_none) {
    exits_quietly([] { std::exit(0); });
}
TEST_F(hub_exit, inside_a_task_unwinds_none) {
    exits_quietly([] { coir::spawn([] { std::exit(0); }).join(); });
}
TEST_F(hub_exit, inside_a_fiber_unwinds_none) {
    exits_quietly([] { coir::fiber([] { std::exit(0); }).switch_to(); });
}
TEST_F(hub_exit, inside_a_posted_function_unwinds_none) {
    exits_quietly([] {
        coir::hub::current().post([] { std::exit(0); });
        sleep_for(1h);
    });
}
TEST_F(hub_exit, from_another_thread_unwinds_none) {
    exits_quietly([] {
        std::thread([] {
            park_some();
            std::exit(0);
        }).join();
    });
}
TEST_F(hub_exit, by__exit_unwinds_none) {
    exits_quietly([] { std::_Exit(0); });
}
TEST_F(hub_exit, a_hub_is_usable_in_a_static_objects_destructor) {
    exits_quietly([] {
        static struct uses_hub {
            ~uses_hub() {
                coir::spawn([] { sleep_for(1us); }).join();
            }
        } const late;
        std::exit(0);
    });
}

/// Touches so much of its stack, and comes back.
[[gnu::noinline]] void go_deep(std::size_t bytes) {
    volatile char* room = static_cast<volatile char*>(__builtin_alloca(bytes));
    for (std::size_t i = 0; i < bytes; i += 4096) room[i] = 1;
}

std::size_t resident_pages(const coir::detail::stack_slot& stack) {
    std::vector<unsigned char> pages(stack.size / 4096);
    EXPECT_EQ(::mincore(stack.low, stack.size, pages.data()), 0);
    return static_cast<std::size_t>(std::count(pages.begin(), pages.end(), 1));
}

TEST_F(hub_thread, a_fiber_that_went_deep_and_waits_gives_those_pages_back) {
    coir::event go;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 10; ++i) {
        tasks.push_back(coir::spawn({.stack_size = 128 * 1024}, [&] {
            go_deep(64 * 1024);
            go.wait();
            go_deep(64 * 1024);
        }));
    }
    yield();
    for (auto& t : tasks) EXPECT_GE(resident_pages(*t.core().stack), 16u);
    coir::hub::current().trim();
    for (auto& t : tasks) EXPECT_LE(resident_pages(*t.core().stack), 2u);
    go.set();
    for (auto& t : tasks) t.get();
}

TEST_F(hub_thread, an_idle_hub_does_that_by_itself) {
    coir::event go;
    auto t = coir::spawn({.stack_size = 128 * 1024}, [&] {
        go_deep(64 * 1024);
        go.wait();
    });
    yield();
    std::thread([&] {
        while (resident_pages(*t.core().stack) > 2) std::this_thread::sleep_for(10ms);
        go.set();
    }).detach();
    t.get();
}

TEST_F(hub_thread, faults_f14_after_a_peak_a_hub_that_goes_on_working_gives_the_stacks_back) {
    auto& stacks = coir::detail::hub_core::current().thread().stacks;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 3'000; ++i) {
        tasks.push_back(coir::spawn({.stack_size = 128 * 1024}, [] {
            go_deep(64 * 1024);
            yield();
        }));
    }
    for (auto& t : tasks) t.get();
    EXPECT_GE(stacks.warm_idle(), 3'000u);
    while (stacks.warm_idle() > 20) coir::spawn([] { sleep_for(1ms); }).join();
}

TEST_F(hub_thread, idle_stacks_give_their_pages_back) {
    auto& stacks = coir::detail::hub_core::current().thread().stacks;
    std::vector<coir::task<void>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(coir::spawn([] { yield(); }));
    for (auto& t : tasks) t.get();
    EXPECT_GE(stacks.warm_idle(), 100u);
    while (coir::hub::current().trim()) {
    }
    EXPECT_EQ(stacks.warm_idle(), 0u);
    EXPECT_EQ(coir::spawn([] { return 1; }).get(), 1);
}

}  // namespace
