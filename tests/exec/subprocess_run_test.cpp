#include <coir/coir.hpp>

#include "exec/leftovers.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using coir::subprocess;
using exec_tests::noise;
using exec_tests::text_of;
using task_tests::thrown_by;
using task_tests::until_parked;
using running = exec_tests::clean_test;

TEST_F(running, feeds_and_collects) {
    const std::string text = "b\na\nc\n";
    const auto r = subprocess::run({"sort", "-r"}, {.input = text, .timeout = 1h});
    EXPECT_EQ(r.out, "c\nb\na\n");
    EXPECT_EQ(r.err, "");
    EXPECT_TRUE(r.status.success());
}

TEST_F(running, keeps_out_and_err_apart_or_merged) {
    const auto r = subprocess::run({"sh", "-c", "echo out; echo err >&2; exit 4"});
    EXPECT_EQ(r.out, "out\n");
    EXPECT_EQ(r.err, "err\n");
    EXPECT_EQ(r.status.code(), 4);
    const auto merged = subprocess::run({"sh", "-c", "echo out; echo err >&2"}, {.merge_err = true});
    EXPECT_EQ(merged.out, "out\nerr\n");
    EXPECT_EQ(merged.err, "");
}

TEST_F(running, without_input_reads_the_end) { EXPECT_TRUE(subprocess::run({"cat"}).status.success()); }

TEST_F(running, passes_on_environment_folder_and_group) {
    const char* script =
        "echo $COIR; pwd; read -r pid name state parent group rest < /proc/$$/stat;"
        "[ $group = $$ ] && echo leads";
    const auto r = subprocess::run({"sh", "-c", script}, {.env = {"COIR=1"}, .cwd = "/proc", .new_group = true});
    EXPECT_EQ(r.out, "1\n/proc\nleads\n");
}

TEST_F(running, carries_ten_megabytes_both_ways) {
    const std::string data = noise(exec_tests::ten_megabytes);
    const auto r = subprocess::run({"sh", "-c", "tee /dev/stderr"}, {.input = data});
    EXPECT_TRUE(r.out == data);
    EXPECT_TRUE(r.err == data);
}

TEST_F(running, holds_up_no_other_fiber) {
    auto other = coir::spawn([] { return subprocess::run({"sh", "-c", "sleep 0.05; echo slow"}).out; });
    EXPECT_EQ(subprocess::run({"echo", "quick"}).out, "quick\n");
    EXPECT_FALSE(other.done());
    EXPECT_EQ(other.get(), "slow\n");
}

TEST_F(running, many_at_once) {
    coir::task_group group({.limit = 20});
    for (int i = 0; i < 200; ++i) {
        group.spawn([i] {
            const std::string text = std::to_string(i);
            EXPECT_EQ(subprocess::run({"cat"}, {.input = text}).out, text);
        });
    }
    group.join();
}

TEST_F(running, on_several_threads) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([t] {
            const std::string text = std::to_string(t);
            for (int i = 0; i < 25; ++i) EXPECT_EQ(subprocess::run({"cat"}, {.input = text}).out, text);
        });
    }
    for (std::thread& t : threads) t.join();
}

TEST_F(running, minds_no_input_that_is_not_read) {
    const std::string much(1'000'000, 'x');
    EXPECT_TRUE(subprocess::run({"true"}, {.input = much}).status.success());
    EXPECT_EQ(subprocess::run({"sh", "-c", "exec <&-; echo deaf"}, {.input = much}).out, "deaf\n");
    EXPECT_EQ(subprocess::run({"head", "-c", "3"}, {.input = much}).out, "xxx");
}

TEST_F(running, takes_no_more_output_than_it_may) {
    EXPECT_EQ(subprocess::run({"printf", "12345"}, {.max_output = 5}).out, "12345");
    EXPECT_EQ(text_of([] {
                  subprocess::run({"printf", "123456"}, {.max_output = 5});
              }),
              "more than 5 bytes came through a pipe");
    EXPECT_NE(text_of([] { subprocess::run({"yes"}, {.max_output = 1'000'000}); }), "");
    EXPECT_NE(text_of([] { subprocess::run({"sh", "-c", "yes >&2"}, {.max_output = 1'000'000}); }), "");
}

