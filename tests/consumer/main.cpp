// What a user's first program looks like, built the three ways in which a project can take coir in.
#include <coir/coir.hpp>

int main() {
    auto t = coir::spawn([] { return 42; });
    return t.get() == 42 ? 0 : 1;
}
