// <coir/base/intrusive_list.hpp>: a list whose links live in its elements, so that joining and leaving never allocate.
#pragma once

namespace coir::detail {

/// Base of an element. Unlinked while `next` is null.
struct list_hook {
    list_hook* prev = nullptr;
    list_hook* next = nullptr;

    constexpr list_hook() noexcept = default;
    list_hook(const list_hook&) = delete;
    list_hook& operator=(const list_hook&) = delete;

    bool is_linked() const noexcept { return next != nullptr; }

    /// Leaves whichever list it is on. Requires is_linked().
    void unlink() noexcept {
        prev->next = next;
        next->prev = prev;
        prev = next = nullptr;
    }
};

/// First in, first out. `T` derives from list_hook, or from `Hook` where it is on several lists. Owns nothing.
template <class T, class Hook = list_hook>
class intrusive_list {
public:
    constexpr intrusive_list() noexcept { head_.prev = head_.next = &head_; }
    intrusive_list(const intrusive_list&) = delete;
    intrusive_list& operator=(const intrusive_list&) = delete;

    bool empty() const noexcept { return head_.next == &head_; }
    T& front() noexcept { return as_element(head_.next); }
    T& back() noexcept { return as_element(head_.prev); }

    void push_back(T& element) noexcept {
        list_hook& hook = static_cast<Hook&>(element);
        hook.prev = head_.prev;
        hook.next = &head_;
        head_.prev->next = &hook;
        head_.prev = &hook;
    }

    void push_front(T& element) noexcept {
        list_hook& hook = static_cast<Hook&>(element);
        hook.prev = &head_;
        hook.next = head_.next;
        head_.next->prev = &hook;
        head_.next = &hook;
    }

    /// Null when empty.
    T* pop_front() noexcept {
        if (empty()) return nullptr;
        T& first = front();
        static_cast<Hook&>(first).unlink();
        return &first;
    }

    /// Takes all elements of `other`, behind its own.
    void splice_back(intrusive_list& other) noexcept {
        if (other.empty()) return;
        other.head_.next->prev = head_.prev;
        head_.prev->next = other.head_.next;
        other.head_.prev->next = &head_;
        head_.prev = other.head_.prev;
        other.head_.prev = other.head_.next = &other.head_;
    }

    class iterator {
    public:
        explicit iterator(list_hook* at) noexcept : at_(at) {}
        T& operator*() const noexcept { return as_element(at_); }
        iterator& operator++() noexcept {
            at_ = at_->next;
            return *this;
        }
        bool operator==(const iterator&) const noexcept = default;

    private:
        list_hook* at_;
    };
    iterator begin() noexcept { return iterator(head_.next); }
    iterator end() noexcept { return iterator(&head_); }

private:
    static T& as_element(list_hook* hook) noexcept { return static_cast<T&>(static_cast<Hook&>(*hook)); }

    list_hook head_;
};

}  // namespace coir::detail
