// Timers and nothing else: a hierarchical wheel of intrusive lists.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

/// A link of a ring, its own at first.
struct list_link {
    list_link* next = this;
    list_link* previous = this;

    void unlink() {
        next->previous = previous;
        previous->next = next;
        next = previous = this;
    }
    void insert_before(list_link& place) {
        next = &place;
        previous = place.previous;
        previous->next = this;
        place.previous = this;
    }
    bool is_linked() const { return next != this; }
};

struct wheel_timer : list_link {
    std::uint64_t due = 0;  // in ticks
};

/// Six bits of the time per level. A timer stands on the level of the highest bits in which it differs from now.
class wheel {
public:
    static constexpr std::uint64_t tick_ns = 1 << 16;

    explicit wheel(std::uint64_t now_ns) : now_(now_ns / tick_ns) {}

    /// Rounded up, never early.
    void arm(wheel_timer& t, std::uint64_t due_ns) {
        t.due = (due_ns + tick_ns - 1) / tick_ns;
        place(t);
    }
    void cancel(wheel_timer& t) { t.unlink(); }

    /// Goes on to `now_ns`, calling expire(timer) for each that is due.
    template <class Expire>
    void advance(std::uint64_t now_ns, Expire expire) {
        for (const std::uint64_t end = now_ns / tick_ns; now_ < end;) {
            ++now_;
            for (int level = std::min(std::countr_zero(now_) / 6, levels - 1); level > 0; --level) cascade(level);
            list_link& due = slots_[0][now_ & 63];
            while (due.is_linked()) {
                auto& t = static_cast<wheel_timer&>(*due.next);
                t.unlink();
                expire(t);
            }
        }
    }

private:
    static constexpr int levels = 8;

    void place(wheel_timer& t) {
        if (t.due <= now_) t.due = now_ + 1;
        const int level = (63 - std::countl_zero(t.due ^ now_)) / 6;
        t.insert_before(slots_[static_cast<std::size_t>(level)][t.due >> (6 * level) & 63]);
    }

    /// Timers of the slot that has become the present one: to where they stand now, or, due in this very tick, to it.
    void cascade(int level) {
        list_link& slot = slots_[static_cast<std::size_t>(level)][now_ >> (6 * level) & 63];
        while (slot.is_linked()) {
            auto& t = static_cast<wheel_timer&>(*slot.next);
            t.unlink();
            if (t.due == now_) {
                t.insert_before(slots_[0][now_ & 63]);
            } else {
                place(t);
            }
        }
    }

    std::uint64_t now_;
    std::array<std::array<list_link, 64>, levels> slots_;
};
