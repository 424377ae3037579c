#include "exec/launch.hpp"

#include "base/syscall.hpp"
#include "exec/child.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>

namespace coir::detail {

namespace {

using kind = redirection::kind;

constexpr int first_above_stdio = 3;

unique_fd duplicate(int fd) {
    unique_fd copy(sys.fcntl(fd, F_DUPFD_CLOEXEC, first_above_stdio));
    if (!copy) throw_system_error(errno, "subprocess: duplicate", fd);
    return copy;
}

/// The C library's lists of what the child does before it begins. They fail for want of memory only.
class spawn_actions {
public:
    spawn_actions() {
        if (::posix_spawn_file_actions_init(&actions_) != 0) throw std::bad_alloc();
    }
    spawn_actions(const spawn_actions&) = delete;
    ~spawn_actions() { ::posix_spawn_file_actions_destroy(&actions_); }

    void put_in_place(int target, const redirection& what, const unique_fd& theirs) {
        if (what.what() == kind::null) {
            check(::posix_spawn_file_actions_addopen(&actions_, target, "/dev/null", target == 0 ? O_RDONLY : O_WRONLY,
                                                     0));
        } else if (what.what() == kind::merge) {
            check(::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, target));
        } else if (theirs) {
            check(::posix_spawn_file_actions_adddup2(&actions_, theirs.get(), target));
        }
    }
    void close_all_others() { check(::posix_spawn_file_actions_addclosefrom_np(&actions_, first_above_stdio)); }
    void begin_in(const std::string& folder) {
        if (!folder.empty()) check(::posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str()));
    }

    const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

private:
    static void check(int error) {
        if (error) throw_system_error(error, "posix_spawn_file_actions");
    }

    posix_spawn_file_actions_t actions_;
};

class spawn_attributes {
public:
    explicit spawn_attributes(bool new_group) {
        if (::posix_spawnattr_init(&attributes_) != 0) throw std::bad_alloc();
        sigset_t none, all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        const int group_flag = new_group ? POSIX_SPAWN_SETPGROUP : 0;
        ::posix_spawnattr_setflags(&attributes_,
                                   static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group_flag));
    }
    spawn_attributes(const spawn_attributes&) = delete;
    ~spawn_attributes() { ::posix_spawnattr_destroy(&attributes_); }

    const posix_spawnattr_t* get() const noexcept { return &attributes_; }

private:
    posix_spawnattr_t attributes_;
};

std::string_view name_of(std::string_view entry) noexcept { return entry.substr(0, entry.find('=')); }

void refuse_nul(std::string_view text, const char* what) {
    if (text.find('\0') != text.npos) {
        throw fiber_error(fmt::format("subprocess: a NUL inside {}: \"{}\"", what, text.substr(0, text.find('\0'))));
    }
}

std::vector<std::string> environment(const subprocess_options& options) {
    std::vector<std::string> all;
    for (char** entry = options.clear_env ? nullptr : ::environ; entry && *entry; ++entry) all.emplace_back(*entry);
    for (const std::string& change : options.env) {
        refuse_nul(change, "a variable of the environment");
        if (name_of(change).empty()) {
            throw fiber_error(fmt::format("subprocess: a variable without a name: \"{}\"", change));
        }
        std::erase_if(all, [&](const std::string& entry) { return name_of(entry) == name_of(change); });
        if (change.find('=') != change.npos) all.push_back(change);
    }
    return all;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
    all.push_back(nullptr);
    return all;
}

std::string where(const std::string& cwd) { return cwd.empty() ? "" : fmt::format(" in \"{}\"", cwd); }

}  // namespace

child_files::child_files(const subprocess_options& options) {
    const redirection wanted[] = {options.in, options.out, options.err};
    for (std::size_t i = 0; i < 3; ++i) {
        if (wanted[i].what() == kind::fd) theirs[i] = duplicate(wanted[i].fd());
        if (wanted[i].what() == kind::merge && i != 2)
            throw fiber_error("subprocess: only err can be merged, into out");
        if (wanted[i].what() != kind::pipe) continue;
        pipe_fds made = pipe_fds::make();
        theirs[i] = std::move(i == 0 ? made.read : made.write);
        ours[i] = std::move(i == 0 ? made.write : made.read);
        if (theirs[i].get() < first_above_stdio) theirs[i] = duplicate(theirs[i].get());
    }
}

void check_argv(const std::vector<std::string>& argv) {
    if (argv.empty()) throw fiber_error("subprocess: an empty argv; its first element is the program");
    for (const std::string& argument : argv) refuse_nul(argument, "an argument");
}

std::shared_ptr<child> launch(const std::vector<std::string>& argv, const subprocess_options& options,
                              child_files& files) {
    refuse_nul(options.cwd, "the name of a folder");
    const std::vector<std::string> variables = environment(options);
    spawn_actions actions;
    actions.put_in_place(0, options.in, files.theirs[0]);
    actions.put_in_place(1, options.out, files.theirs[1]);
    actions.put_in_place(2, options.err, files.theirs[2]);
    actions.close_all_others();
    actions.begin_in(options.cwd);
    const spawn_attributes attributes(options.new_group);
    auto made = std::make_shared<child>(argv.front());

    // Holds the place of the child's pidfd, so that what it would fail of is known before there is a child.
    unique_fd place(sys.pidfd_open(::getpid(), 0));
    if (!place) throw_system_error(errno, fmt::format("spawn \"{}\": pidfd_open", argv.front()));
    pid_t pid;
    const int error = sys.posix_spawnp(&pid, argv.front().c_str(), actions.get(), attributes.get(),
                                       pointers(argv).data(), pointers(variables).data());
    if (error) throw_system_error(error, fmt::format("spawn \"{}\"{}", argv.front(), where(options.cwd)));
    for (unique_fd& fd : files.theirs) fd.reset();
    place.reset();
    made->adopt(pid);
    return made;
}

}  // namespace coir::detail
