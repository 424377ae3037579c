// What goes wrong around children: descriptors that leak or run out, reapers behind one's back, destruction at the
// wrong time, fork. Rows T9 and T10 of the list of faults are here.
#include <coir/coir.hpp>

#include "exec/leftovers.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdarg>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::exit_status;
using coir::subprocess;
using exec_tests::failure_of;
using exec_tests::text_of;
using task_tests::thrown_by;
using task_tests::until_parked;
using faults = exec_tests::clean_test;

subprocess start_sleeper() { return subprocess({"sleep", "1000"}); }

/// Descriptors that no program would inherit willingly: none is close-on-exec.
struct careless_descriptors {
    careless_descriptors() {
        for (int i = 0; i < 200; ++i) fds.emplace_back(::open("/dev/null", O_RDONLY));
    }
    std::vector<coir::unique_fd> fds;
};

TEST_F(faults, t9_a_child_has_the_descriptors_0_1_2_and_no_other) {
    const careless_descriptors open;
    // The pattern opens the folder itself, which is gone when the names are looked at.
    const auto r = subprocess::run(
        {"sh", "-c", "for f in /proc/self/fd/*; do if [ -e $f ]; then echo ${f##*/}; fi; done"}, {.input = "x"});
    EXPECT_EQ(r.out, "0\n1\n2\n");
}

TEST_F(faults, t9_a_child_keeps_no_connection_of_its_parent_open) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const coir::unique_fd peer(ends[1]);
    coir::unique_fd mine(ends[0]);
    const subprocess child = start_sleeper();
    mine.reset();
    char c;
    EXPECT_EQ(::recv(peer.get(), &c, 1, MSG_DONTWAIT), 0) << "the end of the stream, while the child lives";
}

TEST_F(faults, t9_children_that_are_started_at_once_keep_no_pipe_of_each_other) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([] {
            for (int i = 0; i < 25; ++i) {
                subprocess p({"cat"}, {.in = subprocess::pipe, .out = subprocess::pipe});
                subprocess longer({"sleep", "1000"}, {.in = subprocess::pipe, .out = subprocess::pipe});
                p.in().close();
                EXPECT_TRUE(p.wait().success());
                EXPECT_EQ(p.out().read_all(), "");
            }
        });
    }
    for (std::thread& t : threads) t.join();
}

TEST_F(faults, t10_five_hundred_children_that_end_together_are_all_told) {
    coir::pipe_fds gate = coir::pipe_fds::make();
    std::vector<subprocess> children;
    for (int i = 0; i < 500; ++i) {
        children.emplace_back(std::vector<std::string>{"sh", "-c", "read x; exit " + std::to_string(i % 100)},
                              coir::subprocess_options{.in = subprocess::fd(gate.read.get())});
    }
    std::vector<coir::task<int>> waiting;
    for (const subprocess& c : children) waiting.push_back(coir::spawn([&c] { return c.wait().code(); }));
    for (auto& t : waiting) until_parked(t);
    gate.write.reset();
    for (std::size_t i = 0; i < waiting.size(); ++i) EXPECT_EQ(waiting[i].get(), static_cast<int>(i % 100));
}

TEST_F(faults, t10_a_child_that_somebody_else_has_reaped_is_an_error_and_no_hang) {
    subprocess p({"cat"}, {.in = subprocess::pipe});
    auto waiting = coir::spawn([&] { p.wait(); });
    until_parked(waiting);
    p.in().close();
    EXPECT_EQ(::wait(nullptr), p.pid());
    EXPECT_EQ(failure_of([&] { waiting.get(); }), std::errc::no_child_process);
    EXPECT_EQ(text_of([&] { p.wait(); }), "wait for \"cat\" (pid " + std::to_string(p.pid()) +
                                              "), which something else has reaped: No child processes");
    EXPECT_EQ(failure_of([&] { p.try_wait(); }), std::errc::no_child_process);
    EXPECT_EQ(failure_of([&] { p.wait_for(1s); }), std::errc::no_child_process);
    p.kill();
}

TEST_F(faults, t10_where_sigchld_is_ignored_the_status_is_lost_and_nothing_hangs) {
    const auto former = ::signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(failure_of([] { subprocess({"true"}).wait(); }), std::errc::no_child_process);
    }
    { const subprocess killed = start_sleeper(); }
    ::signal(SIGCHLD, former);
}

TEST_F(faults, t10_no_handler_of_the_program_is_needed_or_called_less) {
    static std::atomic<int> calls{0};
    const auto former = ::signal(SIGCHLD, [](int) { ++calls; });
    EXPECT_TRUE(subprocess::run({"true"}).status.success());
    ::signal(SIGCHLD, former);
    EXPECT_EQ(calls, 1);
}

