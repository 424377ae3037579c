// select waits for several things at once and does exactly one of them: whichever is possible first.
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>

using namespace std::chrono_literals;

int main() {
    coir::channel<std::string> post, phone;
    auto world = coir::spawn([&] {
        for (const std::string text : {"a card", "a bill"}) {
            coir::this_fiber::sleep_for(20ms);
            post.send(text);
            phone.send("about " + text);
        }
        coir::this_fiber::sleep_for(1h);
    });

    bool silence = false;
    while (!silence) {
        coir::select(
            coir::on_recv(post, [](std::optional<std::string> item) { std::cout << "post: " << *item << "\n"; }),
            coir::on_recv(phone, [](std::optional<std::string> call) { std::cout << "phone: " << *call << "\n"; }),
            coir::on_timeout(250ms, [&] { silence = true; }));  // counted anew by each select
    }
    std::cout << "nothing for a while\n";
    world.cancel();
    world.join();

    // What did not go ahead has not happened: the parcel is sent to one of them, never to both.
    coir::channel<std::string> neighbour, porter(1);
    const auto taken_by = coir::select(coir::on_send(neighbour, "a parcel"), coir::on_send(porter, "a parcel"));
    std::cout << "the parcel went to " << (taken_by == 0 ? "the neighbour" : "the porter") << "\n";

    // `otherwise` makes it a look that never waits.
    coir::select(coir::on_recv(post, [](auto) { std::cout << "more post\n"; }),
                 coir::otherwise([] { std::cout << "the letter box is empty\n"; }));

    // A closed channel is always ready, and gives nothing.
    phone.close();
    coir::select(coir::on_recv(phone, [](auto call) { std::cout << (call ? "a call\n" : "the line is dead\n"); }));
}
