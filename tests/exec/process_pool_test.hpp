// What the tests of process_pool share: the proof that no process is left over, and looking at processes.
#pragma once

#include <coir/exec/process_pool.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>

#include "task/leftovers.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace process_pool_tests {

/// Besides what clean_test proves: no child, and no zombie, of this process is left.
class clean_test : public task_tests::clean_test {
protected:
    void TearDown() override {
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child process is left over";
        EXPECT_EQ(errno, ECHILD);
    }
};

struct process_state {
    char letter = 0;  // Z for a zombie
    pid_t parent = 0;
};

/// Nothing if there is no such process.
inline std::optional<process_state> look_at(pid_t pid) {
    const int file = ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
    char text[512] = {};
    const ssize_t length = ::read(file, text, sizeof text - 1);  // of a process that ends meanwhile: ESRCH
    ::close(file);
    const char* end_of_name = length > 0 ? std::strrchr(text, ')') : nullptr;
    process_state found;
    if (!end_of_name || std::sscanf(end_of_name + 1, " %c %d", &found.letter, &found.parent) != 2) return std::nullopt;
    return found;
}

inline std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 0) continue;
        if (const auto process = look_at(pid); process && process->parent == parent) found.push_back(pid);
    }
    return found;
}

/// The one fork server of this process. Fails the test if there are more.
inline pid_t server_of_this_process() {
    const auto children = children_of(::getpid());
    EXPECT_EQ(children.size(), 1u);
    return children.empty() ? -1 : children.front();
}

template <class Condition>
void until(Condition condition) {
    using namespace std::chrono_literals;
    while (!condition()) coir::this_fiber::sleep_for(1ms);
}

inline bool is_gone(pid_t pid) { return !look_at(pid); }

inline pid_t own_pid() { return ::getpid(); }

/// Until somebody makes the file.
inline void wait_for_file(const std::string& path) {
    while (!std::filesystem::exists(path)) ::usleep(1000);
}

/// A name for a file that is gone when the test ends.
class gate {
public:
    gate() {
        static int made = 0;
        path_ = (std::filesystem::temp_directory_path() /
                 ("coir_gate_" + std::to_string(::getpid()) + "_" + std::to_string(++made)))
                    .string();
    }
    gate(const gate&) = delete;
    ~gate() { std::filesystem::remove(path_); }
    void open() const { std::ofstream file(path_); }
    bool is_open() const { return std::filesystem::exists(path_); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// The text of the broken_process_pool that the future throws.
template <class R>
std::string broken_text(coir::future<R>& f) {
    try {
        f.get();
    } catch (const coir::broken_process_pool& e) {
        return e.what();
    } catch (const std::exception& e) {
        return std::string("another error: ") + e.what();
    }
    return "no error";
}

}  // namespace process_pool_tests
