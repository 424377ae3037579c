// A wake, a limit, a timeout scope and a cancellation that come in the same instant, in every order: each waiter has
// exactly one outcome, and what was given goes to one of those who still wait, or is still there. Ten throws of the
// dice in each run, so that a thousand seeds are ten thousand orders.
#include "sync/kit.hpp"

#include <array>
#include <mutex>
#include <numeric>
#include <random>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;
using coir::channel;
using coir::time_span;

enum waiter : std::size_t { patient, limited, scoped, cancelled, count_of_waiters };

/// Lets the four of them come in an order of chance and wait by `take(limit)`, which says whether it got something.
template <class Take>
class crowd {
public:
    crowd(std::mt19937& random, Take take) {
        std::array<std::size_t, count_of_waiters> order;
        std::iota(order.begin(), order.end(), 0u);
        std::ranges::shuffle(order, random);
        for (const std::size_t who : order) {
            members_[who] = coir::spawn([this, take, who] {
                if (who == scoped) {
                    const std::string thrown = thrown_by([&] { coir::wait_for(1ms, [&] { got_ += take(never); }); });
                    EXPECT_TRUE(thrown.empty() || thrown == "timed_out") << thrown;
                } else {
                    got_ += take(who == limited ? time_span(1ms) : never);
                }
            });
            until_parked(members_[who]);
        }
    }

    /// All that may happen, in an order of chance, with or without a pause in between.
    template <class Give>
    void happens(virtual_clock& clock, std::mt19937& random, int gifts, Give give) {
        std::string events = "ac" + std::string(static_cast<std::size_t>(gifts), 'g');
        std::ranges::shuffle(events, random);
        for (const char event : events) {
            if (event == 'a') clock.advance(1ms);
            if (event == 'c') members_[cancelled].cancel();
            if (event == 'g') give();
            if (random() % 3 == 0) yield();
        }
        run_until_parked();
        for (const waiter who : {limited, scoped, cancelled}) EXPECT_TRUE(members_[who].done());
    }

    int got() const { return got_; }
    bool has_all_done() const { return members_[patient].done(); }
    void join() {
        for (auto& t : members_) t.join();
    }

private:
    static constexpr time_span never = time_span::forever();
    std::array<coir::task<void>, count_of_waiters> members_;
    int got_ = 0;
};

constexpr int throws = 10;

/// A thing of which each that is given is taken once. Resource: take(limit), give(), and left(): what was given and is
/// still there, or was refused.
template <class Resource>
void nothing_is_lost_or_doubled() {
    virtual_clock clock(virtual_clock::jumps::never);
    std::mt19937 random = dice();
    for (int i = 0; i < throws; ++i) {
        Resource thing;
        crowd waiters(random, [&](time_span limit) { return thing.take(limit); });
        waiters.happens(clock, random, 2, [&] { thing.give(); });
        EXPECT_EQ(waiters.got() + thing.left(), 2);
        EXPECT_TRUE(waiters.has_all_done() || thing.left() == 0) << "one waits for what is there";
        if (!waiters.has_all_done()) thing.give();
        waiters.join();
    }
}

struct permits {
    coir::semaphore s;
    bool take(time_span limit) { return s.try_acquire_for(limit); }
    void give() { s.release(); }
    int left() const { return static_cast<int>(s.available()); }
};
COIR_TEST(same_instant, a_permit_goes_to_exactly_one) { nothing_is_lost_or_doubled<permits>(); }

struct buffered_items {
    channel<int> c{8};
    bool take(time_span limit) { return c.recv_for(limit).has_value(); }
    void give() { c.send(1); }
    int left() const { return static_cast<int>(c.size()); }
};
COIR_TEST(same_instant, an_item_of_a_buffer_goes_to_exactly_one) { nothing_is_lost_or_doubled<buffered_items>(); }

struct received {
    channel<int> c;
    int refused = 0;
    bool take(time_span limit) { return c.recv_for(limit).has_value(); }
    void give() { refused += !c.try_send(1); }
    int left() const { return refused; }
};
COIR_TEST(same_instant, an_item_of_a_rendezvous_goes_to_exactly_one) { nothing_is_lost_or_doubled<received>(); }

struct sent {
    channel<int> c;
    int refused = 0;
    bool take(time_span limit) { return c.send_for(1, limit); }
    void give() { refused += !c.try_recv(); }
    int left() const { return refused; }
};
COIR_TEST(same_instant, an_item_is_taken_from_a_sender_that_learns_of_it) { nothing_is_lost_or_doubled<sent>(); }

struct selected {
    channel<int> a, b;
    int refused = 0, given = 0;
    bool take(time_span limit) {
        bool got = false;
        coir::select(coir::on_recv(a, [&](auto v) { got = v.has_value(); }),
                     coir::on_recv(b, [&](auto v) { got = v.has_value(); }), coir::on_timeout(limit));
        return got;
    }
    void give() { refused += !(++given % 2 ? a : b).try_send(1); }
    int left() const { return refused; }
};
COIR_TEST(same_instant, an_item_goes_to_exactly_one_select) { nothing_is_lost_or_doubled<selected>(); }

