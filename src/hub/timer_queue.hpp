// The timers of one hub: a radix heap.
//
// `last_` is a time that never runs ahead of the clock. A timer stands in the bucket of the highest bit in which its
// deadline differs from `last_`, so that arming and cancelling are a few instructions whatever the number of timers:
// most timeouts are cancelled. When the lowest bucket becomes due, `last_` moves to that bucket's start and its timers
// move to lower buckets, at most 63 times in a life. The order is exact: by deadline, then first armed first.
#pragma once

#include <coir/hub/detail/timer.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace coir::detail {

class timer_queue {
public:
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    /// A deadline in the past is due at once. Requires that it is not armed and that due != never.
    void arm(timer& t, std::int64_t due) noexcept {
        t.due = due < last_ ? last_ : due;
        place(t);
        ++size_;
    }

    /// Requires that it is armed.
    void cancel(timer& t) noexcept {
        take_out(t);
        --size_;
    }

    /// Takes the earliest timer whose deadline is not after `now`; null when there is none. `now` never goes back.
    timer* pop_due(std::int64_t now) noexcept {
        while (occupied_ != 0) {
            const auto lowest = static_cast<unsigned>(std::countr_zero(occupied_));
            if (lowest == 0) {
                timer& first = buckets_[0].list.front();
                cancel(first);
                return &first;
            }
            const std::int64_t start = earliest_in(lowest);
            if (start > now) return nullptr;
            last_ = start;
            spread(lowest);
        }
        return nullptr;
    }

    /// When pop_due is worth calling again: the next deadline, or a little before it; never when empty.
    std::int64_t next_due() noexcept {
        if (occupied_ == 0) return never;
        return earliest_in(static_cast<unsigned>(std::countr_zero(occupied_)));
    }

    std::size_t size() const noexcept { return size_; }

    /// From now on times may come that are before those of the past.
    void turn_back() noexcept {
        intrusive_list<timer> all;
        for (bucket& b : buckets_) {
            all.splice_back(b.list);
            b.count = 0;
        }
        occupied_ = 0;
        last_ = 0;
        while (timer* t = all.pop_front()) place(*t);
    }

    template <class Predicate>
    void cancel_if(Predicate unwanted) noexcept {
        for (bucket& b : buckets_) {
            for (auto it = b.list.begin(); it != b.list.end();) {
                timer& t = *it;
                ++it;
                if (unwanted(t)) cancel(t);
            }
        }
    }

private:
    struct bucket {
        intrusive_list<timer> list;
        std::size_t count = 0;
    };

    /// Where it belongs, and also where it stands: when `last_` moves, it does so within the bits of the lowest bucket, and
    /// that one is spread.
    unsigned bucket_of(const timer& t) const noexcept {
        return static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(t.due ^ last_)));
    }

    void place(timer& t) noexcept {
        const unsigned index = bucket_of(t);
        buckets_[index].list.push_back(t);
        ++buckets_[index].count;
        occupied_ |= std::uint64_t{1} << index;
    }

    void take_out(timer& t) noexcept {
        const unsigned index = bucket_of(t);
        t.unlink();
        if (--buckets_[index].count == 0) occupied_ &= ~(std::uint64_t{1} << index);
    }

    /// Exact for a few timers; for many the bucket's start, which is not later.
    std::int64_t earliest_in(unsigned index) noexcept {
        constexpr std::size_t few = 8;
        bucket& b = buckets_[index];
        if (index == 0) return last_;
        if (b.count > few) return ((last_ >> (index - 1)) | 1) << (index - 1);
        std::int64_t earliest = never;
        for (timer& t : b.list) earliest = t.due < earliest ? t.due : earliest;
        return earliest;
    }

    void spread(unsigned index) noexcept {
        bucket& from = buckets_[index];
        from.count = 0;
        occupied_ &= ~(std::uint64_t{1} << index);
        intrusive_list<timer> moving;
        moving.splice_back(from.list);
        while (timer* t = moving.pop_front()) place(*t);
    }

    std::int64_t last_ = 0;
    std::uint64_t occupied_ = 0;  // bit i: bucket i is not empty
    std::size_t size_ = 0;
    std::array<bucket, 64> buckets_;
};

}  // namespace coir::detail
