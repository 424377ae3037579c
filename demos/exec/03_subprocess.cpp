// Other programs: run one to its end, several at the same time, talk to one, and stop one that takes too long.
#include <coir/exec.hpp>
#include <coir/task.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using coir::subprocess;

std::string output_of(const std::string& script) { return subprocess::run({"sh", "-c", script}).out; }

/// A shell is good at sums; it answers line by line.
void talk() {
    subprocess shell({"sh"}, {.in = subprocess::pipe, .out = subprocess::pipe});
    for (const char* sum : {"6 * 7", "1000 - 1"}) {
        shell.in().write_all("echo $((" + std::string(sum) + "))\n");
        char answer[32];
        const std::size_t n = shell.out().read_some(answer);
        std::cout << sum << " = " << std::string_view(answer, n);
    }
    shell.in().close();  // the end of its input, and so its end
    std::cout << "the shell " << shell.wait().describe() << "\n";
}

int main() {
    const auto sorted = subprocess::run({"sort", "-r"}, {.input = "ant\ncat\nbee\n"});
    std::cout << sorted.out;

    // Only the fiber waits: two children that take 50 ms each take 50 ms together.
    auto [one, two] =
        coir::gather(coir::spawn(output_of, "sleep 0.05; echo one"), coir::spawn(output_of, "sleep 0.05; echo two"));
    std::cout << one << two;

    talk();

    const auto failed = subprocess::run({"sh", "-c", "echo oops >&2; exit 3"});  // a status is no exception
    std::cout << "it " << failed.status.describe() << ", saying " << failed.err;

    try {
        subprocess::run({"sleep", "1000"}, {.timeout = 50ms});
    } catch (const coir::timed_out& e) {
        std::cout << e.what() << ": it was killed, and no zombie is left\n";
    }

    try {
        subprocess::run({"no-such-program"});
    } catch (const std::system_error& e) {
        std::cout << e.what() << "\n";
    }

    subprocess sleeper({"sleep", "1000"});
    sleeper.terminate();
    std::cout << "the sleeper " << sleeper.wait().describe() << "\n";
}  // a child that still runs here is killed and reaped by its destructor
