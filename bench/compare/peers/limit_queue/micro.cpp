// The limit with what a scheduler cannot do without: a run queue, exceptions in flight, errno; and tasks with all that
// they are to promise.
#include <array>

#include "../limit/queue.hpp"
#include "task.hpp"

namespace {

measure::outcome yield(const measure::plan& p) {
    queue::crowd all(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) { return all.run(n); });
}

long one() { return 1; }

measure::outcome spawn_join(const measure::plan& p) {
    promised::thread here;
    promised::this_thread = &here;
    std::vector<promised::handle<decltype(&one)>> tasks(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) {
        long sum = 0;
        for (long round = n / p.size; round > 0; --round) {
            for (auto& t : tasks) t = promised::handle(&one);
            for (auto& t : tasks) sum += t.get();
        }
        return sum;
    });
}

long skynet_node(long first, long size);

struct subtree {
    long first, size;
    long operator()() const { return skynet_node(first, size); }
};

long skynet_node(long first, long size) {
    if (size == 1) return first;
    std::array<promised::handle<subtree>, 10> children;
    const long part = size / 10;
    for (auto& child : children) {
        child = promised::handle(subtree{first, part});
        first += part;
    }
    long sum = 0;
    for (auto& child : children) sum += child.get();
    return sum;
}

/// First come, first served, as in coir: all inner nodes but the root have a stack at once.
measure::outcome skynet(const measure::plan& p) {
    promised::thread here(static_cast<std::size_t>(p.size) / 9 + 1);
    promised::this_thread = &here;
    return measure::skynet(p, [](long leaves) { return skynet_node(0, leaves); });
}

}  // namespace

int main(int argc, char** argv) {
    return measure::run(argc, argv, {{"yield", yield}, {"spawn_join", spawn_join}, {"skynet", skynet}});
}
