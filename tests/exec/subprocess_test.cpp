#include <coir/exec/subprocess.hpp>
#include <coir/hub.hpp>
#include <coir/task.hpp>

#include "exec/leftovers.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdlib>
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
using a_subprocess = exec_tests::clean_test;

subprocess start_cat() { return subprocess({"cat"}, {.in = subprocess::pipe, .out = subprocess::pipe}); }
subprocess start_sleeper() { return subprocess({"sleep", "1000"}); }

/// What the child writes that runs `script`.
std::string output_of(const std::string& script, coir::subprocess_options options = {}) {
    options.out = subprocess::pipe;
    subprocess p({"sh", "-c", script}, options);
    std::string text = p.out().read_all();
    p.wait();
    return text;
}

TEST_F(a_subprocess, is_talked_to_through_pipes) {
    subprocess p = start_cat();
    p.in().write_all("hello\n");
    char buffer[16];
    EXPECT_EQ(p.out().read_some(buffer), 6u);
    p.in().write_all("again\n");
    p.in().close();
    EXPECT_EQ(p.out().read_all(), "again\n");
    EXPECT_TRUE(p.wait().success());
}

TEST_F(a_subprocess, ends_with_a_code_or_by_a_signal) {
    const exit_status three = subprocess({"sh", "-c", "exit 3"}).wait();
    EXPECT_TRUE(three.exited());
    EXPECT_FALSE(three.signalled());
    EXPECT_FALSE(three.success());
    EXPECT_EQ(three.code(), 3);
    EXPECT_EQ(three.signal(), 0);
    EXPECT_EQ(three.describe(), "exited with 3");
    const exit_status killed = subprocess({"sh", "-c", "kill -9 $$"}).wait();
    EXPECT_FALSE(killed.exited());
    EXPECT_TRUE(killed.signalled());
    EXPECT_FALSE(killed.success());
    EXPECT_EQ(killed.code(), -1);
    EXPECT_EQ(killed.signal(), 9);
    EXPECT_EQ(killed.describe(), "was killed by signal 9 (Killed)");
    EXPECT_EQ(exit_status::of_signal(SIGRTMIN + 1).describe(), "was killed by signal " + std::to_string(SIGRTMIN + 1));
    EXPECT_EQ(exit_status(), exit_status::of_code(0));
}

TEST_F(a_subprocess, redirects_each_of_its_descriptors) {
    subprocess p({"sh", "-c", "echo out; echo err >&2; cat"},
                 {.in = subprocess::null, .out = subprocess::pipe, .err = subprocess::pipe});
    EXPECT_EQ(p.out().read_all(), "out\n");
    EXPECT_EQ(p.err().read_all(), "err\n");
    EXPECT_TRUE(p.wait().success());
    EXPECT_EQ(output_of("echo 1; echo 2 >&2; echo 3", {.err = subprocess::merge}), "1\n2\n3\n");
    EXPECT_EQ(output_of("echo lost >&2; echo kept", {.err = subprocess::null}), "kept\n");
    EXPECT_TRUE(subprocess({"sh", "-c", "echo x && echo y >&2"}, {.out = subprocess::null, .err = subprocess::merge})
                    .wait()
                    .success());
}

TEST_F(a_subprocess, takes_given_descriptors_which_stay_the_callers) {
    coir::pipe_fds in = coir::pipe_fds::make();
    coir::pipe_fds out = coir::pipe_fds::make();
    subprocess p({"sh", "-c", "cat; echo err >&2"}, {.in = subprocess::fd(in.read.get()),
                                                     .out = subprocess::fd(out.write.get()),
                                                     .err = subprocess::fd(out.write.get())});
    coir::pipe_writer(std::move(in.write)).write_all("in");
    EXPECT_TRUE(p.wait().success());
    EXPECT_EQ(::write(out.write.get(), "!", 1), 1);
    out.write.reset();
    EXPECT_EQ(coir::pipe_reader(std::move(out.read)).read_all(), "inerr\n!");
}

/// The test's own descriptors 0, 1 and 2, put back at the end.
class saved_stdio {
public:
    saved_stdio() {
        for (int fd = 0; fd < 3; ++fd) saved_[fd] = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
    }
    ~saved_stdio() {
        for (int fd = 0; fd < 3; ++fd) {
            ::dup2(saved_[fd], fd);
            ::close(saved_[fd]);
        }
    }

private:
    int saved_[3];
};

