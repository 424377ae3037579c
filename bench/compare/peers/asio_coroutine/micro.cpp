// C++20 coroutines on Boost.Asio's loop.
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "../common/measure.hpp"

namespace asio = boost::asio;

namespace {

using measure::outcome;
using measure::plan;
using clock = std::chrono::steady_clock;

template <class T = void>
using async = asio::awaitable<T>;
using asio::use_awaitable;

clock::time_point at(std::int64_t ns) { return clock::time_point(std::chrono::nanoseconds(ns)); }

/// Runs a coroutine, and all that it spawns, to the end.
template <class T>
T run(asio::io_context& loop, async<T> body) {
    std::optional<T> result;
    asio::co_spawn(loop, std::move(body), [&](std::exception_ptr error, T value) {
        if (error) std::rethrow_exception(error);
        result = std::move(value);
    });
    loop.restart();
    loop.run();
    return std::move(*result);
}

/// The end of a number of coroutines.
class countdown {
public:
    countdown(asio::io_context& loop, long n) : left_(n), end_(loop, clock::time_point::max()) {}
    void count() {
        if (--left_ == 0) end_.cancel();
    }
    async<> wait() {
        boost::system::error_code ignored;
        while (left_ > 0) co_await end_.async_wait(asio::redirect_error(use_awaitable, ignored));
    }

private:
    long left_;
    asio::steady_timer end_;
};

outcome yield(const plan& p) {
    asio::io_context loop(1);
    long counted = 0;
    bool stop = false;
    const auto other = [&]() -> async<> {
        for (; !stop; ++counted) co_await asio::post(loop, use_awaitable);
    };
    const auto rounds = [&](long n) -> async<long> {
        const long before = counted;
        for (long round = n / p.size; round > 0; --round, ++counted) co_await asio::post(loop, use_awaitable);
        loop.stop();
        co_return counted - before;
    };
    for (long i = 1; i < p.size; ++i) asio::co_spawn(loop, other, asio::detached);
    const outcome o = p.repeat(p.size, [&](long n) { return run(loop, rounds(n)); });
    stop = true;
    loop.restart();
    loop.run();
    return o;
}

async<long> one() { co_return 1; }

async<long> spawn_and_join(asio::io_context& loop, long size) {
    countdown all(loop, size);
    long sum = 0;
    for (long i = 0; i < size; ++i) {
        asio::co_spawn(loop, one(), [&](std::exception_ptr, long result) {
            sum += result;
            all.count();
        });
    }
    co_await all.wait();
    co_return sum;
}

outcome spawn_join(const plan& p) {
    asio::io_context loop(1);
    const auto rounds = [&](long n) -> async<long> {
        long sum = 0;
        for (long round = n / p.size; round > 0; --round) {
            if (p.size == 1) {
                sum += co_await asio::co_spawn(loop, one(), use_awaitable);
            } else {
                sum += co_await spawn_and_join(loop, p.size);
            }
        }
        co_return sum;
    };
    return p.repeat(p.size, [&](long n) { return run(loop, rounds(n)); });
}

using channel_of_numbers = asio::experimental::channel<void(boost::system::error_code, long)>;
constexpr boost::system::error_code no_error;
constexpr long last = -1;

async<long> ping_pong(asio::io_context& loop, std::size_t capacity, long messages) {
    channel_of_numbers ping(loop, capacity), pong(loop, capacity);
    const auto echo = [&]() -> async<long> {
        long received = 0;
        for (long i; (i = co_await ping.async_receive(use_awaitable)) != last; ++received) {
            co_await pong.async_send(no_error, i, use_awaitable);
        }
        co_return received;
    };
    countdown end(loop, 1);
    long received = 0;
    asio::co_spawn(loop, echo, [&](std::exception_ptr, long echoed) {
        received += echoed;
        end.count();
    });
    for (long i = 0; i < messages / 2; ++i) {
        co_await ping.async_send(no_error, i, use_awaitable);
        received += co_await pong.async_receive(use_awaitable) == i;
    }
    co_await ping.async_send(no_error, last, use_awaitable);
    co_await end.wait();
    co_return received;
}

async<long> stream(asio::io_context& loop, std::size_t capacity, long items) {
    channel_of_numbers numbers(loop, capacity);
    countdown end(loop, 1);
    long received = 0;
    const auto receive = [&]() -> async<> {
        for (long i; (i = co_await numbers.async_receive(use_awaitable)) != last;) received += i == received;
        end.count();
    };
    asio::co_spawn(loop, receive, asio::detached);
    for (long i = 0; i < items; ++i) co_await numbers.async_send(no_error, i, use_awaitable);
    co_await numbers.async_send(no_error, last, use_awaitable);
    co_await end.wait();
    co_return received;
}

outcome channel(const plan& p) {
    asio::io_context loop(1);
    const auto capacity = static_cast<std::size_t>(p.size);
    return p.repeat(100, [&](long n) {
        return run(loop, capacity > 1 ? stream(loop, capacity, n) : ping_pong(loop, capacity, n));
    });
}

async<long> skynet_node(asio::io_context& loop, long first, long size) {
    if (size == 1) co_return first;
    countdown all(loop, 10);
    long sum = 0;
    for (long i = 0; i < 10; ++i) {
        asio::co_spawn(loop, skynet_node(loop, first + i * (size / 10), size / 10), [&](std::exception_ptr, long part) {
            sum += part;
            all.count();
        });
    }
    co_await all.wait();
    co_return sum;
}

outcome skynet(const plan& p) {
    asio::io_context loop(1);
    return measure::skynet(p, [&](long leaves) { return run(loop, skynet_node(loop, 0, leaves)); });
}

struct pending_timers {
    pending_timers(asio::io_context& loop, long n) {
        for (long i = 0; i < n; ++i) arm(timers.emplace_back(loop, later()));
    }
    clock::time_point later() {
        return now +
               std::chrono::nanoseconds(30'000'000'000 + static_cast<std::int64_t>(random.next() % 60'000'000'000));
    }
    void arm(asio::steady_timer& t) {
        t.async_wait([this](boost::system::error_code error) { aborted += error.failed(); });
    }

