#include <coir/testing/test.hpp>

#include "hub/hub_core.hpp"
#include "testing/watchdog.hpp"

#include <coir/base/error.hpp>
#include <coir/task/run.hpp>
#include <coir/task/task.hpp>
#include <coir/testing/leftovers.hpp>
#include <coir/testing/schedule.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <stdexcept>

namespace coir::testing {

namespace {

detail::seed seed_in_use;

/// A number in the environment; none if it is not set. Throws for anything else.
std::optional<std::uint64_t> number_from(const char* variable) {
    const char* text = std::getenv(variable);
    if (!text || !*text) return std::nullopt;
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(text, &end, 10);
    if (*end) throw std::invalid_argument(fmt::format("{}={} is not a number", variable, text));
    return number;
}

/// For as long as one run lasts.
class order_in_use {
public:
    explicit order_in_use(detail::seed seed) {
        seed_in_use = seed;
        if (seed) schedule_.emplace(*seed);
    }
    order_in_use(const order_in_use&) = delete;
    ~order_in_use() { seed_in_use.reset(); }

private:
    std::optional<random_schedule> schedule_;
};

/// How the body ended; "" if well.
std::string outcome_of(const task<void>& body) {
    try {
        body.get();
        return {};
    } catch (const deadlock& e) {
        // Of this wait; or it is what the body has thrown, and then it has ended.
        body.cancel();
        return e.what();
    } catch (...) {
        return "the test threw " + coir::detail::describe(std::current_exception());
    }
}

}  // namespace

std::optional<std::uint64_t> current_seed() noexcept { return seed_in_use; }

namespace detail {

std::vector<seed> wanted_seeds(const test_options& options) {
    if (!options.in_any_order) return {std::nullopt};
    if (const seed one = number_from("COIR_SEED")) return {one};
    const std::uint64_t count = number_from("COIR_SEEDS").value_or(0);
    if (count == 0) return {std::nullopt};
    std::vector<seed> all;
    for (std::uint64_t i = 1; i <= count; ++i) all.emplace_back(i);
    return all;
}

std::string run_once(const test_options& options, seed order, void (*body)()) {
    const leftovers before;
    std::string wrong;
    {
        const order_in_use for_this_run(order);
        const task<void> running = spawn({.name = "test"}, body);
        const watchdog limit(options.limit, running);
        wrong = outcome_of(running);
        running.join();
        if (limit.has_barked()) wrong = limit.report();
    }
    const std::string left = before.describe();
    if (left.empty()) return wrong;
    coir::detail::cancel_remaining_tasks(deadline::after(std::chrono::seconds(1)));
    return wrong.empty() ? left : wrong + "\n" + left;
}

}  // namespace detail
}  // namespace coir::testing
