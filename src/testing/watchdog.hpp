// Ends a test whose time is over, by real time, from a thread of its own.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/hub/hub.hpp>
#include <coir/task/task.hpp>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace coir::testing::detail {

class watchdog {
public:
    /// Cancels the task when the time is over; ends the process if that does not end it.
    watchdog(time_span limit, task<void> watched);
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog();

    bool has_barked() const noexcept { return has_barked_; }
    /// What the fibers were waiting for.
    const std::string& report() const noexcept { return report_; }

private:
    void watch();
    void bark();
    bool wait(std::unique_lock<std::mutex>& lock, time_span span);

    const time_span limit_;
    const task<void> watched_;
    const hub hub_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool has_ended_ = false;
    // Of the watched thread:
    bool has_barked_ = false;
    std::string report_;
    std::thread thread_;
};

}  // namespace coir::testing::detail
