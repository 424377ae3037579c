#include "exec/process_pool_test.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

namespace {

using namespace std::chrono_literals;
using namespace process_pool_tests;
using process_pool_crash = process_pool_tests::clean_test;
using task_tests::thrown_by;

int square(int n) { return n * n; }

void expect_broken(coir::future<void> f, const std::string& how) {
    const std::string text = broken_text(f);
    EXPECT_NE(text.find(how), std::string::npos) << text;
    EXPECT_NE(text.find("worker process "), std::string::npos) << text;
}

TEST_F(process_pool_crash, the_error_says_how_the_worker_ended) {
    coir::process_pool pool(1);
    expect_broken(pool.submit([] { ::kill(::getpid(), SIGKILL); }), "was killed by signal 9 (KILL)");
    expect_broken(pool.submit([] { ::_exit(3); }), "exited with 3");
    expect_broken(pool.submit([] { std::abort(); }), "was killed by signal 6 (ABRT)");
    expect_broken(pool.submit([] { ::raise(SIGSEGV); }), "was killed by signal 11 (SEGV)");
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

TEST_F(process_pool_crash, exit_in_a_job) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the search for leaks at exit() takes what the parent's threads hold for lost";
#endif
    coir::process_pool pool(1);
    expect_broken(pool.submit([] { std::exit(3); }), "exited with 3");
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

TEST_F(process_pool_crash, the_error_says_what_the_job_was) {
    coir::process_pool pool(1);
    auto f = pool.submit(
        +[](int code) { ::_exit(code); }, 7);
    EXPECT_NE(broken_text(f).find("while it ran void (*)(int)"), std::string::npos);
}

TEST_F(process_pool_crash, a_job_that_closes_all_descriptors) {
    coir::process_pool pool(1);
    const gate never;
    expect_broken(pool.submit(
                      [](const std::string& path) {
                          for (int fd = 0; fd < 100; ++fd) ::close(fd);
                          wait_for_file(path);
                      },
                      never.path()),
                  "closed its socket");
    expect_broken(pool.submit([] {
        for (int fd = 0; fd < 100; ++fd) ::close(fd);
    }),
                  "");
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

TEST_F(process_pool_crash, a_reply_that_is_corrupt) {
    coir::process_pool pool(1);
    const auto writes = [](const std::string& bytes) { (void)!::send(3, bytes.data(), bytes.size(), MSG_NOSIGNAL); };
    expect_broken(pool.submit(writes, std::string(100, 'x')), "sent a corrupt reply");
    expect_broken(pool.submit(writes, std::string("y")), "sent a corrupt reply");
    expect_broken(pool.submit(writes, std::string(10'000'000, '\0')), "sent a corrupt reply");
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

/// A good header, and then something else than it says.
TEST_F(process_pool_crash, a_reply_whose_checksum_is_wrong) {
    coir::process_pool pool(1);
    expect_broken(pool.submit([] {
        coir::detail::frame_writer frame(100);
        frame.append("good");
        std::string bytes = std::move(frame).seal(coir::detail::frame_kind::result);
        bytes.back() ^= 1;
        (void)!::send(3, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }),
                  "sent a corrupt reply");
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

/// A thread that a job has left behind writes when no job runs.
TEST_F(process_pool_crash, what_an_idle_worker_says_is_not_taken_for_the_next_reply) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "no threads after a fork of a process with threads";
#endif
    coir::process_pool pool(1);
    const gate go;
    const pid_t worker = pool.submit(
                                 [](const std::string& path) {
                                     std::thread([path] {
                                         wait_for_file(path);
                                         (void)!::send(3, "x", 1, MSG_NOSIGNAL);
                                         std::ofstream(path + ".done").close();
                                     }).detach();
                                     return own_pid();
                                 },
                                 go.path())
                             .get();
    go.open();
    until([&] { return std::filesystem::exists(go.path() + ".done"); });
    std::filesystem::remove(go.path() + ".done");
    EXPECT_NE(pool.submit(own_pid).get(), worker);
    EXPECT_TRUE(is_gone(worker));
}

TEST_F(process_pool_crash, a_worker_that_dies_while_it_is_idle_is_replaced_and_no_job_is_lost) {
    coir::process_pool pool(1);
    for (int i = 0; i < 50; ++i) {
        const pid_t worker = pool.submit(own_pid).get();
        ASSERT_EQ(::kill(worker, SIGKILL), 0);
        until([&] { return is_gone(worker); });  // collected at once, not at the next job
        EXPECT_EQ(pool.submit(square, i).get(), i * i);
    }
}

/// A child of the worker holds its socket open: its end must be seen all the same.
TEST_F(process_pool_crash, a_worker_that_leaves_a_child_behind) {
    coir::process_pool pool(1);
    auto f = pool.submit([] {
        if (::fork() == 0) {
            ::usleep(500'000);
            ::_exit(0);
        }
        ::_exit(5);
    });
    EXPECT_NE(broken_text(f).find("exited with 5"), std::string::npos);
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

TEST_F(process_pool_crash, kills_in_the_middle_of_long_replies) {
    coir::process_pool pool(2);
    std::mt19937 random(1);
    int whole = 0, broken = 0;
    for (int i = 0; i < 60; ++i) {
        auto pid = pool.submit(own_pid);
        const pid_t worker = pid.get();
        std::vector<coir::future<std::vector<char>>> replies;
        for (int j = 0; j < 2; ++j) replies.push_back(pool.submit([] { return std::vector<char>(10'000'000, 'r'); }));
        coir::this_fiber::sleep_for(std::chrono::microseconds(random() % 20'000));
        ::kill(worker, SIGKILL);
        for (auto& reply : replies) {
            try {
                const auto bytes = reply.get();
                ASSERT_EQ(bytes.size(), 10'000'000u);
                ASSERT_EQ(bytes.back(), 'r');
                ++whole;
            } catch (const coir::broken_process_pool&) {
                ++broken;
            }
        }
    }
    EXPECT_EQ(whole + broken, 120);
    EXPECT_LE(broken, 60);
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

/// Every call ends, and no more jobs are lost than kills were made.
TEST_F(process_pool_crash, every_worker_killed_many_times_under_load) {
    coir::process_pool pool({.workers = 4, .queue_limit = 16});
    const pid_t server = server_of_this_process();
    const auto descriptors = [] { return task_tests::open_descriptors(); };
    pool.submit(square, 1).get();
    until([&] { return children_of(server).size() == 4; });
    const auto before = descriptors();
    bool is_over = false;
    int ended = 0, right = 0, broken = 0, kills = 0;
    coir::task_group load;
    for (int i = 0; i < 16; ++i) {
        load.spawn([&] {
            while (!is_over) {
                try {
                    right += pool.submit([](int n) { return ::usleep(200), n * n; }, 12).get() == 144;
                } catch (const coir::broken_process_pool&) {
                    ++broken;
                }
                ++ended;
            }
        });
    }
    while (kills < 400) {
        for (const pid_t worker : children_of(server)) kills += ::kill(worker, SIGKILL) == 0;
        coir::this_fiber::sleep_for(1ms);
    }
    is_over = true;
    load.join();
    EXPECT_EQ(ended, right + broken);
    EXPECT_LE(broken, kills);
    EXPECT_GT(right, 0);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(pool.submit(square, i).get(), i * i);
    until([&] { return children_of(server).size() <= 4; });
    for (const pid_t worker : children_of(server)) EXPECT_NE(look_at(worker)->letter, 'Z');
    EXPECT_LE(descriptors(), before);
    EXPECT_LE(children_of(server).size(), 4u);
}

/// It takes only as much of the job as its socket holds.
TEST_F(process_pool_crash, a_worker_that_never_reads_holds_up_nobody_else) {
    coir::process_pool pool(2);
    const pid_t stopped = pool.submit(own_pid).get();
    ::kill(stopped, SIGSTOP);
    std::vector<coir::future<pid_t>> jobs;
    for (int i = 0; i < 4; ++i) {
        jobs.push_back(pool.submit([](const std::vector<char>&) { return own_pid(); }, std::vector<char>(5'000'000)));
    }
    std::size_t done = 0;
    until([&] {
        done = 0;
        for (auto& job : jobs) done += job.ready();
        return done == 3;
    });
    ::kill(stopped, SIGKILL);
    for (auto& job : jobs) EXPECT_NE(job.get(), stopped);  // it had not begun, so a new worker runs it
}

TEST_F(process_pool_crash, without_its_fork_server_it_is_broken_and_says_so) {
    auto pool = std::make_unique<coir::process_pool>(coir::process_pool_options{.workers = 2});
    const pid_t server = server_of_this_process();
    const gate never;
    std::vector<coir::future<void>> jobs;
    for (int i = 0; i < 6; ++i) jobs.push_back(pool->submit(wait_for_file, never.path()));
    ::kill(server, SIGKILL);
    for (auto& job : jobs) {
        const std::string text = broken_text(job);
        EXPECT_NE(text.find("its fork server (pid " + std::to_string(server) + ") was killed by signal 9"),
                  std::string::npos)
            << text;
    }
    EXPECT_THROW(pool->submit(square, 1), coir::broken_process_pool);
    pool->stop();
    pool.reset();
}

TEST_F(process_pool_crash, the_fork_server_dies_while_all_is_idle) {
    coir::process_pool pool(2);
    const pid_t worker = pool.submit(own_pid).get();
    ::kill(server_of_this_process(), SIGKILL);
    until([&] { return children_of(::getpid()).empty(); });
    until([&] { return is_gone(worker) || look_at(worker)->letter == 'Z'; });
    const std::string text = thrown_by([&] { pool.submit(square, 1).get(); });
    EXPECT_NE(text.find("its fork server"), std::string::npos) << text;
}

TEST_F(process_pool_crash, out_of_descriptors) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "UndefinedBehaviorSanitizer opens a pipe to look at an object, and takes none for a bad object";
#endif
    coir::process_pool pool(1);
    const pid_t worker = pool.submit(own_pid).get();
    ::kill(worker, SIGKILL);
    until([&] { return is_gone(worker); });
    std::vector<int> taken;
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few{64, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken.push_back(fd);
    EXPECT_EQ(thrown_by([] { coir::process_pool another(1); }), "system_error");
    EXPECT_EQ(thrown_by([&] { pool.submit(square, 1).get(); }), "system_error");
    for (const int fd : taken) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(pool.submit(square, 3).get(), 9);
}

/// Whatever the program's other threads do while the server is forked, workers find no lock of it held.
TEST_F(process_pool_crash, workers_are_forked_while_other_threads_are_busy) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizers' own locks may be held at the fork: LeakSanitizer's list of stacks, say";
#endif
    std::atomic<bool> is_over{false};
    std::vector<std::thread> busy;
    for (int i = 0; i < 3; ++i) {
        busy.emplace_back([&] {
            const std::unique_ptr<FILE, int (*)(FILE*)> nowhere(std::fopen("/dev/null", "we"), std::fclose);
            while (!is_over) {
                coir::spawn([&] { std::fprintf(nowhere.get(), "%s", std::string(100, 'x').c_str()); }).join();
                std::fputs("", stdout);
            }
        });
    }
    for (int i = 0; i < 100; ++i) {
        coir::process_pool pool(2);
        auto killed = pool.submit([] { ::raise(SIGKILL); });
        EXPECT_EQ(pool.submit(
                          [](int n) {
                              std::fputs("", stdout);
                              return coir::spawn([n] { return std::string(1000, 'x').size() + n; }).get();
                          },
                          i)
                      .get(),
                  1000u + i);
        EXPECT_NE(broken_text(killed), "no error");
    }
    is_over = true;
    for (auto& t : busy) t.join();
}

}  // namespace
