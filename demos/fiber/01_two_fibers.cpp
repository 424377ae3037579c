// Two fibers share one thread and hand it to each other by name. A switch is a call that returns when
// somebody switches back: each fiber goes on where it left off, on a stack of its own.
#include <coir/fiber.hpp>

#include <iostream>

int main() {
    coir::fiber a, b;

    a = coir::fiber([&] {
        std::cout << "1 ";
        b.switch_to();  // starts b; returns when b switches back
        std::cout << "2 ";
        b.switch_to();  // b goes on; nobody ever switches back
        std::cout << "never printed ";
    });
    b = coir::fiber([&] {
        std::cout << "3 ";
        a.switch_to();
        std::cout << "4";
    });  // the end of a body goes to the fiber's parent, which is who made it: main

    a.switch_to();
    std::cout << "\n";

    std::cout << std::boolalpha;
    std::cout << "a has ended: " << a.dead() << ", b has ended: " << b.dead() << "\n";
}  // a is still suspended: with its last handle its stack is unwound, so that its destructors run
