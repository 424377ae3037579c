// Rule 11: what the language keeps of exceptions in flight belongs to a fiber, not to the thread.
#include <coir/fiber.hpp>

#include "fiber/leftovers.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using coir::fiber;
using coir::fiber_exit;
using coir::value;
using fiber_tests::at_exit;
using fiber_tests::on_leaving;
using fiber_exceptions = fiber_tests::clean_test;

std::string text_in_flight() {
    try {
        throw;
    } catch (const std::exception& e) {
        return e.what();
    }
}

TEST_F(fiber_exceptions, rule_11_rethrow_in_a_catch_that_switched_finds_its_own) {
    const fiber main = fiber::current();
    auto body = [&](value v) {
        try {
            throw std::runtime_error(v.as<const char*>());
        } catch (const std::exception&) {
            main.switch_to();
            return text_in_flight();
        }
    };
    fiber a(body), b(body);
    a.switch_to("a");
    b.switch_to("b");
    EXPECT_EQ(std::current_exception(), nullptr);
    EXPECT_EQ(a.switch_to().as<std::string>(), "a");
    EXPECT_EQ(b.switch_to().as<std::string>(), "b");
}

TEST_F(fiber_exceptions, rule_11_current_exception_is_kept_per_fiber) {
    const fiber main = fiber::current();
    fiber f([&] {
        EXPECT_EQ(std::current_exception(), nullptr);
        try {
            throw 1;
        } catch (...) {
            const std::exception_ptr mine = std::current_exception();
            main.switch_to();
            EXPECT_EQ(std::current_exception(), mine);
        }
        EXPECT_EQ(std::current_exception(), nullptr);
    });
    try {
        throw 2;
    } catch (...) {
        const std::exception_ptr mine = std::current_exception();
        f.switch_to();
        EXPECT_EQ(std::current_exception(), mine);
        f.switch_to();
        EXPECT_EQ(std::current_exception(), mine);
    }
}

TEST_F(fiber_exceptions, rule_11_nested_catches_unwind_in_order) {
    const fiber main = fiber::current();
    auto body = [&](value v) {
        const std::string name = v.as<const char*>();
        std::string seen;
        try {
            throw std::runtime_error(name + "1");
        } catch (...) {
            main.switch_to();
            try {
                throw std::runtime_error(name + "2");
            } catch (...) {
                main.switch_to();
                seen += text_in_flight();
            }
            main.switch_to();
            seen += text_in_flight();
        }
        return seen;
    };
    fiber a(body), b(body);
    a.switch_to("a");
    b.switch_to("b");
    for (int i = 0; i < 2; ++i) b.switch_to(), a.switch_to();
    EXPECT_EQ(a.switch_to().as<std::string>(), "a2a1");
    EXPECT_EQ(b.switch_to().as<std::string>(), "b2b1");
}

TEST_F(fiber_exceptions, rule_11_a_destructor_may_switch_during_unwinding) {
    const fiber main = fiber::current();
    int before = -1, after = -1;
    fiber f([&] {
        try {
            const at_exit suspends([&] {
                before = std::uncaught_exceptions();
                main.switch_to();
                after = std::uncaught_exceptions();
            });
            throw std::runtime_error("mine");
        } catch (const std::exception& e) {
            return std::string(e.what());
        }
    });
    f.switch_to();
    EXPECT_EQ(std::uncaught_exceptions(), 0);
    bool misfired = false;
    {
        const at_exit fail_guard([&] { misfired = std::uncaught_exceptions() > 0; });
    }
    EXPECT_FALSE(misfired);
    EXPECT_EQ(f.switch_to().as<std::string>(), "mine");
    EXPECT_EQ(before, 1);
    EXPECT_EQ(after, 1);
}

TEST_F(fiber_exceptions, rule_11_a_fiber_entered_during_unwinding_starts_with_none) {
    int inside = -1;
    try {
        const at_exit enters([&] {
            fiber f([&] {
                inside = std::uncaught_exceptions();
                EXPECT_EQ(std::current_exception(), nullptr);
                try {
                    throw 3;
                } catch (int n) {
                    return n;
                }
            });
            EXPECT_EQ(f.switch_to().as<int>(), 3);
            EXPECT_EQ(std::uncaught_exceptions(), 1);
        });
        throw 4;
    } catch (int n) {
        EXPECT_EQ(n, 4);
    }
    EXPECT_EQ(inside, 0);
}

