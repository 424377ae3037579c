// The limit with what a scheduler cannot do without: a run queue, exceptions in flight, errno.
#include "../limit/queue.hpp"

namespace {

measure::outcome yield(const measure::plan& p) {
    queue::crowd all(static_cast<std::size_t>(p.size));
    return p.repeat(p.size, [&](long n) { return all.run(n); });
}

}  // namespace

int main(int argc, char** argv) { return measure::run(argc, argv, {{"yield", yield}}); }
