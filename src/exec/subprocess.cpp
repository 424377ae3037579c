#include <coir/exec/subprocess.hpp>

#include "exec/child.hpp"
#include "exec/launch.hpp"

#include <coir/base/error.hpp>
#include <coir/task/task_group.hpp>

#include <fmt/format.h>

#include <utility>

namespace coir {

namespace {

void feed(pipe_writer& in, std::string_view input) {
    try {
        in.write_all(input);
    } catch (const std::system_error& e) {
        if (e.code() != std::errc::broken_pipe) throw;  // the child may close its stdin whenever it likes
    }
    in.close();
}

subprocess_options with_pipes(const subprocess_run_options& options) {
    return {.in = options.input.empty() ? subprocess::null : subprocess::pipe,
            .out = subprocess::pipe,
            .err = options.merge_err ? subprocess::merge : subprocess::pipe,
            .env = options.env,
            .clear_env = options.clear_env,
            .cwd = options.cwd,
            .new_group = options.new_group};
}

template <class Pipe>
Pipe& made(std::optional<Pipe>& end, const char* name) {
    if (end) return *end;
    throw fiber_error(fmt::format("subprocess: there is no pipe: .{} = coir::subprocess::pipe makes one", name));
}

}  // namespace

subprocess::subprocess(const std::vector<std::string>& argv, const subprocess_options& options) {
    detail::check_argv(argv);
    detail::child_files files(options);
    if (files.ours[0]) in_.emplace(std::move(files.ours[0]));
    if (files.ours[1]) out_.emplace(std::move(files.ours[1]));
    if (files.ours[2]) err_.emplace(std::move(files.ours[2]));
    child_ = detail::launch(argv, options, files);
}

subprocess::~subprocess() {
    if (child_) child_->end();
}

subprocess& subprocess::operator=(subprocess&& other) noexcept {
    subprocess taken(std::move(other));
    std::swap(child_, taken.child_);
    std::swap(in_, taken.in_);
    std::swap(out_, taken.out_);
    std::swap(err_, taken.err_);
    return *this;
}

const std::shared_ptr<detail::child>& subprocess::held() const {
    if (!child_) throw fiber_error("an empty subprocess: it was moved from, or never started");
    return child_;
}

pid_t subprocess::pid() const { return held()->pid(); }

pipe_writer& subprocess::in() { return made(in_, "in"); }

pipe_reader& subprocess::out() { return made(out_, "out"); }

pipe_reader& subprocess::err() { return made(err_, "err"); }

std::optional<exit_status> subprocess::wait_until(deadline limit) const {
    const auto kept = held();
    return kept->wait(limit);
}

std::optional<exit_status> subprocess::try_wait() const { return held()->try_wait(); }

void subprocess::kill(int signal) const { held()->kill(signal); }

subprocess_result subprocess::run(const std::vector<std::string>& argv, const subprocess_run_options& options) {
    const deadline limit = deadline::after(options.timeout);
    subprocess child(argv, with_pipes(options));
    subprocess_result result;
    task_group io;  // ends before the child is ended
    std::vector<task<void>> parts;
    if (child.in_) parts.push_back(io.spawn([&] { feed(*child.in_, options.input); }));
    parts.push_back(io.spawn([&] { result.out = child.out_->read_all(options.max_output); }));
    if (child.err_) parts.push_back(io.spawn([&] { result.err = child.err_->read_all(options.max_output); }));

    // The limit of an operation, not a scope of coir::timeout, since it counts under a shield, too.
    bool in_time = true;
    for (const task<void>& part : parts) in_time = in_time && part.join_until(limit);
    if (in_time) io.join();
    const auto status = in_time ? child.wait_until(limit) : std::nullopt;
    if (!status) throw timed_out(fmt::format("\"{}\" ran for too long", argv.front()).c_str());
    result.status = *status;
    return result;
}

}  // namespace coir