/// Children that never end, each at another stage of a run.
struct stage {
    const char* name;
    const char* script;
    std::size_t input;
    std::size_t fibers;  // this thread's, when it has been reached; main and the one that runs among them
};
const stage stages[] = {
    {"writing", "exec sleep 1000", 1'000'000, 5},
    {"reading", "exec sleep 1000", 0, 4},
    {"reading_err", "exec sleep 1000 >&-", 0, 3},
    {"waiting", "exec sleep 1000 >&- 2>&-", 0, 2},
    {"writing_only", "exec sleep 1000 >&- 2>&-", 1'000'000, 3},
    {"flooded", "exec yes", 0, 4},
};
void PrintTo(const stage& s, std::ostream* to) { *to << s.name; }

std::size_t live_fibers() {
    const std::string lines = coir::hub::current().describe_fibers();
    return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
}

class at_each : public exec_tests::clean_test, public ::testing::WithParamInterface<stage> {
protected:
    void run(coir::time_span limit = coir::time_span::forever()) const {
        const std::string input(GetParam().input, 'x');
        subprocess::run({"sh", "-c", GetParam().script}, {.input = input, .timeout = limit});
    }
};
INSTANTIATE_TEST_SUITE_P(stage, at_each, ::testing::ValuesIn(stages),
                         [](const auto& of) { return std::string(of.param.name); });

TEST_P(at_each, the_child_is_killed_when_its_time_is_over) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(text_of([&] { run(30ms); }), "\"sh\" ran for too long");
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
    EXPECT_EQ(thrown_by([&] { run(0ms); }), "timed_out");
}

TEST_P(at_each, the_limit_counts_under_a_shield) {
    const coir::shield mask;
    EXPECT_EQ(thrown_by([&] { run(30ms); }), "timed_out");
}

TEST_P(at_each, an_outer_timeout_kills_the_child) {
    coir::timeout outer(30ms);
    try {
        run(1h);
        FAIL();
    } catch (const coir::timed_out& e) {
        EXPECT_TRUE(outer.owns(e));
    }
}

TEST_P(at_each, a_cancellation_kills_the_child) {
    auto t = coir::spawn([&] { run(); });
    until_parked(t);
    while (live_fibers() != GetParam().fibers) coir::this_fiber::sleep_for(1ms);
    t.cancel();
    t.join();
    EXPECT_TRUE(t.was_cancelled());
}

TEST_F(running, cancelled_after_any_number_of_steps_leaves_nothing) {
    const std::string input(200'000, 'x');
    for (int steps = 0; steps < 40; ++steps) {
        auto t = coir::spawn([&] { subprocess::run({"cat"}, {.input = input}); });
        task_tests::yield_times(steps);
        t.cancel();
        t.join();
        EXPECT_TRUE(t.was_cancelled() || steps > 0);
    }
}

/// Kills a process that is not our child.
void kill_stranger(const std::filesystem::path& file) {
    pid_t pid = 0;
    std::ifstream(file) >> pid;
    ASSERT_GT(pid, 1);
    EXPECT_EQ(::kill(pid, SIGKILL), 0);
}

TEST_F(running, waits_for_those_that_the_child_leaves_behind_but_not_beyond_its_time) {
    const auto file = std::filesystem::path(::testing::TempDir()) / ("coir_grandchild_" + std::to_string(::getpid()));
    const std::string script = "sleep 1000 & echo $! > " + file.string();
    EXPECT_EQ(thrown_by([&] { subprocess::run({"sh", "-c", script}, {.timeout = 300ms}); }), "timed_out");
    kill_stranger(file);
    {
        subprocess p({"sh", "-c", script}, {.out = subprocess::pipe});
        EXPECT_TRUE(p.wait().success());
        auto reading = coir::spawn([&] { return p.out().read_all(); });
        until_parked(reading);
        kill_stranger(file);
        EXPECT_EQ(reading.get(), "");
    }
    std::filesystem::remove(file);
}

}  // namespace
