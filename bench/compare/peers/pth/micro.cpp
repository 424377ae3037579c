// GNU Pth. What it has no name for is a mutex and a condition variable here.
#include <pth.h>

#include <deque>
#include <stdexcept>
#include <vector>

#include "../common/measure.hpp"

namespace {

using measure::outcome;
using measure::plan;

pth_attr_t small() {
    static const pth_attr_t attributes = [] {
        pth_attr_t a = pth_attr_new();
        pth_attr_set(a, PTH_ATTR_STACK_SIZE, 64 * 1024);
        return a;
    }();
    return attributes;
}

/// Its scheduler looks at every thread, again and again.
void refuse_crowds(const plan& p) {
    if (p.size > 1000) throw std::length_error("with more than 1,000 threads it takes minutes");
}

/// `body` must outlive it.
template <class Body>
pth_t spawn(Body& body) {
    const auto enter = [](void* b) -> void* { return reinterpret_cast<void*>((*static_cast<Body*>(b))()); };
    const pth_t made = pth_spawn(small(), enter, &body);
    if (!made) throw std::bad_alloc();
    return made;
}

long join(pth_t t) {
    void* result = nullptr;
    pth_join(t, &result);
    return reinterpret_cast<long>(result);
}

class lock_guard {
public:
    explicit lock_guard(pth_mutex_t& m) : m_(m) { pth_mutex_acquire(&m_, FALSE, nullptr); }
    lock_guard(const lock_guard&) = delete;
    ~lock_guard() { pth_mutex_release(&m_); }

private:
    pth_mutex_t& m_;
};

outcome yield(const plan& p) {
    refuse_crowds(p);
    long left = 0, counted = 0;
    bool stop = false;
    const auto turn = [&] {
        if (left > 0) {  // by priority and age: the order is not strict, so that a round ends by number
            --left;
            ++counted;
        }
        pth_yield(nullptr);
    };
    auto body = [&] {
        while (!stop) turn();
        return 0L;
    };
    std::vector<pth_t> others(static_cast<std::size_t>(p.size - 1));
    for (auto& t : others) t = spawn(body);
    pth_yield(nullptr);
    const outcome o = p.repeat(p.size, [&](long n) {
        const long before = counted;
        for (left = n; left > 0;) turn();
        return counted - before;
    });
    stop = true;
    for (auto& t : others) join(t);
    return o;
}

outcome spawn_join(const plan& p) {
    refuse_crowds(p);
    auto body = [] { return 1L; };
    std::vector<pth_t> threads(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) {
        long sum = 0;
        for (long round = n / p.size; round > 0; --round) {
            for (auto& t : threads) t = spawn(body);
            for (auto& t : threads) sum += join(t);
        }
        return sum;
    });
}

class channel_of_numbers {
public:
    explicit channel_of_numbers(std::size_t capacity) : capacity_(capacity) {}

    void send(long number) {
        const lock_guard guard(mutex_);
        while (numbers_.size() == capacity_) pth_cond_await(&changed_, &mutex_, nullptr);
        numbers_.push_back(number);
        pth_cond_notify(&changed_, FALSE);
    }
    long receive() {
        const lock_guard guard(mutex_);
        while (numbers_.empty()) pth_cond_await(&changed_, &mutex_, nullptr);
        const long number = numbers_.front();
        numbers_.pop_front();
        pth_cond_notify(&changed_, FALSE);
        return number;
    }

private:
    const std::size_t capacity_;
    std::deque<long> numbers_;
    pth_mutex_t mutex_ = PTH_MUTEX_INIT;
    pth_cond_t changed_ = PTH_COND_INIT;
};

constexpr long end = -1;

long ping_pong(long messages) {
    channel_of_numbers ping(1), pong(1);
    auto echo = [&] {
        long received = 0;
        for (long i = ping.receive(); i != end; i = ping.receive(), ++received) pong.send(i);
        return received;
    };
    const pth_t other = spawn(echo);
    long received = 0;
    for (long i = 0; i < messages / 2; ++i) {
        ping.send(i);
        received += pong.receive() == i;
    }
    ping.send(end);
    return received + join(other);
}

long stream(std::size_t capacity, long items) {
    channel_of_numbers numbers(capacity);
    auto receive = [&] {
        long received = 0;
        for (long i = numbers.receive(); i != end; i = numbers.receive()) received += i == received;
        return received;
    };
    const pth_t receiver = spawn(receive);
    for (long i = 0; i < items; ++i) numbers.send(i);
    numbers.send(end);
    return join(receiver);
}

outcome channel(const plan& p) {
    return p.repeat(100,
                    [&](long n) { return p.size > 1 ? stream(static_cast<std::size_t>(p.size), n) : ping_pong(n); });
}

outcome mutex(const plan& p) {
    pth_mutex_t m = PTH_MUTEX_INIT;
    long counter = 0;
    return p.repeat(100, [&](long n) {
        counter = 0;
        auto contended_turns = [&] {
            for (long i = 0; i < n / 2; ++i) {
                const lock_guard guard(m);
                pth_yield(nullptr);
                ++counter;
            }
            return 0L;
        };
        if (p.size == 1) {
            for (long i = 0; i < n; ++i) {
                const lock_guard guard(m);
                ++counter;
            }
        } else {
            const pth_t a = spawn(contended_turns), b = spawn(contended_turns);
            join(a);
            join(b);
        }
        return counter;
    });
}

}  // namespace

int main(int argc, char** argv) {
    pth_init();
    return measure::run(argc, argv,
                        {{"yield", yield}, {"spawn_join", spawn_join}, {"channel", channel}, {"mutex", mutex}});
}
