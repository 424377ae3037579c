#include <coir/testing/leftovers.hpp>

#include "hub/deadlock.hpp"
#include "hub/foreign_watch.hpp"
#include "hub/hub_core.hpp"

#include <coir/task/this_fiber.hpp>

#include <fmt/format.h>

#include <dirent.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

namespace coir::testing {

namespace {

using namespace std::chrono_literals;
using detail::hub_core;

/// What each open descriptor is, as the kernel names it.
std::map<int, std::string> open_descriptors() {
    std::map<int, std::string> found;
    DIR* const folder = ::opendir("/proc/self/fd");
    if (!folder) return found;
    while (const dirent* entry = ::readdir(folder)) {
        const int fd = std::atoi(entry->d_name);
        char target[256];
        const ssize_t length = ::readlinkat(::dirfd(folder), entry->d_name, target, sizeof target);
        if (length > 0 && fd != ::dirfd(folder))
            found.emplace(fd, std::string(target, static_cast<std::size_t>(length)));
    }
    ::closedir(folder);
    return found;
}

void wait_for_helpers() {
    const auto limit = deadline::after(1s);
    while (detail::helper_job::count() != 0 && !limit.expired()) this_fiber::sleep_for(1ms);
}

std::string lines_of_fibers(hub_core& hub) {
    return hub.thread().fibers.empty() ? "" : "fibers are left over:\n" + hub.describe_fibers();
}

}  // namespace

leftovers::leftovers()
    : stacks_(hub_core::current().thread().stacks.in_use()),
      timers_(hub_core::current().timers().size()),
      descriptors_(open_descriptors()) {}

std::string leftovers::describe() const {
    wait_for_helpers();
    hub_core& hub = hub_core::current();
    std::string text = lines_of_fibers(hub);
    const auto count = [&](const char* what, std::size_t now, std::size_t before) {
        if (now > before) text += fmt::format("{} {} left over\n", now - before, what);
    };
    count("stacks are", hub.thread().stacks.in_use(), stacks_);
    count("timers are", hub.timers().size(), timers_);
    count("waits for descriptors are", hub.fd_waiters, 0);
    count("watched descriptors are", hub.foreign_watches.size(), 0);
    for (const auto& [fd, target] : open_descriptors()) {
        const auto before = descriptors_.find(fd);
        if (before == descriptors_.end() || before->second != target)
            text += fmt::format("descriptor {} is left over: {}\n", fd, target);
    }
    return text;
}

}  // namespace coir::testing
