// An error that a fiber does not catch crosses to its parent, and errors can be thrown into a fiber. Each
// fiber has its own exception state, so it may suspend inside a catch block.
#include <coir/fiber.hpp>

#include <iostream>
#include <stdexcept>
#include <string>

struct guard {
    ~guard() { std::cout << "the guard leaves\n"; }
};

int main() {
    // Uncaught: it arrives at the parent's pending switch_to, as if that had thrown it.
    coir::fiber careless([] { throw std::runtime_error("out of paint"); });
    try {
        careless.switch_to();
    } catch (const std::runtime_error& e) {
        std::cout << "main caught: " << e.what() << "\n";
    }

    // The other way: thrown into a fiber, at its pending switch_to. It catches, suspends in the middle of it,
    // and rethrows. What happens outside meanwhile does not confuse `throw;`.
    coir::fiber careful([](coir::value) -> coir::value {
        const coir::fiber parent = coir::fiber::current().parent();
        try {
            parent.switch_to();
        } catch (const std::exception& e) {
            parent.switch_to("handling: " + std::string(e.what()));
            throw;
        }
        return {};
    });
    careful.switch_to();
    try {
        const auto reply = careful.throw_in(std::make_exception_ptr(std::runtime_error("no ladder")));
        std::cout << reply.as<std::string>() << "\n";
        throw std::logic_error("another error, main's own");
    } catch (const std::logic_error& e) {
        std::cout << "main caught: " << e.what() << "\n";
        try {
            careful.switch_to();
        } catch (const std::runtime_error& inner) {
            std::cout << "rethrown to main, inside main's own catch: " << inner.what() << "\n";
        }
    }

    // A fiber that nobody can reach any more is unwound with fiber_exit, which is no error.
    coir::fiber forgotten([] {
        const guard on_the_stack;
        coir::fiber::current().parent().switch_to();
    });
    forgotten.switch_to();
    forgotten = {};
    std::cout << "the fiber is gone\n";
}
