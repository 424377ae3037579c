// What the tests of this floor share.
#pragma once

#include <coir/sync.hpp>
#include <coir/task.hpp>
#include <coir/testing.hpp>

#include "task/leftovers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sync_tests {

using coir::testing::run_until_parked;
using coir::testing::virtual_clock;
using coir::this_fiber::yield;
using task_tests::thrown_by;
using task_tests::until_parked;

using tasks = std::vector<coir::task<void>>;

/// Tasks that come to wait in the order of their numbers, in whatever order fibers run: each starts when the one
/// before is parked.
template <class Body>
tasks line_up(int count, Body body) {
    tasks all;
    for (int i = 0; i < count; ++i) {
        all.push_back(coir::spawn([body, i] { body(i); }));
        until_parked(all.back());
    }
    return all;
}

inline void get_all(tasks& all) {
    for (auto& t : all) t.get();
}

inline std::size_t count_done(const tasks& all) {
    return static_cast<std::size_t>(std::ranges::count_if(all, [](const auto& t) { return t.done(); }));
}

/// Of the seed that decides about the order of the fibers, so that each of a thousand runs throws differently.
inline std::mt19937 dice() {
    return std::mt19937(static_cast<std::mt19937::result_type>(coir::testing::current_seed().value_or(1)));
}

/// The text of the error that `call` throws; "" if it throws none of that type.
template <class Error, class Call>
std::string text_of(Call call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    }
    return {};
}

/// What `call` throws in a task of that name.
template <class Call>
std::string misuse_in(const char* name, Call call) {
    return coir::spawn({.name = name}, [&] { return text_of<coir::fiber_error>(call); }).get();
}

/// What `call` throws in a function that is posted to the hub, where nothing may suspend.
template <class Call>
std::string thrown_when_posted(Call call) {
    std::string thrown;
    bool has_run = false;
    coir::hub::current().post([&] {
        thrown = thrown_by(call);
        has_run = true;
    });
    while (!has_run) yield();
    return thrown;
}

}  // namespace sync_tests
