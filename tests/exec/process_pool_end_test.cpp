#include "exec/process_pool_test.hpp"

namespace {

using namespace std::chrono_literals;
using namespace process_pool_tests;
using process_pool_end = process_pool_tests::clean_test;
using task_tests::thrown_by;
using task_tests::until_parked;

int square(int n) { return n * n; }

struct outcomes {
    int done = 0;
    int dropped = 0;
};

outcomes count(std::vector<coir::future<int>>& jobs) {
    outcomes n;
    for (auto& job : jobs) {
        const std::string error = thrown_by([&] { job.get(); });
        n.done += error.empty();
        n.dropped += error == "task_cancelled";
    }
    return n;
}

/// Two that run until the gate opens, and eighteen that are queued.
std::vector<coir::future<int>> twenty_jobs(coir::process_pool& pool, const gate& go, const gate& first,
                                           const gate& second) {
    std::vector<coir::future<int>> jobs;
    for (const gate* started : {&first, &second}) {
        jobs.push_back(pool.submit(
            [](const std::string& begun, const std::string& until) {
                std::ofstream(begun).close();
                wait_for_file(until);
                return 1;
            },
            started->path(), go.path()));
    }
    until([&] { return first.is_open() && second.is_open(); });
    for (int i = 0; i < 18; ++i) jobs.push_back(pool.submit(square, i));
    return jobs;
}

TEST_F(process_pool_end, stop_finishes_what_is_queued) {
    coir::process_pool pool(2);
    const gate go, first, second;
    auto jobs = twenty_jobs(pool, go, first, second);
    auto stopper = coir::spawn([&] { pool.stop(); });
    until_parked(stopper);
    EXPECT_EQ(thrown_by([&] { pool.submit(square, 1); }), "fiber_error");
    go.open();
    stopper.get();
    const outcomes n = count(jobs);
    EXPECT_EQ(n.done, 20);
    EXPECT_EQ(n.dropped, 0);
    EXPECT_TRUE(children_of(::getpid()).empty());
    pool.stop();
    EXPECT_EQ(thrown_by([&] { pool.submit(square, 1); }), "fiber_error");
}

TEST_F(process_pool_end, stop_can_drop_what_is_queued) {
    coir::process_pool pool(2);
    const gate go, first, second;
    auto jobs = twenty_jobs(pool, go, first, second);
    auto stopper = coir::spawn([&] { pool.stop(coir::process_pool::queued::drop); });
    until_parked(stopper);
    go.open();
    stopper.get();
    const outcomes n = count(jobs);
    EXPECT_EQ(n.done, 2);
    EXPECT_EQ(n.dropped, 18);
}

TEST_F(process_pool_end, the_destructor_finishes_what_runs_and_is_queued) {
    const gate go, first, second;
    std::vector<coir::future<int>> jobs;
    auto owner = coir::spawn([&] {
        coir::process_pool pool(2);
        jobs = twenty_jobs(pool, go, first, second);
    });
    until([&] { return !jobs.empty(); });
    until_parked(owner);
    owner.cancel();  // the destructor has a shield
    go.open();
    owner.join();
    EXPECT_EQ(count(jobs).done, 20);
}

TEST_F(process_pool_end, who_waits_for_room_when_it_is_stopped_is_told) {
    coir::process_pool pool({.workers = 1, .queue_limit = 0});
    const gate go;
    auto running = pool.submit(wait_for_file, go.path());
    auto sender = coir::spawn([&] { return thrown_by([&] { pool.submit(square, 1); }); });
    until_parked(sender);
    auto stopper = coir::spawn([&] { pool.stop(); });
    EXPECT_EQ(sender.get(), "fiber_error");
    go.open();
    stopper.get();
    running.get();
}

TEST_F(process_pool_end, a_stop_that_is_cancelled_goes_on) {
    coir::process_pool pool(1);
    const gate go;
    auto running = pool.submit(wait_for_file, go.path());
    auto stopper = coir::spawn([&] { pool.stop(); });
    until_parked(stopper);
    stopper.cancel();
    stopper.join();
    EXPECT_TRUE(stopper.was_cancelled());
    EXPECT_EQ(thrown_by([&] { pool.submit(square, 1); }), "fiber_error");
    go.open();
    running.get();
    pool.stop();
}

TEST_F(process_pool_end, several_stop_it_at_once) {
    coir::process_pool pool(2);
    pool.submit(square, 2).get();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { pool.stop(); });
    for (auto& t : threads) t.join();
}

TEST_F(process_pool_end, a_hundred_pools_leave_nothing) {
    for (int i = 0; i < 100; ++i) {
        coir::process_pool pool(1);
        if (i % 2) {
            EXPECT_EQ(pool.submit(square, i).get(), i * i);
        }
    }
    EXPECT_TRUE(children_of(::getpid()).empty());
}

/// Also when a fork of the program lives on, with copies of its sockets.
TEST_F(process_pool_end, its_processes_die_with_the_program) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "it allows no threads in the child of a process with threads";
#endif
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    const pid_t program = ::fork();
    if (program == 0) {
        coir::process_pool pool(2);
        const pid_t worker = pool.submit(own_pid).get();
        const pid_t server = server_of_this_process();
        const gate never;
        const auto busy = pool.submit(wait_for_file, never.path());
        const pid_t heir = ::fork();
        if (heir == 0) {
            for (;;) ::pause();
        }
        const pid_t pids[3] = {worker, server, heir};
        (void)!::write(fds[1], pids, sizeof pids);
        ::kill(::getpid(), SIGKILL);
    }
    pid_t pids[3];
    ASSERT_EQ(::read(fds[0], pids, sizeof pids), static_cast<ssize_t>(sizeof pids));
    ::waitpid(program, nullptr, 0);
    const auto has_ended = [](pid_t pid) {
        const auto state = look_at(pid);
        return !state || state->letter == 'Z';  // whoever adopts it collects it
    };
    until([&] { return has_ended(pids[0]) && has_ended(pids[1]); });
    EXPECT_FALSE(has_ended(pids[2]));
    ::kill(pids[2], SIGKILL);
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_F(process_pool_end, in_the_child_of_a_fork_it_is_refused_and_the_parents_is_left_alone) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "it allows no threads in the child of a process with threads";
#endif
    auto pool = std::make_unique<coir::process_pool>(2);
    const pid_t worker = pool->submit(own_pid).get();
    const pid_t child = ::fork();
    if (child == 0) {
        const auto before = task_tests::open_descriptors();
        int wrong = 0;
        if (thrown_by([&] { pool->submit(square, 1); }) != "fiber_error") wrong |= 1;
        if (thrown_by([&] { pool->stop(); }) != "fiber_error") wrong |= 2;
        pool.reset();
        if (task_tests::open_descriptors() >= before) wrong |= 4;
        coir::process_pool mine(1);
        if (mine.submit(square, 3).get() != 9) wrong |= 8;
        mine.stop();
        ::_exit(wrong);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_FALSE(is_gone(worker));
    EXPECT_EQ(pool->submit(square, 5).get(), 25);
}

/// The child holds copies of the pool's sockets, so that closing them tells nobody anything.
TEST_F(process_pool_end, it_ends_though_a_fork_of_the_program_lives) {
    auto pool = std::make_unique<coir::process_pool>(2);
    pool->submit(square, 1).get();
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) ::pause();
    }
    pool.reset();
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

}  // namespace
