// What the tests of the floors hub, task and sync share: the proof at the end of each that nothing is left over.
#pragma once

#include "hub/hub_core.hpp"

#include <coir/fiber.hpp>
#include <coir/hub.hpp>
#include <coir/sync/event.hpp>
#include <coir/task.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>

namespace task_tests {

/// How many fibers a test of masses takes: ThreadSanitizer has room for 8128 at a time.
#ifdef __SANITIZE_THREAD__
inline constexpr int multitude = 4'000;
#else
inline constexpr int multitude = 100'000;
#endif

inline std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

/// Nothing is left on this thread: fibers, stacks, timers, waits for descriptors, descriptors.
class leftovers {
public:
    leftovers() : hub_(coir::detail::hub_core::current()), stacks_(hub_.thread().stacks.in_use()) {
        (void)hub_.events().modify_key(-1, 0, 0);  // opens what the hub opens for the first foreign descriptor
        descriptors_ = open_descriptors();
    }
    leftovers(const leftovers&) = delete;
    leftovers& operator=(const leftovers&) = delete;
    ~leftovers() {
        coir::detail::thread_state& thread = hub_.thread();
        EXPECT_TRUE(thread.fibers.empty()) << hub_.describe_fibers();
        EXPECT_EQ(thread.stacks.in_use(), stacks_) << "stacks are left over";
        EXPECT_EQ(hub_.timers().size(), 0u) << "timers are left over";
        EXPECT_EQ(hub_.fd_waiters, 0u);
        EXPECT_TRUE(hub_.foreign_watches.empty());
        EXPECT_EQ(thread.current, thread.main);
        EXPECT_TRUE(thread.main->interrupts.empty());
        EXPECT_EQ(thread.main->shields, 0);
        EXPECT_EQ(thread.main->switched_to, nullptr);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        EXPECT_EQ(open_descriptors(), descriptors_) << "descriptors are left over";
    }

private:
    coir::detail::hub_core& hub_;
    std::size_t stacks_;
    std::ptrdiff_t descriptors_ = 0;
};

/// Every test of a suite with this fixture ends with that proof.
class clean_test : public ::testing::Test {
    leftovers none_;
};

/// Yields until `fiber` is parked on this thread's hub.
inline void until_parked(const coir::detail::fiber_core& fiber) {
    while (fiber.state() != coir::detail::fiber_state::parked && !fiber.is_dead()) coir::this_fiber::yield();
}
template <class R>
void until_parked(const coir::task<R>& task) {
    until_parked(task.core());
}

/// Returns when all that has been posted to this thread's hub has run.
inline void let_posts_run() {
    coir::event done;
    coir::hub::current().post([&] { done.set(); });
    done.wait();
}

inline void yield_times(int n) {
    while (n-- > 0) coir::this_fiber::yield();
}

/// The type of exception that `call` throws, and the text of a fiber_error: "" if none.
template <class Call>
std::string thrown_by(Call call) {
    try {
        call();
    } catch (const coir::cancelled&) {
        return "cancelled";
    } catch (const coir::fiber_exit&) {
        return "fiber_exit";
    } catch (const coir::timed_out&) {
        return "timed_out";
    } catch (const coir::task_cancelled&) {
        return "task_cancelled";
    } catch (const coir::fiber_error&) {
        return "fiber_error";
    } catch (const coir::channel_closed&) {
        return "channel_closed";
    } catch (const coir::deadlock&) {
        return "deadlock";
    } catch (const std::system_error&) {
        return "system_error";
    } catch (const std::exception& e) {
        return e.what();
    }
    return {};
}

}  // namespace task_tests
