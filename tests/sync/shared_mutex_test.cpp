// Who reads and who writes is told by what is seen inside: `readers` and `writers` count who is there now.
#include "sync/kit.hpp"

#include <coir/hub.hpp>

#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sync_tests;

struct inside {
    explicit inside(int& c) : count(c) { ++count; }
    inside(const inside&) = delete;
    ~inside() { --count; }
    int& count;
};

/// A letter for each who comes in: lower case for readers.
struct house {
    coir::shared_mutex door;
    std::string came;
    int readers = 0, writers = 0;

    void read(char letter) {
        const std::shared_lock lock(door);
        came += letter;
        const inside here(readers);
        EXPECT_EQ(writers, 0);
        yield();
    }
    void write(char letter) {
        const std::unique_lock lock(door);
        came += letter;
        const inside here(writers);
        EXPECT_EQ(writers, 1);
        EXPECT_EQ(readers, 0);
        yield();
    }
    /// One after the other comes to the door: 'a' to read, 'A' to write.
    tasks line_up(const std::string& letters) {
        return sync_tests::line_up(static_cast<int>(letters.size()), [this, letters](int i) {
            const char letter = letters[static_cast<std::size_t>(i)];
            letter >= 'a' ? read(letter) : write(letter);
        });
    }
    void expect_empty() {
        EXPECT_TRUE(door.try_lock());
        door.unlock();
        EXPECT_EQ(readers + writers, 0);
    }
};

std::string sorted(std::string text) {
    std::ranges::sort(text);
    return text;
}

COIR_TEST(shared_mutex, readers_are_inside_together_and_writers_alone) {
    house h;
    std::mt19937 random = dice();
    tasks all;
    for (int i = 0; i < 30; ++i) {
        const bool writes = random() % 4 == 0;
        all.push_back(coir::spawn([&, writes] { writes ? h.write('W') : h.read('r'); }));
    }
    get_all(all);
    EXPECT_EQ(h.came.size(), 30u);
    h.expect_empty();
}

COIR_TEST(shared_mutex, readers_that_stand_one_behind_the_other_enter_together) {
    house h;
    h.door.lock();
    tasks all = h.line_up("abcdefgh");
    h.door.unlock();
    EXPECT_FALSE(h.door.try_lock()) << "it has been handed to the readers";
    get_all(all);
    EXPECT_EQ(sorted(h.came), "abcdefgh");
    h.expect_empty();
}

COIR_TEST(shared_mutex, all_are_served_in_the_order_in_which_they_came) {
    house h;
    h.door.lock();
    tasks all = h.line_up("AbcDeFGhi");
    h.door.unlock();
    get_all(all);
    EXPECT_EQ(h.came.substr(0, 1), "A");
    EXPECT_EQ(sorted(h.came.substr(1, 2)), "bc");
    EXPECT_EQ(h.came.substr(3, 4), "DeFG");
    EXPECT_EQ(sorted(h.came.substr(7)), "hi");
    h.expect_empty();
}

/// No overtaking: so a writer is not starved by readers that come and go.
COIR_TEST(shared_mutex, a_reader_that_comes_while_a_writer_waits_stands_behind_it) {
    house h;
    h.door.lock_shared();
    tasks all = h.line_up("Ab");
    EXPECT_FALSE(h.door.try_lock_shared());
    EXPECT_FALSE(h.door.try_lock_shared_for(0s));
    EXPECT_EQ(h.came, "");
    h.door.unlock_shared();
    get_all(all);
    EXPECT_EQ(h.came, "Ab");
    h.expect_empty();
}

