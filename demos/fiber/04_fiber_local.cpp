// A fiber_local is to fibers what thread_local is to threads: code deep down knows for whom it works without
// being told at every call. Each fiber's is made at its first use, and destroyed when the fiber ends.
#include <coir/fiber.hpp>

#include <iostream>
#include <string>

struct session {
    std::string user = "nobody";
    int lines = 0;
    ~session() { std::cout << "    goodbye, " << user << ", after " << lines << " lines\n"; }
};

coir::fiber_local<session> current_session;

void log(const std::string& text) {
    std::cout << current_session->user << ": line " << ++current_session->lines << ": " << text << "\n";
}

void handle_request(const std::string& user) {
    current_session->user = user;
    log("reads the menu");
    coir::fiber::current().parent().switch_to();  // let others run
    log("orders tea");
}

int main() {
    log("opens the shop");
    {
        coir::fiber ann([] { handle_request("ann"); });
        coir::fiber bob([] { handle_request("bob"); });
        ann.switch_to();
        bob.switch_to();
        ann.switch_to();  // still ann's session, although bob's was made in between
        bob.switch_to();
    }
    log("closes the shop");  // main's own; it ends with the process, which unwinds nothing: no goodbye
}
