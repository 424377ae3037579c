#include "exec/process_pool_test.hpp"

#include <atomic>
#include <map>
#include <numeric>
#include <stdexcept>

namespace {

using namespace std::chrono_literals;
using namespace process_pool_tests;
using process_pool = process_pool_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

int square(int n) { return n * n; }
std::string twice(const std::string& text) { return text + text; }

struct point {
    int x = 0, y = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(x, y);
    }
};

struct not_a_std_exception {};

TEST_F(process_pool, runs_functions_in_other_processes) {
    coir::process_pool pool(2);
    EXPECT_EQ(pool.size(), 2u);
    EXPECT_EQ(pool.submit(square, 7).get(), 49);
    EXPECT_EQ(pool.submit(&square, 8).get(), 64);
    EXPECT_NE(pool.submit(own_pid).get(), ::getpid());
    EXPECT_EQ(pool.submit([](int a, int b) { return a - b; }, 5, 3).get(), 2);
}

TEST_F(process_pool, takes_and_gives_what_cereal_knows) {
    coir::process_pool pool({.workers = 1});
    EXPECT_EQ(pool.submit(twice, "ab").get(), "abab");
    EXPECT_EQ(pool.submit([](std::string_view s) { return s.size(); }, std::string("four")).get(), 4u);
    EXPECT_EQ(pool.submit([](const std::vector<int>& v) { return std::accumulate(v.begin(), v.end(), 0); },
                          std::vector{1, 2, 3})
                  .get(),
              6);
    const auto moved = pool.submit([](point p) { return point{p.y, p.x}; }, point{1, 2}).get();
    EXPECT_EQ(moved.x, 2);
    const auto counts =
        pool.submit([](std::map<std::string, int> m) { return ++m["a"], m; }, std::map<std::string, int>{{"b", 2}})
            .get();
    EXPECT_EQ(counts.at("a"), 1);
    EXPECT_EQ(counts.at("b"), 2);
    EXPECT_EQ(*pool.submit([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(3)).get(), 3);
    pool.submit([] {}).get();
    EXPECT_EQ(pool.submit([](std::vector<char> v) { return v; }, std::vector<char>(10'000'000, 'x')).get().size(),
              10'000'000u);
}

TEST_F(process_pool, runs_as_many_jobs_at_a_time_as_it_has_workers) {
    coir::process_pool pool(3);
    const gate go;
    const gate begun[3];
    std::vector<coir::future<pid_t>> jobs;
    for (const gate& mine : begun) {
        jobs.push_back(pool.submit(
            [](const std::string& then, const std::string& until) {
                std::ofstream(then).close();
                wait_for_file(until);
                return own_pid();
            },
            mine.path(), go.path()));
    }
    until([&] { return begun[0].is_open() && begun[1].is_open() && begun[2].is_open(); });
    go.open();
    std::set<pid_t> pids;
    for (auto& job : jobs) pids.insert(job.get());
    EXPECT_EQ(pids.size(), 3u);
}

TEST_F(process_pool, an_exception_travels_as_its_type_and_its_text) {
    coir::process_pool pool(1);
    auto f = pool.submit([](int n) { return std::vector<int>{1}.at(static_cast<std::size_t>(n)); }, 5);
    try {
        f.get();
        ADD_FAILURE();
    } catch (const coir::remote_error& e) {
        EXPECT_EQ(e.type_name(), "std::out_of_range");
        EXPECT_NE(std::string(e.what()).find("vector"), std::string::npos) << e.what();
    }
    auto odd = pool.submit([] { throw not_a_std_exception(); });
    try {
        odd.get();
        ADD_FAILURE();
    } catch (const coir::remote_error& e) {
        EXPECT_NE(e.type_name().find("not_a_std_exception"), std::string::npos) << e.type_name();
    }
    auto long_one = pool.submit([] { throw std::runtime_error(std::string(1'000'000, 'x')); });
    EXPECT_GT(thrown_by([&] { long_one.get(); }).size(), 10'000u);
}

TEST_F(process_pool, ten_thousand_exceptions_cost_no_worker) {
    coir::process_pool pool(2);
    const pid_t server = server_of_this_process();
    pool.submit(square, 1).get();
    until([&] { return children_of(server).size() == 2; });
    const auto before = children_of(server);
    std::vector<coir::future<void>> jobs;
    for (int i = 0; i < 10'000; ++i) jobs.push_back(pool.submit([] { throw std::runtime_error("no"); }));
    int thrown = 0;
    for (auto& job : jobs) thrown += thrown_by([&] { job.get(); }) == "no";
    EXPECT_EQ(thrown, 10'000);
    EXPECT_EQ(children_of(server), before);
}

TEST_F(process_pool, arguments_that_are_too_long_are_refused_before_anything_is_sent) {
    coir::process_pool pool({.workers = 1, .max_payload = 1000});
    const std::string refused = thrown_by([&] { (void)pool.submit(twice, std::string(2000, 'x')); });
    EXPECT_NE(refused.find("2008 bytes"), std::string::npos) << refused;
    EXPECT_NE(refused.find("max_payload, is 1000"), std::string::npos) << refused;
    EXPECT_EQ(pool.submit(square, 2).get(), 4);
}

TEST_F(process_pool, a_result_that_is_too_long_is_an_error_and_the_worker_lives) {
    coir::process_pool pool({.workers = 1, .max_payload = 1000});
    const pid_t worker = pool.submit(own_pid).get();
    auto f = pool.submit(twice, std::string(900, 'x'));
    EXPECT_THROW(
        {
            try {
                f.get();
            } catch (const std::length_error& e) {
                EXPECT_NE(std::string(e.what()).find("1808 bytes"), std::string::npos) << e.what();
                throw;
            }
        },
        std::length_error);
    EXPECT_EQ(pool.submit(own_pid).get(), worker);
}

TEST_F(process_pool, a_worker_has_no_descriptors_but_its_own) {
    const int mine = ::open("/dev/null", O_RDONLY);  // not even CLOEXEC
    coir::process_pool other(1);
    coir::process_pool pool(1);
    const auto listed = pool.submit([] {
                                std::set<std::string> names;
                                for (const auto& e : std::filesystem::directory_iterator("/proc/self/fd")) {
                                    names.insert(e.path().filename().string());
                                }
                                return names;
                            })
                            .get();
    EXPECT_EQ(listed, (std::set<std::string>{"0", "1", "2", "3", "4"}));  // 4 is the listing's own
    ::close(mine);
}

TEST_F(process_pool, a_worker_has_one_thread_default_signals_and_none_blocked) {
    ::signal(SIGUSR1, SIG_IGN);
    coir::process_pool pool(1);
    const bool good = pool.submit([] {
                              struct sigaction usr1 {
                              }, chld{};
                              ::sigaction(SIGUSR1, nullptr, &usr1);
                              ::sigaction(SIGCHLD, nullptr, &chld);
                              sigset_t mask;
                              ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                              const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
                              return usr1.sa_handler == SIG_DFL && chld.sa_handler == SIG_DFL &&
                                     ::sigisemptyset(&mask) && std::distance(begin(tasks), end(tasks)) == 1;
                          })
                          .get();
    EXPECT_TRUE(good);
    ::signal(SIGUSR1, SIG_DFL);
}

TEST_F(process_pool, what_a_job_prints_is_there_and_once) {
    testing::internal::CaptureStdout();
    std::printf("before ");
    {
        coir::process_pool pool(1);
        pool.submit([] { std::printf("job "); }).get();
    }
    std::printf("after");
    std::fflush(stdout);
    const std::string text = testing::internal::GetCapturedStdout();
    EXPECT_EQ(text.size(), std::string("before job after").size()) << text;
}

TEST_F(process_pool, jobs_may_use_coir) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "in the child of a process with threads it takes fiber switches for races";
#endif
    coir::process_pool pool(1);
    EXPECT_EQ(pool.submit(
                      [](int n) {
                          auto t = coir::spawn([n] {
                              coir::this_fiber::sleep_for(1ms);
                              return n + 1;
                          });
                          return t.get();
                      },
                      1)
                  .get(),
              2);
}

TEST_F(process_pool, submit_suspends_while_the_queue_is_full_and_can_be_cancelled_there) {
    coir::process_pool pool({.workers = 1, .queue_limit = 2});
    const gate go;
    const auto blocked = pool.submit(wait_for_file, go.path());
    std::vector<coir::future<int>> queued;
    // The worker may have taken the first one already, or not.
    auto filler = coir::spawn([&] {
        for (int i = 0; i < 10; ++i) queued.push_back(pool.submit(square, i));
    });
    until([&] { return queued.size() >= 2; });
    coir::this_fiber::sleep_for(5ms);
    until_parked(filler);
    EXPECT_LE(queued.size(), 3u);
    filler.cancel();
    filler.join();
    EXPECT_TRUE(filler.was_cancelled());
    EXPECT_THROW(coir::wait_for(1ms, [&] { return pool.submit(square, 1).get(); }), coir::timed_out);
    go.open();
    for (std::size_t i = 0; i < queued.size(); ++i) EXPECT_EQ(queued[i].get(), static_cast<int>(i * i));
}

TEST_F(process_pool, a_wait_for_a_result_can_be_cancelled_and_the_job_goes_on) {
    coir::process_pool pool(1);
    const gate go, done;
    auto waiting = coir::spawn([&] {
        pool.submit(
                [](const std::string& until, const std::string& then) {
                    wait_for_file(until);
                    std::ofstream file(then);
                },
                go.path(), done.path())
            .get();
    });
    until_parked(waiting);
    waiting.cancel();
    waiting.join();
    EXPECT_TRUE(waiting.was_cancelled());
    go.open();
    until([&] { return done.is_open(); });
}

TEST_F(process_pool, is_used_from_several_hubs_and_plain_threads_at_once) {
    coir::process_pool pool({.workers = 2, .queue_limit = 4});
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&pool, &right, is_plain = t % 2 == 0] {
            const auto work = [&] {
                for (int i = 0; i < 100; ++i) right += pool.submit(square, i).get() == i * i;
            };
            if (is_plain) return work();
            coir::task_group group;
            for (int i = 0; i < 4; ++i) group.spawn(work);
            group.join();
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(right, 1000);
}

TEST_F(process_pool, an_idle_one_does_not_hide_a_deadlock) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "sanitizers may run threads of their own";
#endif
    coir::process_pool pool(2);
    pool.submit(square, 1).get();
    coir::event never;
    EXPECT_THROW(never.wait(), coir::deadlock);
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

TEST_F(process_pool, a_busy_one_is_no_deadlock) {
    coir::process_pool pool(1);
    for (int i = 0; i < 3; ++i) pool.submit([] { ::usleep(60'000); }).get();  // three times the second look
}

TEST_F(process_pool, absurd_numbers_are_refused) {
    EXPECT_EQ(thrown_by([] { coir::process_pool pool(static_cast<std::size_t>(-1)); }), "fiber_error");
    EXPECT_GE(coir::process_pool(0).size(), 1u);
}

}  // namespace
