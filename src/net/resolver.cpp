#include "net/resolver.hpp"

#include "hub/deadlock.hpp"
#include "hub/hub_core.hpp"

#include <coir/task/future.hpp>

#include <netdb.h>
#include <pthread.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace coir::net::detail {

namespace {

using namespace std::chrono_literals;

struct job {
    std::string host;
    int port;
    promise<resolution> answer;
};

/// Threads come as names wait, so that a slow name does not hold up the others, and go when they have been idle.
/// Never destroyed: its threads may outlive main().
class helper_threads {
public:
    static helper_threads& instance() {
        static helper_threads* const threads = make();
        return *threads;
    }

    void submit(job j) {
        const std::lock_guard guard(mutex_);
        jobs_.push_back(std::move(j));
        if (idle_ < jobs_.size() && threads_ < most_threads) {
            std::thread([this] { work(); }).detach();
            ++threads_;
        } else {
            has_work_.notify_one();
        }
    }

private:
    static constexpr std::size_t most_threads = 8;
    static constexpr auto idle_time = 1s;

    static helper_threads* make() {
        ::pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                         [] { instance().start_anew(); });
        return new helper_threads;
    }

    /// In the child of a fork there are no threads, and nobody waits for the answers.
    void start_anew() {
        idle_ = threads_ = 0;
        mutex_.unlock();
    }

    void work() {
        std::unique_lock lock(mutex_);
        while (wait_for_job(lock)) {
            job j = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            j.answer.set_value(look_up(j.host, j.port, false));
            lock.lock();
        }
        --threads_;
    }

    /// False when it has been idle for long.
    bool wait_for_job(std::unique_lock<std::mutex>& lock) {
        const auto has_job = [this] { return !jobs_.empty(); };
        if (has_job()) return true;
        ++idle_;
        coir::detail::count_idle_helper(+1);
        const bool got_one = has_work_.wait_for(lock, idle_time, has_job);
        coir::detail::count_idle_helper(-1);
        --idle_;
        return got_one;
    }

    std::mutex mutex_;
    std::condition_variable has_work_;
    std::deque<job> jobs_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
};

/// While somebody waits for a helper, the hub is not stuck.
struct outside_work {
    outside_work() noexcept : hub(coir::detail::hub_core::current()) { ++hub.outside_work; }
    ~outside_work() { --hub.outside_work; }
    outside_work(const outside_work&) = delete;
    coir::detail::hub_core& hub;
};

}  // namespace

resolution look_up(const std::string& host, int port, bool numbers_only) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | (numbers_only ? AI_NUMERICHOST : AI_ADDRCONFIG);
    addrinfo* found = nullptr;
    resolution r;
    r.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    r.system_error = r.error == EAI_SYSTEM ? errno : 0;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    for (const addrinfo* a = found; a; a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) {
            r.addresses.push_back(address::from_native(a->ai_addr, a->ai_addrlen));
        }
    }
    if (r.error == 0 && r.addresses.empty()) r.error = EAI_NONAME;
    return r;
}

resolution look_up_on_helper(const std::string& host, int port) {
    promise<resolution> answer;
    future<resolution> coming = answer.get_future();
    const outside_work counted;
    helper_threads::instance().submit({host, port, std::move(answer)});
    return coming.get();
}

}  // namespace coir::net::detail