TEST_F(a_subprocess, may_have_stdout_and_stderr_exchanged) {
    coir::pipe_fds first = coir::pipe_fds::make();
    coir::pipe_fds second = coir::pipe_fds::make();
    {
        const saved_stdio mine;
        ::dup2(first.write.get(), 1);
        ::dup2(second.write.get(), 2);
        subprocess p({"sh", "-c", "echo out; echo err >&2"}, {.out = subprocess::fd(2), .err = subprocess::fd(1)});
        p.wait();
    }
    first.write.reset();
    second.write.reset();
    EXPECT_EQ(coir::pipe_reader(std::move(first.read)).read_all(), "err\n");
    EXPECT_EQ(coir::pipe_reader(std::move(second.read)).read_all(), "out\n");
}

TEST_F(a_subprocess, is_right_where_its_parent_has_no_stdio) {
    coir::subprocess_result r;
    {
        const saved_stdio mine;
        for (int fd = 0; fd < 3; ++fd) ::close(fd);
        r = subprocess::run({"sh", "-c", "cat; echo err >&2; ls /proc/$$/fd"}, {.input = "in\n"});
    }
    EXPECT_EQ(r.out, "in\n0\n1\n2\n");
    EXPECT_EQ(r.err, "err\n");
}

TEST_F(a_subprocess, has_the_environment_of_its_parent_with_changes) {
    ::setenv("COIR_KEPT", "1", 1);
    ::setenv("COIR_CHANGED", "1", 1);
    ::setenv("COIR_GONE", "1", 1);
    EXPECT_EQ(output_of("echo $COIR_KEPT $COIR_CHANGED $COIR_GONE $COIR_NEW",
                        {.env = {"COIR_CHANGED=2", "COIR_GONE", "COIR_NEW=a=b"}}),
              "1 2 a=b\n");
    EXPECT_EQ(output_of("echo $COIR_KEPT$COIR_NEW", {.env = {"COIR_NEW=3"}, .clear_env = true}), "3\n");
    EXPECT_EQ(output_of("echo $A", {.env = {"A=1", "A=2"}}), "2\n");
}

TEST_F(a_subprocess, begins_where_it_is_told) {
    EXPECT_EQ(output_of("pwd", {.cwd = "/proc"}), "/proc\n");
    EXPECT_EQ(text_of([] { subprocess p({"true"}, {.cwd = "/nonexistent"}); }),
              "spawn \"true\" in \"/nonexistent\": No such file or directory");
}

TEST_F(a_subprocess, leads_a_group_of_its_own_if_wanted) {
    subprocess mine = start_sleeper();
    EXPECT_EQ(::getpgid(mine.pid()), ::getpgrp());
    subprocess other({"sleep", "1000"}, {.new_group = true});
    EXPECT_EQ(::getpgid(other.pid()), other.pid());
}

/// A line of /proc/self/status.
std::uint64_t mask_of(const std::string& status, const std::string& name) {
    return std::stoull(status.substr(status.find(name + ":\t") + name.size() + 2), nullptr, 16);
}

TEST_F(a_subprocess, has_an_empty_mask_and_default_actions) {
    sigset_t all, former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &former);
    const auto action = ::signal(SIGHUP, SIG_IGN);
    subprocess p({"cat", "/proc/self/status"}, {.out = subprocess::pipe});
    ::signal(SIGHUP, action);
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
    const std::string status = p.out().read_all();
    p.wait();
    EXPECT_EQ(mask_of(status, "SigBlk"), 0u);
    EXPECT_EQ(mask_of(status, "SigIgn") & ~std::uint64_t{0x1'8000'0000}, 0u) << "32 and 33 are the C library's own";
    EXPECT_EQ(mask_of(status, "SigCgt"), 0u);
}

TEST_F(a_subprocess, is_waited_for_by_many_fibers_and_again) {
    subprocess p = start_cat();
    EXPECT_EQ(p.try_wait(), std::nullopt);
    std::vector<coir::task<exit_status>> waiting;
    for (int i = 0; i < 10; ++i) waiting.push_back(coir::spawn([&] { return p.wait(); }));
    for (auto& t : waiting) until_parked(t);
    p.in().close();
    for (auto& t : waiting) EXPECT_TRUE(t.get().success());
    EXPECT_TRUE(p.wait().success());
    EXPECT_TRUE(p.try_wait()->success());
    EXPECT_TRUE(p.wait_for(0s)->success());
}

TEST_F(a_subprocess, is_waited_for_by_many_threads) {
    subprocess p({"sh", "-c", "read x; exit 7"}, {.in = subprocess::pipe});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_EQ(p.wait().code(), 7); });
    auto here = coir::spawn([&] { return p.wait().code(); });
    until_parked(here);
    p.in().close();
    EXPECT_EQ(here.get(), 7);
    for (std::thread& t : threads) t.join();
}

