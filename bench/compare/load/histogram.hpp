// Latencies in logarithmic buckets: constant memory, at most 0.8 % off.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace load {

class histogram {
public:
    void add(std::int64_t nanoseconds) noexcept {
        ++counts_[index_of(static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0)))];
        ++total_;
    }

    /// The middle of the bucket below which the given share of all values lies; 0 when there are none.
    double percentile_us(double share) const noexcept {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen > wanted) return middle_of(i) / 1000;
        }
        return 0;
    }

    void clear() noexcept { *this = {}; }

private:
    // Values below `linear` have a bucket each; above, each power of two is cut into `linear / 2` buckets.
    static constexpr unsigned linear_bits = 7;
    static constexpr std::uint64_t linear = 1u << linear_bits;
    static constexpr unsigned most_bits = 40;  // 18 minutes

    static std::size_t index_of(std::uint64_t value) noexcept {
        value = std::min(value, (std::uint64_t{1} << most_bits) - 1);
        const auto bits = static_cast<unsigned>(std::bit_width(value));
        if (bits <= linear_bits) return value;
        const unsigned shift = bits - linear_bits;
        return shift * (linear / 2) + (value >> shift);
    }

    static double middle_of(std::size_t index) noexcept {
        if (index < linear) return static_cast<double>(index);
        const auto shift = static_cast<unsigned>(index / (linear / 2) - 1);
        const std::uint64_t first = (index - shift * (linear / 2)) << shift;
        return static_cast<double>(first) + static_cast<double>((std::uint64_t{1} << shift) - 1) / 2;
    }

    std::array<std::uint64_t, (most_bits - linear_bits + 2) * (linear / 2)> counts_{};
    std::uint64_t total_ = 0;
};

}  // namespace load