TEST_F(faults, one_that_was_reaped_before_it_could_be_held_is_lost_but_no_stranger_is_touched) {
    static int calls;
    calls = 0;
    coir::detail::sys.pidfd_open = [](pid_t pid, unsigned flags) {
        if (++calls == 2) return ::waitpid(pid, nullptr, 0), errno = ESRCH, -1;
        return coir::detail::call_pidfd_open(pid, flags);
    };
    subprocess p({"true"});
    EXPECT_EQ(failure_of([&] { p.wait(); }), std::errc::no_child_process);
    p.kill();
}

/// From now on the n-th call that makes a descriptor fails, and those after it.
class failing_descriptors {
public:
    explicit failing_descriptors(int n) : calls_(coir::detail::sys) {
        left = n;
        coir::detail::sys.pipe2 = [](int* fds, int flags) { return is_refused() ? -1 : ::pipe2(fds, flags); };
        coir::detail::sys.pidfd_open = [](pid_t pid, unsigned flags) {
            return is_refused() ? -1 : coir::detail::call_pidfd_open(pid, flags);
        };
        coir::detail::sys.fcntl = duplicate;
    }
    ~failing_descriptors() { coir::detail::sys = calls_; }

private:
    static bool is_refused() {
        errno = EMFILE;
        return left-- <= 0;
    }
    static int duplicate(int fd, int command, ...) {
        va_list rest;
        va_start(rest, command);
        const int argument = command == F_GETFL ? 0 : va_arg(rest, int);
        va_end(rest);
        return command == F_DUPFD_CLOEXEC && is_refused() ? -1 : ::fcntl(fd, command, argument);
    }
    static inline int left;

    coir::detail::system_calls calls_;
};

/// No more descriptors than there are, and `more`.
class descriptor_limit {
public:
    explicit descriptor_limit(int more) {
        ::getrlimit(RLIMIT_NOFILE, &former_);
        rlimit lowered = former_;
        std::vector<coir::unique_fd> open;  // the numbers that are free have gaps between them
        for (int i = 0; i <= more; ++i) open.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        lowered.rlim_cur = static_cast<rlim_t>(open.back().get());
        ::setrlimit(RLIMIT_NOFILE, &lowered);
    }
    ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &former_); }

private:
    rlimit former_;
};

/// The least n for which `call` does not fail with EMFILE under a `Limit` of n. Each failure must leave nothing.
template <class Limit, class Call>
int least_needed(Call call) {
    for (int n = 0;; ++n) {
        const auto before = task_tests::open_descriptors();
        const std::error_code ec = failure_of([&] {
            const Limit limit(n);
            call();
        });
        EXPECT_EQ(task_tests::open_descriptors(), before) << n;
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << n;
        if (!ec || n == 100) return n;
        EXPECT_EQ(ec, std::errc::too_many_files_open) << n;
    }
}

void run_cat() { subprocess::run({"cat"}, {.input = "x"}); }
void wait_for_true() { subprocess({"true"}).wait(); }
void redirect_true() {
    const subprocess p({"true"}, {.in = subprocess::fd(0), .out = subprocess::null, .err = subprocess::fd(2)});
}

TEST_F(faults, each_descriptor_that_cannot_be_made_leaves_nothing) {
    EXPECT_EQ(least_needed<failing_descriptors>(run_cat), 5);
    EXPECT_EQ(least_needed<failing_descriptors>(wait_for_true), 2);
    EXPECT_EQ(least_needed<failing_descriptors>(redirect_true), 4);
}

#ifndef __SANITIZE_ADDRESS__  // whose companion for undefined behaviour needs a pipe to look at an object
TEST_F(faults, out_of_descriptors_at_any_point_leaves_nothing) {
    EXPECT_EQ(least_needed<descriptor_limit>(run_cat), 7);
    EXPECT_EQ(least_needed<descriptor_limit>(wait_for_true), 1);
    EXPECT_EQ(least_needed<descriptor_limit>(redirect_true), 3);
}
#endif

TEST_F(faults, a_fault_after_the_child_has_begun_ends_it) {
    static int calls;
    calls = 0;
    coir::detail::sys.pidfd_open = [](pid_t pid, unsigned flags) {
        if (++calls == 2) return errno = EMFILE, -1;
        return coir::detail::call_pidfd_open(pid, flags);
    };
    EXPECT_EQ(text_of([] { start_sleeper(); }), "spawn \"sleep\": pidfd_open: Too many open files");
}

TEST_F(faults, of_the_kernel_name_the_program) {
    coir::detail::sys.posix_spawnp = [](pid_t*, const char*, const posix_spawn_file_actions_t*,
                                        const posix_spawnattr_t*, char* const*, char* const*) { return EAGAIN; };
    EXPECT_EQ(text_of([] { start_sleeper(); }), "spawn \"sleep\": Resource temporarily unavailable");
}

TEST_F(faults, an_argument_that_is_too_long_is_an_error) {
    const std::string much(10'000'000, 'x');
    EXPECT_EQ(failure_of([&] { subprocess::run({"echo", much}); }), std::errc::argument_list_too_long);
}

