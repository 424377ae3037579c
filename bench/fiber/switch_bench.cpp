// A switch by fiber::switch_to, beside the bare calls of Boost.Context that it stands on.
#include <coir/fiber.hpp>

#include <benchmark/benchmark.h>
#include <boost/context/detail/fcontext.hpp>

#include <cstdlib>
#include <memory>
#include <vector>

namespace {

namespace raw = boost::context::detail;

/// Three frames that return after each switch, as in a real program; not inlined.
template <class Switch>
[[gnu::noinline]] void depth_1(Switch& f) {
    f();
    asm volatile("");
}
template <class Switch>
[[gnu::noinline]] void depth_2(Switch& f) {
    depth_1(f);
    asm volatile("");
}
template <class Switch>
[[gnu::noinline]] void depth_3(Switch& f) {
    depth_2(f);
    asm volatile("");
}

/// A ring of bare contexts; `last_words` of the ring is the benchmark's own context.
struct raw_ring {
    struct member {
        raw::fcontext_t context = nullptr;
        raw_ring* ring = nullptr;
        std::size_t index = 0;
        std::unique_ptr<char[]> stack;
    };

    static constexpr std::size_t stack_size = 32 * 1024;

    explicit raw_ring(std::size_t n) : members(n) {
        for (std::size_t i = 0; i < n; ++i) {
            member& m = members[i];
            m.ring = this;
            m.index = i;
            m.stack = std::make_unique_for_overwrite<char[]>(stack_size);
            m.context = raw::make_fcontext(m.stack.get() + stack_size - (i % 16) * 64, stack_size - 1024, entry);
        }
    }

    static raw::transfer_t save(raw::transfer_t t) {
        *static_cast<raw::fcontext_t*>(t.data) = t.fctx;
        return t;
    }
    static void go(raw::fcontext_t& from, raw::fcontext_t to) { raw::ontop_fcontext(to, &from, save); }

    static void entry(raw::transfer_t) {
        member& self = *starting;
        for (;;) {
            auto next = [&] {
                raw_ring& ring = *self.ring;
                if (--ring.left == 0) return go(self.context, ring.home);
                member& to = ring.members[(self.index + 1) % ring.members.size()];
                starting = &to;
                go(self.context, to.context);
            };
            depth_3(next);
        }
    }

    void run(long switches) {
        left = switches;
        starting = &members[at];
        go(home, members[at].context);
        at = static_cast<std::size_t>(starting - members.data());
    }

    static inline member* starting = nullptr;
    std::vector<member> members;
    raw::fcontext_t home = nullptr;
    long left = 0;
    std::size_t at = 0;
};

void raw_ontop(benchmark::State& state) {
    raw_ring ring(static_cast<std::size_t>(state.range(0)));
    constexpr long batch = 100'000;
    while (state.KeepRunningBatch(batch)) ring.run(batch);
}
BENCHMARK(raw_ontop)->Arg(2)->Arg(16)->Arg(1000);

void ring_of_fibers(benchmark::State& state, bool flags_differ) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const coir::fiber home = coir::fiber::current();
    std::vector<coir::fiber> ring(n);
    long left = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < n; ++i) {
        ring[i] = coir::fiber([&, i] {
            volatile double inexact = 1.0;
            if (flags_differ && i % 2 == 0) inexact = inexact / 3.0;
            for (;;) {
                auto next = [&] {
                    if (--left <= 0) {
                        at = i;
                        home.switch_to();
                    } else {
                        ring[(i + 1) % n].switch_to();
                    }
                };
                depth_3(next);
            }
        });
    }
    left = static_cast<long>(n) + 1;
    ring[0].switch_to();
    constexpr long batch = 100'000;
    while (state.KeepRunningBatch(batch)) {
        left = batch;
        ring[at].switch_to();
    }
}
BENCHMARK_CAPTURE(ring_of_fibers, equal_flags, false)->Arg(2)->Arg(16)->Arg(1000);
BENCHMARK_CAPTURE(ring_of_fibers, other_flags, true)->Arg(2)->Arg(16)->Arg(1000);

void generator_next(benchmark::State& state) {
    coir::generator<int> numbers([](auto& yield) {
        for (int i = 0;; ++i) yield(i);
    });
    for (auto _ : state) benchmark::DoNotOptimize(numbers.next());
}
BENCHMARK(generator_next);

}  // namespace
