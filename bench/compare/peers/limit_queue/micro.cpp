// The limit with what a scheduler cannot do without: a run queue, exceptions in flight, errno; and tasks with all that
// they are to promise.
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

}  // namespace

int main(int argc, char** argv) { return measure::run(argc, argv, {{"yield", yield}, {"spawn_join", spawn_join}}); }
