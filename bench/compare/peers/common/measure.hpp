// What the C++ programs of in-process works share: calibration, clocks, memory, and the line that reports them.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace measure {

struct outcome {
    double ns = 0;        // per operation
    long ops = 0;         // how many were asked for
    long long check = 0;  // counted by those who did them
    double peak_mib = 0;  // this and the next: reported when set
    double bytes = 0;
};

inline double clock_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// Processor time of all threads.
inline double cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

/// What the command line asks for.
struct plan {
    long size;
    double milliseconds;

    /// Calls `round(n)`, which does n operations and returns how many went through, for the time that is given. n is a
    /// multiple of `unit`. The rounds that find out how large n must be are the warm-up.
    template <class Round>
    outcome repeat(long unit, Round round) const {
        long n = unit;
        for (;; n *= 2) {
            const double begin = clock_ns();
            round(n);
            if (clock_ns() - begin > milliseconds * 1e6 / 20) break;
        }
        outcome all;
        const double begin = clock_ns();
        double spent = 0;
        do {
            all.check += round(n);
            all.ops += n;
            spent = clock_ns() - begin;
        } while (spent < milliseconds * 1e6);
        all.ns = spent / static_cast<double>(all.ops);
        return all;
    }

    /// Calls `round()`, which gives an outcome of its own, for the time that is given, at least once.
    template <class Round>
    outcome collect(Round round) const {
        outcome all;
        double spent = 0;
        const double begin = clock_ns();
        do {
            const outcome one = round();
            spent += one.ns * static_cast<double>(one.ops);
            all.ops += one.ops;
            all.check += one.check;
        } while (clock_ns() - begin < milliseconds * 1e6);
        all.ns = spent / static_cast<double>(all.ops);
        return all;
    }
};

/// A field of /proc/self/status in bytes.
inline double memory_of(const char* field) {
    double kib = 0;
    if (std::FILE* status = std::fopen("/proc/self/status", "r")) {
        char line[256];
        while (std::fgets(line, sizeof line, status)) {
            if (std::strncmp(line, field, std::strlen(field)) == 0) kib = std::atof(line + std::strlen(field));
        }
        std::fclose(status);
    }
    return kib * 1024;
}
inline double memory_in_use() { return memory_of("VmRSS:") + memory_of("VmPTE:"); }
inline double peak_mib() { return memory_of("VmHWM:") / (1024 * 1024); }

/// skynet: one round, or more while there is time; `run` gives the sum of 0 to size - 1, and is tried on a small tree.
template <class Run>
outcome skynet(const plan& p, Run run) {
    run(p.size < 1000 ? p.size : 1000);
    outcome all = p.collect([&] {
        const double begin = clock_ns();
        const long long sum = run(p.size);
        return outcome{.ns = (clock_ns() - begin) / static_cast<double>(p.size), .ops = p.size, .check = sum};
    });
    const long long rounds = all.ops / p.size;
    all.check = all.check % rounds == 0 ? all.check / rounds : -1;
    all.peak_mib = peak_mib();
    return all;
}

/// Creates p.size fibers that park, and wakes them. `create_all` returns when all have parked; `wake_all` when all
/// have ended, and gives how many did.
template <class Create, class Wake>
outcome parked(const plan& p, Create create_all, Wake wake_all) {
    const double before = memory_in_use();
    const double begin = clock_ns();
    create_all();
    const double spent = clock_ns() - begin;
    const double after = memory_in_use();
    const auto n = static_cast<double>(p.size);
    return {.ns = spent / n, .ops = p.size, .check = wake_all(), .bytes = (after - before) / n};
}

/// When timer i of n is due, in nanoseconds after the first: over 100 ms, in no order.
inline std::int64_t spread(long i, long n) { return i * 48271L % n * 100'000'000 / n; }

/// Timers that all expire. `arm(first)` arms them, from the time `first` on, which is far enough ahead for what takes
/// `arm_ns` each; `expire()` waits until all have expired and gives how many of them were not early. What counts is
/// the processor time from the first to the last.
template <class Arm, class SleepUntil, class Expire>
outcome timer_expire(const plan& p, double arm_ns, Arm arm, SleepUntil sleep_until, Expire expire) {
    return p.collect([&] {
        const auto first = static_cast<std::int64_t>(clock_ns() + 10e6 + static_cast<double>(p.size) * arm_ns);
        arm(first);
        sleep_until(first);
        const double begin = cpu_ns();
        const long long in_time = expire();
        return outcome{.ns = (cpu_ns() - begin) / static_cast<double>(p.size), .ops = p.size, .check = in_time};
    });
}

/// Cheap, and the same for all.
class random {
public:
    std::uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        return state_ ^= state_ << 17;
    }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>((next() >> 32) * n >> 32); }

private:
    std::uint64_t state_ = 88172645463325252u;
};

using work = outcome (*)(const plan&);

/// main() of each program: `<program> <work> <size> <milliseconds>`.
inline int run(int argc, char** argv, std::initializer_list<std::pair<std::string_view, work>> works) try {
    if (argc == 4) {
        for (const auto& [name, function] : works) {
            if (name != argv[1]) continue;
            const outcome o = function({std::atol(argv[2]), std::atof(argv[3])});
            std::printf("{\"ns\": %.3f, \"ops\": %ld, \"check\": %lld", o.ns, o.ops, o.check);
            if (o.peak_mib != 0) std::printf(", \"peak_mib\": %.1f", o.peak_mib);
            if (o.bytes != 0) std::printf(", \"bytes\": %.0f", o.bytes);
            std::puts("}");
            return 0;
        }
    }
    std::fprintf(stderr, "usage: %s WORK SIZE MILLISECONDS, where WORK is one of:", argv[0]);
    for (const auto& [name, function] : works) std::fprintf(stderr, " %s", std::string(name).c_str());
    std::fputs("\n", stderr);
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
}

}  // namespace measure
