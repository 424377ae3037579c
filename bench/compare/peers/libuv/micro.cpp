// libuv: timers, and wakes by uv_async. It has no fibers.
#include <uv.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "../common/measure.hpp"

namespace {

using measure::outcome;
using measure::plan;

/// Milliseconds, which is what libuv counts in.
struct pending_timers {
    explicit pending_timers(uv_loop_t& loop, long n) : timers(static_cast<std::size_t>(n)) {
        for (auto& t : timers) {
            uv_timer_init(&loop, &t);
            arm(t, later());
        }
    }
    std::uint64_t later() { return 30'000 + random.next() % 60'000; }
    static void arm(uv_timer_t& t, std::uint64_t span) {
        uv_timer_start(
            &t, [](uv_timer_t*) {}, span, 0);
    }

    measure::random random;
    std::vector<uv_timer_t> timers;
};

outcome timer_cancel(const plan& p) {
    uv_loop_t& loop = *uv_default_loop();
    const pending_timers others(loop, p.size);
    uv_timer_t fresh;
    uv_timer_init(&loop, &fresh);
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            pending_timers::arm(fresh, 30'000 + static_cast<std::uint64_t>(i % 30'000));
            cancelled += uv_is_active(reinterpret_cast<uv_handle_t*>(&fresh));
            uv_timer_stop(&fresh);
        }
        return cancelled;
    });
}

outcome timer_rearm(const plan& p) {
    pending_timers others(*uv_default_loop(), p.size);
    return p.repeat(1000, [&](long n) {
        long cancelled = 0;
        for (long i = 0; i < n; ++i) {
            uv_timer_t& t = others.timers[others.random.below(others.timers.size())];
            cancelled += uv_is_active(reinterpret_cast<uv_handle_t*>(&t));
            uv_timer_stop(&t);
            pending_timers::arm(t, others.later());
        }
        return cancelled;
    });
}

/// Due times are rounded up to its milliseconds. Early is what comes before the time that was asked for.
outcome timer_expire(const plan& p) {
    struct timed {
        uv_timer_t timer;
        std::int64_t due;
        long long* in_time;
    };
    uv_loop_t& loop = *uv_default_loop();
    std::vector<timed> timers(static_cast<std::size_t>(p.size));
    for (auto& t : timers) uv_timer_init(&loop, &t.timer);
    long long in_time = 0;
    const auto arm = [&](std::int64_t first) {
        in_time = 0;
        uv_update_time(&loop);
        for (long i = 0; i < p.size; ++i) {
            timed& t = timers[static_cast<std::size_t>(i)];
            t.due = first + measure::spread(i, p.size);
            t.in_time = &in_time;
            t.timer.data = &t;
            const std::uint64_t span = static_cast<std::uint64_t>(t.due + 999'999) / 1'000'000 - uv_now(&loop);
            const auto expired = [](uv_timer_t* handle) {
                const timed& self = *static_cast<timed*>(handle->data);
                *self.in_time += static_cast<std::int64_t>(uv_hrtime()) >= self.due;
            };
            uv_timer_start(&t.timer, expired, span, 0);
        }
    };
    const auto sleep_until = [&](std::int64_t ns) {
        while (static_cast<std::int64_t>(uv_hrtime()) < ns) uv_sleep(1);
    };
    return measure::timer_expire(p, 1000, arm, sleep_until, [&] {
        uv_run(&loop, UV_RUN_DEFAULT);
        return in_time;
    });
}

/// A loop of its own in a thread; sends are merged, so that what is sent waits in a queue of ours.
class other_thread {
public:
    explicit other_thread(bool busy) {
        uv_loop_init(&loop_);
        uv_async_init(&loop_, &async_, [](uv_async_t* a) { static_cast<other_thread*>(a->data)->take(); });
        uv_idle_init(&loop_, &idle_);
        async_.data = this;
        if (busy) uv_idle_start(&idle_, [](uv_idle_t*) {});
        thread_ = std::thread([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
    }
    ~other_thread() {
        post(nullptr);
        thread_.join();
        uv_loop_close(&loop_);
    }

    /// `answer` is called there for each that has arrived; null ends the thread.
    void post(void (*answer)(other_thread&)) {
        {
            const std::lock_guard guard(mutex_);
            inbox_.push_back(answer);
        }
        uv_async_send(&async_);
    }

    long received = 0;
    uv_async_t* home = nullptr;

private:
    void take() {
        {
            const std::lock_guard guard(mutex_);
            taken_.swap(inbox_);
        }
        for (auto answer : taken_) {
            if (answer) {
                answer(*this);
            } else {
                uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
                uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
            }
        }
        taken_.clear();
    }

    uv_loop_t loop_;
    uv_async_t async_;
    uv_idle_t idle_;
    std::mutex mutex_;
    std::vector<void (*)(other_thread&)> inbox_, taken_;
    std::thread thread_;
};

void count(other_thread& t) { ++t.received; }
void count_and_answer(other_thread& t) {
    ++t.received;
    uv_async_send(t.home);
}

outcome wake(const plan& p) {
    uv_loop_t& loop = *uv_default_loop();
    uv_async_t home;
    uv_async_init(&loop, &home, [](uv_async_t* a) { uv_stop(a->loop); });
    other_thread other(p.size != 0);
    other.home = &home;
    const long window = p.size == 0 ? 1 : 10'000;
    return p.repeat(window, [&](long n) {
        const long before = other.received;
        for (long left = n; left > 0; left -= window) {
            for (long i = 1; i < window; ++i) other.post(count);
            other.post(count_and_answer);
            uv_run(&loop, UV_RUN_DEFAULT);
        }
        return other.received - before;
    });
}

}  // namespace

int main(int argc, char** argv) {
    return measure::run(
        argc, argv,
        {{"timer_cancel", timer_cancel}, {"timer_rearm", timer_rearm}, {"timer_expire", timer_expire}, {"wake", wake}});
}
