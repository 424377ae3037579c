// fiber::switch_to in a ring.
#include <coir/fiber.hpp>

#include <cfenv>
#include <vector>

#include "../common/frames.hpp"
#include "works.hpp"

namespace {

enum class kind { shallow, deep, deep_with_flags };

/// Fibers of which each switches to the next; the last of a round goes home.
struct ring {
    explicit ring(std::size_t n) : fibers(n) {}

    template <kind Kind>
    void fill() {
        std::feclearexcept(FE_ALL_EXCEPT);
        for (std::size_t i = 0; i < fibers.size(); ++i) fibers[i] = coir::fiber([this, i] { circle<Kind>(i); });
    }

    template <kind Kind>
    void circle(std::size_t i) {
        const coir::fiber& next = fibers[i + 1 == fibers.size() ? 0 : i + 1];
        const bool is_inexact = Kind == kind::deep_with_flags && i % 2 == 0;
        volatile double three = 3, third;
        auto hop = [&] {
            ++hops;
            if (is_inexact) third = 1.0 / three;
            if (--left == 0) {
                resume = &next;
                home.switch_to();
            } else {
                next.switch_to();
            }
        };
        for (;;) {
            if constexpr (Kind == kind::shallow) {
                hop();
            } else {
                measure::three_frames_deep(hop);
            }
        }
    }

    long run(long n) {
        const long before = hops;
        left = n;
        resume->switch_to();
        return hops - before;
    }

    const coir::fiber home = coir::fiber::current();
    std::vector<coir::fiber> fibers;
    const coir::fiber* resume = fibers.data();
    long left = 0;
    long hops = 0;
};

/// Two fibers that are at different places: the main one, and one of its own. Each switches to the other.
measure::outcome pair_of_places(const measure::plan& p) {
    const coir::fiber home = coir::fiber::current();
    long hops = 0;
    const coir::fiber other([&] {
        auto back = [&] {
            ++hops;
            home.switch_to();
        };
        for (;;) measure::three_frames_deep(back);
    });
    auto there = [&] {
        ++hops;
        other.switch_to();
    };
    return p.repeat(p.size, [&](long n) {
        const long before = hops;
        for (; n > 0; n -= 2) measure::three_frames_deep(there);
        return hops - before;
    });
}

template <kind Kind>
measure::outcome measured(const measure::plan& p) {
    ring r(static_cast<std::size_t>(p.size));
    r.fill<Kind>();
    return p.repeat(p.size, [&](long n) { return r.run(n); });
}

}  // namespace

measure::outcome switch_ring(const measure::plan& p) { return measured<kind::shallow>(p); }
measure::outcome switch_deep(const measure::plan& p) { return measured<kind::deep>(p); }
measure::outcome switch_pair(const measure::plan& p) { return pair_of_places(p); }
measure::outcome switch_flags(const measure::plan& p) { return measured<kind::deep_with_flags>(p); }
