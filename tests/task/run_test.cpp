#include <coir/hub.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/task/run.hpp>

#include "task/leftovers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;
using run = task_tests::clean_test;
using task_tests::thrown_by;

TEST_F(run, gives_the_result) {
    EXPECT_EQ(coir::run([](int i) { return i + 1; }, 1), 2);
    EXPECT_EQ(*coir::run([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(3)), 3);
    coir::run([] {});
}

TEST_F(run, runs_it_as_a_task_of_that_name) {
    EXPECT_EQ(coir::run([] { return coir::this_fiber::name(); }), "run");
}

TEST_F(run, rethrows_the_error_after_the_others_have_ended) {
    bool ended = false;
    EXPECT_EQ(thrown_by([&] {
                  coir::run([&] {
                      coir::spawn([&] {
                          EXPECT_EQ(thrown_by([] { sleep_for(1h); }), "cancelled");
                          sleep_for(1ms);
                          ended = true;
                      });
                      yield();
                      throw std::runtime_error("main failed");
                  });
              }),
              "main failed");
    EXPECT_TRUE(ended);
}

TEST_F(run, cancels_and_joins_what_is_left) {
    int cancelled = 0;
    coir::run([&] {
        for (int i = 0; i < 10; ++i) coir::spawn([&] { cancelled += thrown_by([] { sleep_for(1h); }) == "cancelled"; });
        yield();
    });
    EXPECT_EQ(cancelled, 10);
}

TEST_F(run, also_what_those_spawn_in_turn) {
    int ended = 0;
    coir::run([&] {
        coir::spawn([&] {
            thrown_by([] { sleep_for(1h); });
            coir::spawn([&] {
                thrown_by([] { sleep_for(1h); });
                ++ended;
            });
            yield();
            ++ended;
        });
        yield();
    });
    EXPECT_EQ(ended, 2);
}

TEST_F(run, again_and_again) {
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(coir::run([i] {
                      coir::spawn([] { sleep_for(1h); });
                      yield();
                      return i;
                  }),
                  i);
    }
}

TEST_F(run, in_a_fiber_is_refused) {
    EXPECT_EQ(thrown_by([] { coir::run([] { coir::run([] {}); }); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { coir::spawn([] { coir::run([] {}); }).get(); }), "fiber_error");
}

TEST_F(run, on_several_threads) {
    int results[3] = {};
    std::thread threads[3];
    for (int i = 0; i < 3; ++i) {
        threads[i] = std::thread([&, i] {
            results[i] = coir::run([i] {
                coir::spawn([] { sleep_for(1h); });
                sleep_for(1ms);
                return i + 1;
            });
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(results[0] + results[1] + results[2], 6);
}

TEST_F(run, whose_main_is_cancelled_says_so) {
    EXPECT_EQ(thrown_by([] {
                  coir::run([] {
                      coir::hub::current().post([] {});
                      throw coir::cancelled{};
                  });
              }),
              "task_cancelled");
}

}  // namespace
