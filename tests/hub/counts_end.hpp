#pragma once

#include <atomic>
#include <utility>

namespace hub_tests {

/// Counts what is destroyed.
struct counts_end {
    explicit counts_end(std::atomic<int>& n) : ended(&n) {}
    counts_end(counts_end&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
    ~counts_end() {
        if (ended) ++*ended;
    }
    std::atomic<int>* ended;
};

}  // namespace hub_tests
