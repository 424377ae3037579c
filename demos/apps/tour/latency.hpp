// Counts durations in buckets that are 3 % wide, so that a percentile costs a few kilobytes for any number of
// them.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tour {

class latency_histogram {
public:
    void add(std::chrono::nanoseconds time) noexcept {
        ++buckets_[bucket_of(static_cast<std::uint64_t>(time.count()))];
        ++count_;
    }
    std::uint64_t count() const noexcept { return count_; }

    /// The time within which this part of them, from 0 to 1, came; zero when there is none.
    std::chrono::nanoseconds percentile(double part) const noexcept {
        auto left = static_cast<std::uint64_t>(part * static_cast<double>(count_));
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            if (buckets_[i] > left) return std::chrono::nanoseconds(upper_end(i));
            left -= buckets_[i];
        }
        return {};
    }

private:
    static constexpr unsigned fine_bits = 5;  // 32 buckets for each power of two
    static constexpr std::uint64_t fine = 1u << fine_bits;

    /// The first bits of the number, and how many follow.
    static std::size_t bucket_of(std::uint64_t ns) noexcept {
        if (ns < fine) return ns;
        const auto shift = static_cast<unsigned>(std::bit_width(ns)) - fine_bits - 1;
        return shift * fine + (ns >> shift);
    }
    static std::int64_t upper_end(std::size_t bucket) noexcept {
        if (bucket < 2 * fine) return static_cast<std::int64_t>(bucket);
        const std::uint64_t shift = bucket / fine - 1;
        return static_cast<std::int64_t>(((bucket % fine + fine + 1) << shift) - 1);
    }

    std::array<std::uint64_t, 60 * fine> buckets_{};
    std::uint64_t count_ = 0;
};

}  // namespace tour
