// <coir/base/ref.hpp>: counted references, with the count inside the object.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace coir::detail {

/// Counts the references to an object. Born with one.
class ref_count {
public:
    void add() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }

    /// True for the last, which stays counted: the object is its caller's alone, to destroy or to keep. A sole owner
    /// needs no locked instruction.
    bool drop() noexcept {
        std::uint32_t count = count_.load(std::memory_order_acquire);
        while (count != 1) {
            if (count_.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
                return false;
            }
        }
        return true;
    }

    bool is_sole() const noexcept { return count_.load(std::memory_order_acquire) == 1; }
    std::uint32_t get() const noexcept { return count_.load(std::memory_order_relaxed); }
    /// Before the object is shared.
    void set(std::uint32_t n) noexcept { count_.store(n, std::memory_order_relaxed); }

private:
    std::atomic<std::uint32_t> count_{1};
};

/// A shared owner of a `T`, which has add_ref() and drop_ref(), both noexcept and callable from any thread.
template <class T>
class ref {
public:
    ref() noexcept = default;
    ref(std::nullptr_t) noexcept {}
    /// Takes over a reference that the caller holds.
    static ref adopt(T* object) noexcept {
        ref r;
        r.object_ = object;
        return r;
    }
    /// Adds a reference.
    explicit ref(T* object) noexcept : object_(object) {
        if (object_) object_->add_ref();
    }
    ref(const ref& other) noexcept : ref(other.object_) {}
    ref(ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    template <class U>
    requires std::is_convertible_v<U*, T*> ref(const ref<U>& other)
    noexcept : ref(other.get()) {}
    template <class U>
    requires std::is_convertible_v<U*, T*> ref(ref<U>&& other)
    noexcept : object_(other.release()) {}
    ref& operator=(ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~ref() {
        if (object_) object_->drop_ref();
    }

    T* get() const noexcept { return object_; }
    T* release() noexcept { return std::exchange(object_, nullptr); }
    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    friend bool operator==(const ref& a, const ref& b) noexcept { return a.object_ == b.object_; }

private:
    T* object_ = nullptr;
};

}  // namespace coir::detail
