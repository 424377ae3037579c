// Values travel with the switch, both ways: `got = f.switch_to(sent)`. A coir::value holds anything that can
// be moved, or nothing.
#include <coir/fiber.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <utility>

int main() {
    // The first switch sends the body's argument; later ones send what the body's own switch_to returns.
    coir::fiber average([](coir::value sent) {
        const coir::fiber parent = coir::fiber::current().parent();
        double sum = 0;
        int count = 0;
        while (sent.has_value()) {
            sum += sent.as<int>();
            ++count;
            sent = parent.switch_to(sum / count);
        }
        return "that was the average of " + std::to_string(count) + " numbers";
    });

    for (const int number : {10, 20, 60}) {
        const auto so_far = average.switch_to(number).as<double>();
        std::cout << "sent " << number << ", got " << so_far << "\n";
    }
    // An empty value says that there are no more. What the body returns is the last thing that comes back.
    std::cout << average.switch_to().as<std::string>() << "\n";

    // What can only be moved travels too.
    coir::fiber owner([](coir::value sent) {
        auto number = std::move(sent).as<std::unique_ptr<int>>();
        *number += 1;
        return number;
    });
    coir::value box = owner.switch_to(std::make_unique<int>(41));
    std::cout << "the box holds " << *box.as<std::unique_ptr<int>>() << "\n";

    // Asking for another type than the one inside is an error, not a conversion. get_if asks politely.
    coir::value text = std::string("seven");
    std::cout << "a string is " << (text.get_if<int>() ? "an int" : "not an int") << "\n";
}
