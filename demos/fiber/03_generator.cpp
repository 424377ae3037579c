// A generator is a range whose elements a function produces, one at a time, when they are asked for.
#include <coir/fiber.hpp>

#include <iostream>
#include <ranges>
#include <string>
#include <utility>

struct node {
    std::string name;
    const node* left = nullptr;
    const node* right = nullptr;
};

// An ordinary recursive function: it may yield from any depth, because the generator has a stack of its own.
void visit(const node* n, auto& yield) {
    if (!n) return;
    visit(n->left, yield);
    yield(n->name);
    visit(n->right, yield);
}

coir::generator<int> countdown(int from) {
    return coir::generator<int>([from](auto& yield) {
        for (int i = from; i > 0; --i) yield(i);
    });
}

int main() {
    coir::generator<int> fibonacci([](auto& yield) {
        for (int a = 0, b = 1;; b += std::exchange(a, b)) yield(a);  // for ever; the consumer decides
    });
    std::cout << "fibonacci, the odd ones:";
    const auto is_odd = [](int i) { return i % 2 != 0; };
    for (const int n : fibonacci | std::views::filter(is_odd) | std::views::take(6)) {
        std::cout << ' ' << n;
    }

    coir::generator<int> launch([](auto& yield) {
        yield.from(countdown(3));  // all elements of another generator, or of any range
        yield(0);
    });
    std::cout << "\ncountdown:";
    for (const int n : launch) std::cout << ' ' << n;

    const node a{"a"}, c{"c"}, b{"b", &a, &c}, e{"e"}, d{"d", &b, &e};
    coir::generator<std::string> in_order([&](auto& yield) { visit(&d, yield); });
    std::cout << "\ntree:";
    while (auto name = in_order.next()) std::cout << ' ' << *name;  // step by step: nothing at the end
    std::cout << "\n";
}
