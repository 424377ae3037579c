// What the compiler keeps in registers over a switch is there afterwards: the jump between stacks looks like a call to it,
// and is none (src/fiber/hop.hpp).
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <array>
#include <cmath>

namespace {

using coir::fiber;
using coir::value;
using registers = fiber_tests::clean_test;

/// More values of each kind than there are registers for them, made before `between` and used after it.
template <class Between>
double of_all_kinds(int seed, Between between) {
    std::array<long, 20> whole;
    std::array<double, 20> real;
    std::array<float, 32> wide;
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = seed * 31L + static_cast<long>(i);
    for (std::size_t i = 0; i < real.size(); ++i) real[i] = std::sqrt(seed + static_cast<double>(i));
    for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<float>(seed) * static_cast<float>(i);
    const long double a = seed * 1.1L, b = a / 3, c = a - b;
    between();
    long double sum = a + 2 * b + 3 * c;
    for (std::size_t i = 0; i < whole.size(); ++i) sum += static_cast<long double>(whole[i] * (whole[i] % 7));
    for (double r : real) sum = sum * 0.5L + r;
    for (float w : wide) sum += w;
    return static_cast<double>(sum);
}

double alone(int seed) {
    return of_all_kinds(seed, [] {});
}

/// As deep as `frames` below whoever calls.
[[gnu::noinline]] double deeper(int frames, int seed, const fiber& other) {
    if (frames == 0) return of_all_kinds(seed, [&] { other.switch_to(seed); });
    const double below = deeper(frames - 1, seed, other);
    return below + (of_all_kinds(frames, [&] { other.switch_to(frames); }) - alone(frames));
}

TEST_F(registers, are_kept_on_both_sides_at_any_depth) {
    const fiber main = fiber::current();
    bool is_over = false;
    int wrong = 0;
    fiber other([&](value) -> value {
        for (int seed = 1; !is_over; ++seed) wrong += deeper(seed % 5, seed, main) != alone(seed);
        return {};
    });
    for (int seed = 1; seed < 500; ++seed) EXPECT_EQ(deeper(seed % 7, seed, other), alone(seed));
    is_over = true;
    while (other) other.switch_to();
    EXPECT_EQ(wrong, 0);
}

TEST_F(registers, are_kept_when_the_other_side_begins_or_ends) {
    for (int seed = 1; seed < 200; ++seed) {
        EXPECT_EQ(of_all_kinds(seed, [&] { fiber([=] { return alone(seed + 1); }).switch_to(); }), alone(seed));
    }
}

}  // namespace
