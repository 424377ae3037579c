#include <coir/exec/pipe.hpp>
#include <coir/task.hpp>

#include "exec/leftovers.hpp"

#include <array>
#include <optional>
#include <thread>

namespace {

using namespace std::chrono_literals;
using exec_tests::failure_of;
using exec_tests::noise;
using task_tests::thrown_by;
using task_tests::until_parked;
using a_pipe = exec_tests::clean_test;

struct both_ends {
    both_ends() : both_ends(coir::pipe_fds::make()) {}
    explicit both_ends(coir::pipe_fds fds) : reader(std::move(fds.read)), writer(std::move(fds.write)) {}

    coir::pipe_reader reader;
    coir::pipe_writer writer;
};

/// More than a pipe holds.
const std::string much(1'000'000, 'x');

TEST_F(a_pipe, carries_what_is_written_and_then_its_end) {
    both_ends p;
    p.writer.write_all("hello ");
    EXPECT_EQ(p.writer.write_some("world"), 5u);
    std::array<char, 6> first;
    EXPECT_EQ(p.reader.read_some(first), 6u);
    EXPECT_EQ(std::string_view(first.data(), first.size()), "hello ");
    p.writer.close();
    EXPECT_EQ(p.reader.read_all(), "world");
    EXPECT_EQ(p.reader.read_some(first), 0u);
    EXPECT_EQ(p.reader.read_all(), "");
}

TEST_F(a_pipe, parks_a_reader_until_there_is_something) {
    both_ends p;
    auto t = coir::spawn([&] { return p.reader.read_all(); });
    until_parked(t);
    p.writer.write_all("a");
    until_parked(t);
    p.writer.write_all("b");
    p.writer.close();
    EXPECT_EQ(t.get(), "ab");
}

TEST_F(a_pipe, carries_ten_megabytes_whichever_side_is_slower) {
    both_ends p;
    const std::string data = noise(exec_tests::ten_megabytes);
    auto writer = coir::spawn([&] {
        p.writer.write_all(data);
        p.writer.close();
    });
    std::string got;
    std::array<char, 100'000> block;
    for (std::size_t n, step = 1; (n = p.reader.read_some({block.data(), step})) != 0; step = step % 100'000 + 1'013) {
        got.append(block.data(), n);
        if (step > 90'000) coir::this_fiber::yield();
        step = std::min<std::size_t>(step, 98'000);
    }
    EXPECT_TRUE(got == data);
    writer.get();
}

TEST_F(a_pipe, works_between_two_hubs) {
    both_ends p;
    const std::string data = noise(exec_tests::ten_megabytes);
    std::thread other([&] {
        p.writer.write_all(data);
        p.writer.close();
    });
    EXPECT_TRUE(p.reader.read_all() == data);
    other.join();
}

TEST_F(a_pipe, without_a_reader_is_epipe_and_never_sigpipe) {
    both_ends p;
    p.reader.close();
    EXPECT_EQ(failure_of([&] { p.writer.write_some("x"); }), std::errc::broken_pipe);
    EXPECT_EQ(failure_of([&] { p.writer.write_all("x"); }), std::errc::broken_pipe);
}

TEST_F(a_pipe, that_loses_its_reader_wakes_the_writer_with_epipe) {
    both_ends p;
    auto t = coir::spawn([&] { p.writer.write_all(much); });
    until_parked(t);
    p.reader.close();
    EXPECT_EQ(failure_of([&] { t.get(); }), std::errc::broken_pipe);
}

TEST_F(a_pipe, leaves_a_sigpipe_alone_that_was_pending_before) {
    both_ends p;
    p.reader.close();
    sigset_t sigpipe, former;
    ::sigemptyset(&sigpipe);
    ::sigaddset(&sigpipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &sigpipe, &former);
    ::raise(SIGPIPE);
    EXPECT_EQ(failure_of([&] { p.writer.write_some("x"); }), std::errc::broken_pipe);
    EXPECT_TRUE(exec_tests::is_sigpipe_pending());
    EXPECT_TRUE(exec_tests::is_sigpipe_blocked());
    const timespec at_once{};
    EXPECT_EQ(::sigtimedwait(&sigpipe, nullptr, &at_once), SIGPIPE);
    EXPECT_EQ(failure_of([&] { p.writer.write_some("x"); }), std::errc::broken_pipe);
    EXPECT_FALSE(exec_tests::is_sigpipe_pending());
    EXPECT_TRUE(exec_tests::is_sigpipe_blocked());
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
}

TEST_F(a_pipe, raises_no_sigpipe_for_a_handler_or_where_it_is_ignored_either) {
    both_ends p;
    p.reader.close();
    static int calls = 0;
    const auto former = ::signal(SIGPIPE, [](int) { ++calls; });
    EXPECT_EQ(failure_of([&] { p.writer.write_some("x"); }), std::errc::broken_pipe);
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(failure_of([&] { p.writer.write_some("x"); }), std::errc::broken_pipe);
    ::signal(SIGPIPE, former);
    EXPECT_EQ(calls, 0);
}

TEST_F(a_pipe, cancelled_reads_lose_nothing) {
    both_ends p;
    std::array<char, 16> buffer;
    auto t = coir::spawn([&] { p.reader.read_some(buffer); });
    until_parked(t);
    t.cancel();
    p.writer.write_all("kept");
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(p.reader.read_some(buffer), 4u);
}

TEST_F(a_pipe, cancelled_and_limited_writes_end) {
    both_ends p;
    auto t = coir::spawn([&] { p.writer.write_all(much); });
    until_parked(t);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
    EXPECT_EQ(thrown_by([&] { coir::wait_for(1ms, [&] { p.writer.write_all(much); }); }), "timed_out");
}

TEST_F(a_pipe, closed_by_another_fiber_wakes_who_waits_with_an_error) {
    both_ends p;
    auto reading = coir::spawn([&] { p.reader.read_all(); });
    until_parked(reading);
    p.reader.close();
    EXPECT_EQ(failure_of([&] { reading.get(); }), std::errc::bad_file_descriptor);
    both_ends q;
    auto writing = coir::spawn([&] { q.writer.write_all(much); });
    until_parked(writing);
    std::thread other([&] { q.writer.close(); });
    EXPECT_EQ(failure_of([&] { writing.get(); }), std::errc::bad_file_descriptor);
    other.join();
}

TEST_F(a_pipe, destroyed_or_moved_while_a_fiber_waits_is_closed_for_it) {
    auto p = std::make_optional<both_ends>();
    auto t = coir::spawn([&] { p->reader.read_all(); });
    until_parked(t);
    coir::pipe_reader moved = std::move(p->reader);
    EXPECT_TRUE(moved.is_open());
    EXPECT_FALSE(p->reader.is_open());
    moved = coir::pipe_reader();
    EXPECT_EQ(failure_of([&] { t.get(); }), std::errc::bad_file_descriptor);
    p.reset();
}

TEST_F(a_pipe, that_is_closed_or_empty_says_so) {
    both_ends p;
    p.reader.close();
    p.reader.close();
    p.writer.close();
    std::array<char, 4> buffer;
    EXPECT_EQ(failure_of([&] { p.reader.read_some(buffer); }), std::errc::bad_file_descriptor);
    EXPECT_EQ(failure_of([&] { p.reader.read_all(); }), std::errc::bad_file_descriptor);
    EXPECT_EQ(failure_of([&] { p.writer.write_all("x"); }), std::errc::bad_file_descriptor);
    EXPECT_EQ(p.writer.native_handle(), -1);
    coir::pipe_writer empty;
    EXPECT_FALSE(empty.is_open());
    EXPECT_EQ(failure_of([&] { empty.write_some("x"); }), std::errc::bad_file_descriptor);
    EXPECT_EQ(failure_of([] { coir::pipe_reader not_open{coir::unique_fd(9999)}; }), std::errc::bad_file_descriptor);
}

TEST_F(a_pipe, read_all_takes_no_more_than_its_limit) {
    both_ends p;
    p.writer.write_all("12345");
    p.writer.close();
    both_ends q;
    q.writer.write_all("123456");
    q.writer.close();
    EXPECT_EQ(p.reader.read_all(5), "12345");
    EXPECT_EQ(exec_tests::text_of([&] { q.reader.read_all(5); }), "more than 5 bytes came through a pipe");
}

TEST_F(a_pipe, its_writes_are_not_disturbed_by_interrupts) {
    static int left;
    left = 3;
    coir::detail::sys.write = [](int fd, const void* data, size_t size) -> ssize_t {
        if (left-- > 0) return errno = EINTR, -1;
        return ::write(fd, data, size);
    };
    both_ends p;
    p.writer.write_all("x");
    p.writer.close();
    EXPECT_EQ(p.reader.read_all(), "x");
}

TEST_F(a_pipe, needs_descriptors) {
    coir::detail::sys.pipe2 = [](int*, int) { return errno = EMFILE, -1; };
    EXPECT_EQ(failure_of([] { (void)coir::pipe_fds::make(); }), std::errc::too_many_files_open);
}

}  // namespace