TEST_F(a_subprocess, is_waited_for_with_a_limit_that_is_never_early) {
    subprocess p = start_sleeper();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(p.wait_for(3ms), std::nullopt);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
    EXPECT_EQ(p.wait_for(-1s), std::nullopt);
    EXPECT_EQ(p.wait_until(coir::deadline::after(1ms)), std::nullopt);
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { p.wait(); }); }), "timed_out");
}

TEST_F(a_subprocess, goes_on_when_a_wait_is_cancelled) {
    subprocess p = start_cat();
    auto t = coir::spawn([&] { p.wait(); });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(p.try_wait(), std::nullopt);
    p.in().close();
    EXPECT_TRUE(p.wait().success());
}

TEST_F(a_subprocess, is_no_deadlock) {
    subprocess p({"sleep", "0.1"});
    EXPECT_TRUE(p.wait().success());
}

TEST_F(a_subprocess, can_be_killed_and_asked_to_end) {
    subprocess p = start_sleeper();
    p.kill();
    EXPECT_EQ(p.wait(), exit_status::of_signal(SIGKILL));
    subprocess q = start_sleeper();
    q.terminate();
    EXPECT_EQ(q.wait(), exit_status::of_signal(SIGTERM));
    subprocess r = start_sleeper();
    r.kill(0);
    r.kill(SIGUSR1);
    EXPECT_EQ(r.wait().signal(), SIGUSR1);
}

TEST_F(a_subprocess, that_ignores_sigterm_is_killed_by_its_destructor) {
    subprocess p({"sh", "-c", "trap '' TERM; echo ready; exec sleep 1000"}, {.out = subprocess::pipe});
    char buffer[16];
    EXPECT_EQ(p.out().read_some(buffer), 6u);
    p.terminate();
    EXPECT_EQ(p.wait_for(20ms), std::nullopt);
}

TEST_F(a_subprocess, that_has_ended_is_signalled_in_vain) {
    subprocess p({"true"});
    p.wait();
    p.kill();
    p.terminate();
    EXPECT_TRUE(p.wait().success());
    EXPECT_EQ(failure_of([&] { start_sleeper().kill(12345); }), std::errc::invalid_argument);
}

TEST_F(a_subprocess, is_moved) {
    subprocess p = start_cat();
    const pid_t pid = p.pid();
    auto waiting = coir::spawn([&] { return p.wait(); });
    until_parked(waiting);
    subprocess q = std::move(p);
    EXPECT_FALSE(p);
    EXPECT_EQ(q.pid(), pid);
    q.in().close();
    EXPECT_TRUE(waiting.get().success());
    q = start_sleeper();  // what it held is gone by then
    const pid_t running = q.pid();
    q = subprocess();
    EXPECT_EQ(::kill(running, 0), -1);
}

TEST_F(a_subprocess, misused_says_so) {
    EXPECT_EQ(thrown_by([] { subprocess().wait(); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess().kill(); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { (void)subprocess().pid(); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess({"true"}).in(); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess({"true"}).out(); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess({"true"}).err(); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess p(std::vector<std::string>{}); }), "fiber_error");
    EXPECT_EQ(text_of([] {
                  subprocess p({"echo", std::string("a\0b", 3)});
              }),
              "subprocess: a NUL inside an argument: \"a\"");
    EXPECT_EQ(thrown_by([] { subprocess p({"true"}, {.env = {std::string("A=\0", 3)}}); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess p({"true"}, {.env = {"=1"}}); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess p({"true"}, {.cwd = std::string("/\0", 2)}); }), "fiber_error");
    EXPECT_EQ(thrown_by([] { subprocess p({"true"}, {.out = subprocess::merge}); }), "fiber_error");
    EXPECT_EQ(failure_of([] { subprocess p({"true"}, {.out = subprocess::fd(9999)}); }),
              std::errc::bad_file_descriptor);
    EXPECT_EQ(failure_of([] { subprocess p({"true"}, {.out = subprocess::fd(-1)}); }), std::errc::bad_file_descriptor);
}

TEST_F(a_subprocess, that_does_not_exist_or_may_not_run_is_named) {
    EXPECT_EQ(text_of([] {
                  subprocess p({"no-such-program", "x"}, {.in = subprocess::pipe, .out = subprocess::pipe});
              }),
              "spawn \"no-such-program\": No such file or directory");
    EXPECT_EQ(text_of([] { subprocess p({"/etc/passwd"}); }), "spawn \"/etc/passwd\": Permission denied");
    EXPECT_EQ(failure_of([] { subprocess p({""}); }), std::errc::no_such_file_or_directory);
}

}  // namespace
