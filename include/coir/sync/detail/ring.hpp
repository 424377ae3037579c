// A queue in one block of memory that grows as it must. Not for use outside coir.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace coir::detail {

template <class T>
class ring {
    static_assert(std::is_nothrow_move_constructible_v<T>, "elements must move without throwing");

public:
    ring() noexcept = default;
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring() {
        while (size_ != 0) pop();
    }

    std::size_t size() const noexcept { return size_; }

    /// Throws std::bad_alloc; `element` is untouched then.
    void push(T&& element) {
        if (size_ == capacity_) grow();
        new (at(size_)) T(std::move(element));
        ++size_;
    }

    /// Requires size() != 0.
    T pop() noexcept {
        T* first = std::launder(reinterpret_cast<T*>(at(0)));
        T element(std::move(*first));
        first->~T();
        first_ = (first_ + 1) & (capacity_ - 1);
        --size_;
        return element;
    }

private:
    struct alignas(T) place {
        std::byte bytes[sizeof(T)];
    };

    place* at(std::size_t i) noexcept { return &places_[(first_ + i) & (capacity_ - 1)]; }

    void grow() {
        const std::size_t capacity = capacity_ == 0 ? 8 : capacity_ * 2;
        auto places = std::make_unique_for_overwrite<place[]>(capacity);
        const std::size_t count = size_;
        for (std::size_t i = 0; i < count; ++i) new (&places[i]) T(pop());
        places_ = std::move(places);
        capacity_ = capacity;
        first_ = 0;
        size_ = count;
    }

    std::unique_ptr<place[]> places_;
    std::size_t capacity_ = 0;  // a power of two
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace coir::detail