struct select_sent {
    channel<int> a, b;
    int refused = 0, given = 0;
    bool take(time_span limit) {
        bool got = false;
        coir::select(coir::on_send(a, 1, [&] { got = true; }), coir::on_send(b, 2, [&] { got = true; }),
                     coir::on_timeout(limit));
        return got;
    }
    void give() { refused += !(++given % 2 ? a : b).try_recv(); }
    int left() const { return refused; }
};
COIR_TEST(same_instant, a_select_that_sends_learns_of_it) { nothing_is_lost_or_doubled<select_sent>(); }

/// Closing is for all: whoever still waits is told.
COIR_TEST(same_instant, a_select_is_closed_or_served_or_gives_up) {
    virtual_clock clock(virtual_clock::jumps::never);
    std::mt19937 random = dice();
    for (int i = 0; i < throws; ++i) {
        channel<int> a, b;
        int items = 0, sent_items = 0;
        crowd waiters(random, [&](time_span limit) {
            bool told = false;
            coir::select(coir::on_recv(a, [&](auto v) { v ? void(++items) : void(told = true); }),
                         coir::on_recv(b, [&](auto) { ADD_FAILURE(); }), coir::on_timeout(limit));
            return told;
        });
        int gifts = 0;
        waiters.happens(clock, random, 2, [&] { ++gifts == 1 ? void(sent_items += a.try_send(1)) : a.close(); });
        EXPECT_TRUE(waiters.has_all_done());
        EXPECT_EQ(items, sent_items);
        waiters.join();
    }
}

/// A notification is not kept, but one that finds somebody is not lost.
COIR_TEST(same_instant, a_notification_goes_to_exactly_one) {
    virtual_clock clock(virtual_clock::jumps::never);
    std::mt19937 random = dice();
    for (int i = 0; i < throws; ++i) {
        coir::mutex m;
        coir::condition_variable changed;
        crowd waiters(random, [&](time_span limit) {
            std::unique_lock lock(m);
            return changed.wait_for(lock, limit) == std::cv_status::no_timeout;
        });
        waiters.happens(clock, random, 2, [&] { changed.notify_one(); });
        EXPECT_LE(waiters.got(), 2);
        EXPECT_TRUE(waiters.got() == 2 || waiters.has_all_done()) << "one that always waited has been passed over";
        changed.notify_all();
        waiters.join();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    }
}

/// Of a lock that is handed on: in the end all have had it or given up, and it is free.
template <class Lock, class Take>
void no_lock_is_lost(Take take) {
    virtual_clock clock(virtual_clock::jumps::never);
    std::mt19937 random = dice();
    for (int i = 0; i < throws; ++i) {
        Lock lock;
        lock.lock();
        crowd waiters(random, [&](time_span limit) { return take(lock, limit); });
        waiters.happens(clock, random, 1, [&] { lock.unlock(); });
        EXPECT_TRUE(waiters.has_all_done());
        EXPECT_GE(waiters.got(), 1);
        EXPECT_TRUE(lock.try_lock());
        lock.unlock();
        waiters.join();
    }
}

constexpr auto lock_and_unlock = [](auto& lock, time_span limit) {
    if (!lock.try_lock_for(limit)) return false;
    lock.unlock();
    return true;
};

COIR_TEST(same_instant, a_mutex_goes_to_one_after_the_other) { no_lock_is_lost<coir::mutex>(lock_and_unlock); }
COIR_TEST(same_instant, a_recursive_mutex_goes_to_one_after_the_other) {
    no_lock_is_lost<coir::recursive_mutex>(lock_and_unlock);
}
COIR_TEST(same_instant, a_shared_mutex_goes_to_one_writer_after_the_other) {
    no_lock_is_lost<coir::shared_mutex>(lock_and_unlock);
}
COIR_TEST(same_instant, a_shared_mutex_goes_to_readers_and_writers) {
    int turn = 0;
    no_lock_is_lost<coir::shared_mutex>([&](coir::shared_mutex& lock, time_span limit) {
        if (++turn % 2) return lock_and_unlock(lock, limit);
        if (!lock.try_lock_shared_for(limit)) return false;
        lock.unlock_shared();
        return true;
    });
}

/// What opens for all: whoever still waits passes.
template <class Take, class Open>
void all_pass(Take take, Open open) {
    virtual_clock clock(virtual_clock::jumps::never);
    std::mt19937 random = dice();
    for (int i = 0; i < throws; ++i) {
        coir::event e;
        coir::latch l(1);
        coir::barrier b(1 + count_of_waiters);
        crowd waiters(random, [&](time_span limit) { return take(e, l, b, limit); });
        waiters.happens(clock, random, 1, [&] { open(e, l, b); });
        EXPECT_TRUE(waiters.has_all_done());
        EXPECT_GE(waiters.got(), 1);
        waiters.join();
    }
}
COIR_TEST(same_instant, an_event_lets_all_pass_who_still_wait) {
    all_pass([](auto& e, auto&, auto&, time_span limit) { return e.wait_for(limit); },
             [](auto& e, auto&, auto&) { e.set(); });
}
COIR_TEST(same_instant, a_latch_lets_all_pass_who_still_wait) {
    all_pass([](auto&, auto& l, auto&, time_span limit) { return l.wait_for(limit); },
             [](auto&, auto& l, auto&) { l.count_down(); });
}
COIR_TEST(same_instant, a_barrier_lets_all_pass_who_still_wait) {
    all_pass([](auto&, auto&, auto& b, time_span limit) { return b.wait_for(b.arrive(), limit); },
             [](auto&, auto&, auto& b) { (void)b.arrive(); });
}

}  // namespace