COIR_TEST(shared_mutex, eight_readers_in_a_loop_do_not_starve_a_writer) {
    house h;
    bool has_written = false;
    tasks readers;
    for (int i = 0; i < 8; ++i) {
        readers.push_back(coir::spawn([&] {
            for (int round = 0; !has_written && round < 10'000; ++round) h.read('r');
        }));
    }
    while (h.readers == 0) yield();
    const std::size_t before = h.came.size();
    h.write('W');
    has_written = true;
    const std::size_t overtook = h.came.find('W') - before;
    EXPECT_LE(overtook, 8u) << "those who stood before it";
    get_all(readers);
    h.expect_empty();
}

COIR_TEST(shared_mutex, writers_in_a_loop_do_not_starve_a_reader) {
    house h;
    bool has_read = false;
    tasks writers;
    for (int i = 0; i < 4; ++i) {
        writers.push_back(coir::spawn([&] {
            for (int round = 0; !has_read && round < 10'000; ++round) h.write('W');
        }));
    }
    while (h.writers == 0) yield();
    const std::size_t before = h.came.size();
    h.read('r');
    has_read = true;
    EXPECT_LE(h.came.find('r') - before, 4u);
    get_all(writers);
    h.expect_empty();
}

COIR_TEST(shared_mutex, a_writer_that_gives_up_lets_the_readers_behind_it_in) {
    const virtual_clock clock;
    for (const bool by_limit : {true, false}) {
        house h;
        h.door.lock_shared();
        std::string outcome;
        auto writer = coir::spawn([&] {
            if (by_limit) {
                outcome = h.door.try_lock_for(3ms) ? "wrong" : "limit";
            } else {
                outcome = thrown_by([&] { h.door.lock(); });
            }
        });
        until_parked(writer);
        tasks all = h.line_up("ab");
        EXPECT_EQ(h.came, "");
        if (!by_limit) writer.cancel();
        writer.join();
        get_all(all);  // while the first reader is still inside
        EXPECT_EQ(outcome, by_limit ? "limit" : "cancelled");
        h.door.unlock_shared();
        h.expect_empty();
    }
    EXPECT_EQ(clock.elapsed(), 3ms);
}

COIR_TEST(shared_mutex, a_reader_that_gives_up_leaves_the_others) {
    const virtual_clock clock;
    house h;
    h.door.lock();
    auto gives_up = coir::spawn([&] { return h.door.try_lock_shared_for(1ms); });
    until_parked(gives_up);
    auto cancelled = coir::spawn([&] { h.door.lock_shared(); });
    until_parked(cancelled);
    tasks all = h.line_up("aB");
    cancelled.cancel();
    cancelled.join();
    EXPECT_FALSE(gives_up.get());
    h.door.unlock();
    get_all(all);
    EXPECT_EQ(h.came, "aB");
    h.expect_empty();
}

COIR_TEST(shared_mutex, handed_over_and_cancelled_in_one_round_it_is_held_and_passed_on) {
    for (const std::string letters : {"AB", "Ab", "aB", "ab"}) {
        house h;
        h.door.lock();
        tasks all = h.line_up(letters);
        h.door.unlock();
        all[0].cancel();
        all[0].join();
        all[1].get();
        EXPECT_TRUE(all[0].was_cancelled());
        EXPECT_EQ(sorted(h.came), sorted(letters));
        h.expect_empty();
    }
}

COIR_TEST(shared_mutex, meets_the_standard_concepts) {
    coir::shared_mutex m;
    {
        std::shared_lock read(m, 1ms);
        std::shared_lock also(m, std::chrono::steady_clock::now());
        EXPECT_TRUE(read.owns_lock() && also.owns_lock());
        EXPECT_FALSE(std::unique_lock(m, std::try_to_lock).owns_lock());
    }
    std::unique_lock write(m, 1ms);
    EXPECT_TRUE(write.owns_lock());
    write.unlock();
    EXPECT_TRUE(write.try_lock_until(std::chrono::steady_clock::now()));
}

COIR_TEST(shared_mutex, misuse_is_told_by_name_and_changes_nothing) {
    coir::shared_mutex m;
    EXPECT_EQ(misuse_in("eve", [&] { m.unlock(); }),
              "fiber \"eve\" unlocks a shared_mutex that it does not hold to write");
    EXPECT_EQ(misuse_in("eve", [&] { m.unlock_shared(); }),
              "fiber \"eve\" unlocks a shared_mutex that nobody holds to read");
    m.lock();
    EXPECT_EQ(text_of<coir::fiber_error>([&] { m.lock(); }),
              "fiber \"test\" locks a shared_mutex that it holds to write");
    EXPECT_EQ(thrown_by([&] { m.lock_shared(); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { (void)m.try_lock_for(1h); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { (void)m.try_lock_shared_for(1h); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { m.unlock_shared(); }), "fiber_error");
    EXPECT_FALSE(m.try_lock());
    EXPECT_FALSE(m.try_lock_shared());
    EXPECT_NE(misuse_in("eve", [&] { m.unlock(); }), "");
    EXPECT_EQ(thrown_when_posted([&] { m.lock(); }), "fiber_error");
    m.unlock();
    m.lock_shared();
    EXPECT_EQ(thrown_by([&] { m.unlock(); }), "fiber_error");
    EXPECT_FALSE(m.try_lock());
    EXPECT_TRUE(m.try_lock_shared());
    m.unlock_shared();
    m.unlock_shared();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

COIR_TEST(shared_mutex, works_with_a_condition_variable) {
    coir::shared_mutex m;
    coir::condition_variable changed;
    bool ready = false;
    auto t = coir::spawn([&] {
        std::unique_lock lock(m);
        changed.wait(lock, [&] { return ready; });
    });
    until_parked(t);
    {
        const std::unique_lock lock(m);
        ready = true;
    }
    changed.notify_one();
    t.get();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

}  // namespace
