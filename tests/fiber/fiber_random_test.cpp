// Whatever fibers do with each other's handles, nothing is used that has gone, and nothing is left over.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <array>
#include <random>
#include <stdexcept>
#include <string>

namespace {

using coir::fiber;
using coir::value;
using random_fibers = fiber_tests::clean_test;

/// Handles that all fibers of a game share, and move at random.
class game {
public:
    explicit game(unsigned seed) : random_(seed) {}

    ~game() { moves_left_ = 0; }  // of the fibers that go with the handles

    void play() {
        for (int turns = 0; turns < 300; ++turns) move();
    }

private:
    int dice(int sides) { return static_cast<int>(random_() % static_cast<unsigned>(sides)); }
    fiber& any() { return held_[static_cast<std::size_t>(dice(held_.size()))]; }

    value body(value first) {
        for (int n = dice(6); n > 0; --n) move();
        if (dice(4) == 0) throw std::runtime_error("the end");
        return first;
    }

    void move() {
        if (moves_left_-- <= 0) return;
        try {
            choose();
        } catch (const std::exception&) {  // of a child, or what the call says of these fibers
        } catch (const coir::fiber_exit&) {
            if (dice(5) != 0) throw;
        }
    }

    void choose() {
        switch (dice(9)) {
            case 0:
            case 1:
                any() = fiber([this](value v) { return body(std::move(v)); });
                return;
            case 2:
                any() = {};
                return;
            case 3:
                any() = fiber(any());
                return;
            case 4:
                any() = any().parent();
                return;
            case 5:
                any() = fiber::current();
                return;
            case 6:
                return any().set_parent(any());
            case 7:
                any().throw_in(dice(2) == 0 ? std::make_exception_ptr(coir::fiber_exit{})
                                            : std::make_exception_ptr(std::runtime_error("thrown in")));
                return;
            default:
                any().switch_to(dice(100));
        }
    }

    std::minstd_rand random_;
    std::array<fiber, 6> held_;
    int moves_left_ = 2'000;
};

TEST_F(random_fibers, use_nothing_that_has_gone_and_leave_nothing) {
    for (unsigned seed = 1; seed <= 500; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        try {
            game(seed).play();
        } catch (const coir::fiber_exit&) {  // thrown into the main fiber
        }
    }
}

}  // namespace
