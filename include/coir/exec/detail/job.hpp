// Functions and values as bytes, and back, by means of cereal. Not for use outside coir.
#pragma once

#if !__has_include(<cereal/cereal.hpp>)
#error "coir::process_pool needs the header-only library cereal: install libcereal-dev, or put it on the include path"
#endif

#include <coir/exec/detail/process_pool_core.hpp>
#include <coir/task/future.hpp>

#include <cereal/archives/binary.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <concepts>
#include <functional>
#include <istream>
#include <ostream>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coir::detail {

/// What travels of an argument: text by whatever name as a std::string, all else as it is.
template <class Arg>
using sent_as =
    std::conditional_t<std::is_same_v<std::decay_t<Arg>, const char*> || std::is_same_v<std::decay_t<Arg>, char*> ||
                           std::is_same_v<std::decay_t<Arg>, std::string_view>,
                       std::string, std::decay_t<Arg>>;

template <class T>
constexpr bool can_travel() {
    if constexpr (std::is_void_v<T>) {
        return true;
    } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || !std::default_initializable<T>) {
        return false;
    } else {
        return cereal::traits::is_output_serializable<T, cereal::BinaryOutputArchive>::value &&
               cereal::traits::is_input_serializable<T, cereal::BinaryInputArchive>::value;
    }
}

template <class Function>
inline constexpr bool is_function_pointer =
    std::is_pointer_v<Function>&& std::is_function_v<std::remove_pointer_t<Function>>;

template <class Function>
constexpr bool can_run_elsewhere() {
    return is_function_pointer<Function> || (std::is_empty_v<Function> && std::default_initializable<Function>);
}

template <class Argument>
constexpr void check_argument() {
    static_assert(can_travel<Argument>(),
                  "process_pool::submit: an argument of this type cannot be sent to another process. Pass values, no "
                  "pointers; give a type of yours a default constructor and a member template <class Archive> void "
                  "serialize(Archive& archive) { archive(all, its, members); }");
}

template <class Result>
constexpr void check_result() {
    static_assert(can_travel<Result>(),
                  "process_pool::submit: a result of this type cannot be sent back from another process. Return a "
                  "value, no pointer; give a type of yours a default constructor and a member template <class "
                  "Archive> void serialize(Archive& archive) { archive(all, its, members); }");
}

template <class Function, class... Args>
struct job_types {
    static_assert(can_run_elsewhere<Function>(),
                  "process_pool::submit: only a function, or a lambda without captures, can run in another process. "
                  "Pass what it captures as arguments");
    static_assert(std::is_invocable_v<Function, Args...>,
                  "process_pool::submit: the function cannot be called with these arguments. They arrive in the other "
                  "process as values, so that a parameter may be T, const T& or T&&, but not T&; text arrives as "
                  "std::string");

    static constexpr bool check() {
        (check_argument<Args>(), ...);
        constexpr bool is_good = can_run_elsewhere<Function>() && std::is_invocable_v<Function, Args...>;
        if constexpr (is_good) {
            check_result<result>();
            return (can_travel<Args>() && ...) && can_travel<result>();
        }
        return is_good;
    }
    using result = std::decay_t<typename std::conditional_t<
        std::is_invocable_v<Function, Args...>, std::invoke_result<Function, Args...>, std::type_identity<void>>::type>;
};

template <class Function>
Function callable_at(std::uintptr_t address) {
    if constexpr (is_function_pointer<Function>) {
        return reinterpret_cast<Function>(address);
    } else {
        return Function{};
    }
}

template <class Function>
std::uintptr_t address_of(const Function& function) {
    if constexpr (is_function_pointer<Function>) {
        return reinterpret_cast<std::uintptr_t>(function);
    } else {
        return 0;
    }
}

template <class T>
void write_value(frame_writer& to, const T& value) {
    std::ostream stream(&to);
    cereal::BinaryOutputArchive archive(stream);
    archive(value);
}

/// In a worker.
template <class Function, class... Args>
void run_job(std::uintptr_t function, std::string_view arguments, frame_writer& result) {
    std::tuple<Args...> values;
    frame_reader bytes(arguments);
    std::istream stream(&bytes);
    cereal::BinaryInputArchive archive(stream);
    std::apply([&](auto&... value) { (archive(value), ...); }, values);
    const auto call = [&] { return std::apply(callable_at<Function>(function), std::move(values)); };
    if constexpr (std::is_void_v<typename job_types<Function, Args...>::result>) {
        call();
    } else {
        const typename job_types<Function, Args...>::result value = call();
        write_value(result, value);
    }
}

template <class R>
class promised_outcome final : public job_outcome {
public:
    future<R> get_future() { return promise_.get_future(); }

    void succeed([[maybe_unused]] std::string_view result) override {
        if constexpr (std::is_void_v<R>) {
            promise_.set_value();
        } else {
            R value;
            frame_reader bytes(result);
            std::istream stream(&bytes);
            cereal::BinaryInputArchive archive(stream);
            archive(value);
            promise_.set_value(std::move(value));
        }
    }
    void fail(std::exception_ptr error) noexcept override { promise_.set_exception(std::move(error)); }

private:
    promise<R> promise_;
};

/// The job without its outcome. `Sent` are the types that travel.
template <class Function, class... Sent>
std::string pack_job(std::size_t limit, const Function& function, const std::type_identity_t<Sent>&... args) {
    frame_writer frame(limit);
    (write_value(frame, args), ...);
    if (!frame.fits()) throw_too_long("the arguments of a job have", frame.length(), limit);
    return std::move(frame).seal(frame_kind::job, &run_job<Function, Sent...>, address_of(function));
}

}  // namespace coir::detail
