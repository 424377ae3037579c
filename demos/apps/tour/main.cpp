// A tour of coir: what fibers do, lesson by lesson; then ten thousand connections at once; then what it cost.
#include "echo_load.hpp"
#include "lessons.hpp"
#include "measure.hpp"
#include "terminal.hpp"

#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace {

using namespace tour;
using namespace std::chrono_literals;

constexpr std::string_view usage =
    "tour [--quick] [--connections N]\n"
    "  --quick          a few seconds instead of half a minute\n"
    "  --connections N  how many at once; default 10000\n";

struct tour_options {
    load_options load;
    std::size_t parked_fibers = 10'000;
};

[[noreturn]] void explain(std::string_view complaint) {
    print("{}{}", complaint, usage);
    std::exit(complaint.empty() ? 0 : 2);
}

std::size_t positive_number(std::string_view text) {
    const std::string digits(text);
    char* end = nullptr;
    const long number = std::strtol(digits.c_str(), &end, 10);
    if (digits.empty() || *end != '\0' || number < 1 || number > 1'000'000) {
        explain(fmt::format("\"{}\" is no number from 1 to 1000000\n", text));
    }
    return static_cast<std::size_t>(number);
}

tour_options read_options(int argc, char** argv) {
    tour_options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--quick") {
            options.load = {.connections = 500, .at_full_speed = 500ms, .at_ease = 1500ms};
            options.parked_fibers = 1'000;
        } else if (argument == "--connections" && i + 1 < argc) {
            options.load.connections = positive_number(argv[++i]);
        } else {
            explain(argument == "--help" ? "" : fmt::format("\"{}\": what is that?\n", argument));
        }
    }
    return options;
}

void row(std::string_view what, const std::string& figure, std::string_view remark = "") {
    print("    {:<34}{:>16}   {}\n", what, figure, dim(remark));
}

std::string whole(double number) { return grouped(static_cast<std::uint64_t>(number + 0.5)); }
std::string kibibytes(double bytes) { return fmt::format("{:.1f} KiB", bytes / 1024); }

void print_load(const load_report& load) {
    row("connections at once", grouped(load.connections), "both ends here: twice as many fibers and descriptors");
    row("connecting", in_words(load.connecting));
    row("messages per second", whole(load.at_full_speed.per_second),
        fmt::format("{} bytes there and back, as fast as they go", message_size));
    row("  latency p50", in_words(load.at_full_speed.p50), "every connection in the queue before it counts");
    row("  latency p99", in_words(load.at_full_speed.p99));
    row("one message a second from each", whole(load.at_ease.per_second), "messages per second");
    row("  latency p50", in_words(load.at_ease.p50));
    row("  latency p99", in_words(load.at_ease.p99));
    row("bytes that came back wrong", grouped(load.wrong_bytes),
        fmt::format("of {}", grouped((load.at_full_speed.messages + load.at_ease.messages) * message_size)));
    if (load.failures) row("connections that failed", grouped(load.failures));
}

void print_costs(const memory_use& each, std::size_t parked_fibers) {
    row("memory of a parked fiber", kibibytes(each.resident + each.page_tables),
        fmt::format("{} resident, {} page tables; {} fibers", kibibytes(each.resident), kibibytes(each.page_tables),
                    grouped(parked_fibers)));
    row("switches per second", whole(switches_per_second()), "by hand, from fiber to fiber");
    row("yields per second", whole(yields_per_second()), "through the scheduler");
}

void print_where_to_go() {
    print("\n{}\n", bold("Where to read on"));
    print("    README.md                what it is, and an example of 20 lines\n");
    print("    demos/README.md          the course: each concept in a short program\n");
    print("    src/README.md            how it is built, floor by floor\n");
    print("    demos/apps/mini_redis    a server that redis-cli and redis-benchmark talk to\n");
}

int take(const tour_options& options) {
    // First of all: later there are stacks that have been used before, and would make it look cheaper.
    const memory_use parked = memory_per_parked_fiber(options.parked_fibers);
    print("\n{}: green threads for C++20 on Linux. All that follows runs on one thread.\n\n", bold("coir"));
    run_lessons();
    print("{}\n", bold(fmt::format("{} connections echo, client and server in this process",
                                   grouped(options.load.connections))));
    const load_report load = run_echo_load(options.load);
    print("\n{}\n", bold("What was measured"));
    print_load(load);
    print_costs(parked, options.parked_fibers);
    print_where_to_go();
    print("\n{}\n",
          load.is_flawless() ? green("Every byte was checked, and right.") : red("Not every byte was right."));
    return load.is_flawless() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return take(read_options(argc, argv));
    } catch (const std::exception& e) {
        print("\n{}\n", red(fmt::format("The tour ends early: {}", e.what())));
        return 1;
    }
}