TEST_F(faults, an_interrupted_wait_goes_on) {
    static int left;
    left = 3;
    coir::detail::sys.waitid = [](idtype_t type, id_t id, siginfo_t* info, int options) {
        if (left-- > 0) return errno = EINTR, -1;
        return ::waitid(type, id, info, options);
    };
    EXPECT_TRUE(subprocess({"true"}).wait().success());
}

TEST_F(faults, a_traced_child_that_cannot_be_reaped_yet_is_waited_for) {
    static int left;
    left = 5;
    coir::detail::sys.waitid = [](idtype_t type, id_t id, siginfo_t* info, int options) {
        if (left-- > 0) return 0;
        return ::waitid(type, id, info, options);
    };
    EXPECT_TRUE(subprocess({"true"}).wait().success());
}

TEST_F(faults, destroyed_while_it_runs_it_is_killed) {
    pid_t pid;
    {
        const subprocess p({"sleep", "1000"}, {.in = subprocess::pipe, .out = subprocess::pipe});
        pid = p.pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(faults, destroyed_while_fibers_wait_and_read_all_are_told) {
    auto p = std::make_optional<subprocess>(std::vector<std::string>{"sleep", "1000"},
                                            coir::subprocess_options{.in = subprocess::pipe, .out = subprocess::pipe});
    auto waiting = coir::spawn([&] { return p->wait(); });
    auto reading = coir::spawn([&] { return p->out().read_all(); });
    auto writing = coir::spawn([&] { p->in().write_all(std::string(1'000'000, 'x')); });
    until_parked(waiting);
    until_parked(reading);
    until_parked(writing);
    p.reset();
    EXPECT_EQ(waiting.get(), exit_status::of_signal(SIGKILL));
    EXPECT_NE(thrown_by([&] { reading.get(); }), "fiber_error");
    EXPECT_EQ(thrown_by([&] { writing.get(); }), "system_error");
}

TEST_F(faults, destroyed_by_a_cancelled_task_it_is_reaped_all_the_same) {
    auto t = coir::spawn([] {
        const subprocess p = start_sleeper();
        coir::this_fiber::sleep_for(1h);
    });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(faults, destroyed_while_a_cancellation_pends_it_is_reaped_and_the_cancellation_comes_after_it) {
    bool reaped = false;
    auto t = coir::spawn([&] {
        auto p = std::make_optional<subprocess>(start_sleeper());
        {
            const coir::shield mask;
            coir::this_fiber::yield();
        }
        p.reset();
        reaped = true;
        coir::this_fiber::yield();
        ADD_FAILURE();
    });
    coir::this_fiber::yield();
    t.cancel();
    t.join();
    EXPECT_TRUE(reaped);
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(faults, destroyed_where_nothing_may_suspend_it_is_reaped_too) {
    auto p = std::make_shared<std::optional<subprocess>>(start_sleeper());
    const pid_t pid = (*p)->pid();
    coir::hub::current().post([p] { p->reset(); });
    p.reset();
    while (::kill(pid, 0) == 0) coir::this_fiber::yield();
}

TEST_F(faults, destroyed_at_the_end_of_its_thread_it_is_reaped) {
    std::thread([] {
        coir::spawn([] {
            const subprocess p = start_sleeper();
            p.wait();
        });
        coir::this_fiber::yield();
    }).join();
}

TEST_F(faults, run_by_a_plain_thread) {
    std::thread([] { EXPECT_EQ(subprocess::run({"cat"}, {.input = "x"}).out, "x"); }).join();
    std::thread([] { const subprocess p = start_sleeper(); }).join();
}

TEST_F(faults, a_child_that_closes_its_stdin_is_epipe_for_the_writer) {
    subprocess p({"sh", "-c", "exec <&-; echo closed; exec sleep 1000"},
                 {.in = subprocess::pipe, .out = subprocess::pipe});
    char buffer[16];
    EXPECT_EQ(p.out().read_some(buffer), 7u);
    EXPECT_EQ(failure_of([&] { p.in().write_all("x"); }), std::errc::broken_pipe);
}

TEST_F(faults, short_lived_children_leave_no_zombies) {
    for (int i = 0; i < 100; ++i) {
        const subprocess p({"true"});
        if (i % 2 == 0) coir::this_fiber::yield();
    }
}

#ifndef __SANITIZE_THREAD__  // which gives up on the child of a process that had several threads
TEST_F(faults, in_the_child_of_a_fork_the_destructor_leaves_the_parents_child_alone) {
    auto p = std::make_optional<subprocess>(std::vector<std::string>{"cat"},
                                            coir::subprocess_options{.in = subprocess::pipe});
    const pid_t forked = ::fork();
    if (forked == 0) {
        const bool is_foreign = failure_of([&] { p->wait(); }) == std::errc::no_child_process;
        p.reset();
        ::_exit(is_foreign ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(forked, &status, 0), forked);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(p->try_wait(), std::nullopt);
    p->in().close();
    EXPECT_TRUE(p->wait().success());
}
#endif

}  // namespace