    const clock::time_point now = clock::now();
    measure::random random;
    long aborted = 0;
    std::vector<asio::steady_timer> timers;
};

/// The loop has to call the handlers of those that were cancelled; it runs now and then, as it would.
constexpr long operations_per_turn = 100;

outcome timer_cancel(const plan& p) {
    asio::io_context loop(1);
    pending_timers others(loop, p.size);
    asio::steady_timer fresh(loop);
    auto due = others.now + std::chrono::seconds(30);
    return p.repeat(1000, [&](long n) {
        others.aborted = 0;
        for (long i = 0; i < n; ++i) {
            fresh.expires_at(due += std::chrono::nanoseconds(1));
            others.arm(fresh);
            fresh.cancel();
            if (i % operations_per_turn == 0) loop.poll();
        }
        loop.poll();
        return others.aborted;
    });
}

outcome timer_rearm(const plan& p) {
    asio::io_context loop(1);
    pending_timers others(loop, p.size);
    return p.repeat(1000, [&](long n) {
        others.aborted = 0;
        for (long i = 0; i < n; ++i) {
            asio::steady_timer& t = others.timers[others.random.below(others.timers.size())];
            t.expires_at(others.later());
            others.arm(t);
            if (i % operations_per_turn == 0) loop.poll();
        }
        loop.poll();
        return others.aborted;
    });
}

/// A timer is a coroutine that waits for one.
outcome timer_expire(const plan& p) {
    asio::io_context loop(1);
    long long in_time = 0;
    const auto sleeper = [&](clock::time_point due) -> async<> {
        co_await asio::steady_timer(co_await asio::this_coro::executor, due).async_wait(use_awaitable);
        in_time += clock::now() >= due;
    };
    const auto arm = [&](std::int64_t first) {
        in_time = 0;
        for (long i = 0; i < p.size; ++i) {
            asio::co_spawn(loop, sleeper(at(first + measure::spread(i, p.size))), asio::detached);
        }
        loop.restart();
        loop.poll();
    };
    const auto sleep_until = [](std::int64_t ns) { std::this_thread::sleep_until(at(ns)); };
    return measure::timer_expire(p, 3000, arm, sleep_until, [&] {
        loop.run();
        return in_time;
    });
}

/// They wait for a timer that is cancelled to wake them all.
outcome parked(const plan& p) {
    asio::io_context loop(1);
    asio::steady_timer gate(loop, clock::time_point::max());
    long long woken = 0;
    const auto wait = [&]() -> async<> {
        boost::system::error_code ignored;
        co_await gate.async_wait(asio::redirect_error(use_awaitable, ignored));
        ++woken;
    };
    const auto create = [&] {
        for (long i = 0; i < p.size; ++i) asio::co_spawn(loop, wait, asio::detached);
        loop.poll();
    };
    return measure::parked(p, create, [&] {
        gate.cancel();
        loop.run();
        return woken;
    });
}

/// Posts to the loop of another thread, the last of which posts back.
outcome wake(const plan& p) {
    asio::io_context home(1), other(1);
    const auto home_stays = asio::make_work_guard(home);
    const auto other_stays = asio::make_work_guard(other);
    std::atomic<bool> stop{false};
    long received = 0;
    const auto keep_busy = [&]() -> async<> {
        while (!stop) co_await asio::post(other, use_awaitable);
    };
    if (p.size == 1) asio::co_spawn(other, keep_busy, asio::detached);
    std::thread thread([&] { other.run(); });
    const long window = p.size == 0 ? 1 : 10'000;
    const outcome o = p.repeat(window, [&](long n) {
        const long before = received;
        for (long left = n; left > 0; left -= window) {
            for (long i = 1; i < window; ++i) asio::post(other, [&] { ++received; });
            asio::post(other, [&] {
                ++received;
                asio::post(home, [] {});
            });
            home.run_one();
        }
        return received - before;
    });
    stop = true;
    other.stop();
    thread.join();
    return o;
}

}  // namespace

int main(int argc, char** argv) {
    return measure::run(argc, argv,
                        {{"yield", yield},
                         {"spawn_join", spawn_join},
                         {"channel", channel},
                         {"skynet", skynet},
                         {"timer_cancel", timer_cancel},
                         {"timer_rearm", timer_rearm},
                         {"timer_expire", timer_expire},
                         {"parked", parked},
                         {"wake", wake}});
}
