// <coir/base/pull_iterator.hpp>: iterating over what comes one by one, and may have to be waited for.
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>

namespace coir::detail {

/// An input iterator over a source: `source.fetch()` gets the next element, false at the end; `source.get()` is it.
///
/// Moving on does not fetch; looking at the element, or for the end, does. So who has had enough, as views::take(n) has
/// after n elements, neither takes one more nor waits for it.
template <class T, class Source>
class pull_iterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    pull_iterator() = default;
    explicit pull_iterator(Source source) : source_(std::move(source)) {}

    T& operator*() const {
        look();
        return source_.get();
    }
    T* operator->() const { return &**this; }
    pull_iterator& operator++() {
        look();  // at what is passed over, if nobody has
        is_fetched_ = false;
        return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !look(); }

private:
    bool look() const {
        if (!std::exchange(is_fetched_, true)) is_there_ = source_.fetch();
        return is_there_;
    }

    mutable Source source_{};
    mutable bool is_fetched_ = false;
    mutable bool is_there_ = false;
};

}  // namespace coir::detail