TEST_F(fiber_exceptions, rule_11_a_fiber_may_end_with_an_error_while_its_parent_unwinds) {
    try {
        const at_exit enters([] {
            try {
                fiber([] { throw 5; }).switch_to();
                ADD_FAILURE();
            } catch (int n) {
                EXPECT_EQ(n, 5);
            }
        });
        throw std::runtime_error("outer");
    } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "outer");
    }
}

TEST_F(fiber_exceptions, rule_11_dropping_a_fiber_during_unwinding_keeps_the_error_in_flight) {
    const fiber main = fiber::current();
    int left = 0;
    try {
        fiber f([&] {
            const on_leaving leaving(left);
            main.switch_to();
        });
        f.switch_to();
        throw std::runtime_error("mine");
    } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "mine");
    }
    EXPECT_EQ(left, 1);
}

TEST_F(fiber_exceptions, rule_11_a_thousand_fibers_shuffled) {
    const fiber main = fiber::current();
    std::mt19937 dice(7);
    int right = 0;
    std::vector<fiber> fibers;
    for (int i = 0; i < 1000; ++i) {
        fibers.emplace_back([&, i] {
            for (int round = 0; round < 3; ++round) {
                try {
                    const at_exit suspends([&] { main.switch_to(); });
                    throw std::runtime_error(std::to_string(i));
                } catch (...) {
                    main.switch_to();
                    right += text_in_flight() == std::to_string(i) && std::uncaught_exceptions() == 0;
                }
                main.switch_to();
            }
        });
    }
    for (int round = 0; round < 10; ++round) {
        std::shuffle(fibers.begin(), fibers.end(), dice);
        for (const fiber& f : fibers) f.switch_to();
    }
    EXPECT_EQ(right, 3000);
}

TEST_F(fiber_exceptions, four_fibers_suspended_in_try_blocks_at_several_depths_catch_their_own) {
    const fiber main = fiber::current();
    auto dig = [&](auto& self, int depth, int error) -> void {
        if (depth > 0) return self(self, depth - 1, error);
        main.switch_to();
        throw error;
    };
    std::vector<fiber> fibers;
    for (int i = 0; i < 4; ++i) {
        fibers.emplace_back([&, i] {
            try {
                dig(dig, i * 7, i);
            } catch (int n) {
                return n;
            }
            return -1;
        });
    }
    for (const fiber& f : fibers) f.switch_to();
    for (int i : {2, 0, 3, 1}) EXPECT_EQ(fibers[i].switch_to().as<int>(), i);
}

TEST_F(fiber_exceptions, what_leaves_the_body_does_not_surface_in_the_switchers_catch) {
    const fiber main = fiber::current();
    bool wrong = false;
    fiber child([] { throw std::runtime_error("for main"); });
    fiber switcher([&] {
        try {
            child.switch_to();
        } catch (...) {
            wrong = true;
            throw;
        }
    });
    EXPECT_THROW(switcher.switch_to(), std::runtime_error);
    EXPECT_FALSE(wrong);
}

TEST_F(fiber_exceptions, an_error_leaves_from_inside_a_catch) {
    fiber f([] {
        try {
            throw 1;
        } catch (int) {
            throw std::runtime_error("from the catch");
        }
    });
    EXPECT_THROW(f.switch_to(), std::runtime_error);
}

TEST_F(fiber_exceptions, an_exception_object_lives_as_long_as_somebody_needs_it) {
    int gone = 0;
    struct tracked {
        explicit tracked(int& g) : gone(&g) {}
        tracked(const tracked&) = default;
        ~tracked() { ++*gone; }
        int* gone;
    };
    try {
        fiber([&] { throw tracked(gone); }).switch_to();
    } catch (const tracked&) {
        EXPECT_EQ(gone, 0);
    }
    EXPECT_EQ(gone, 1);
}

}  // namespace
