// How far it is: a bar that moves on a terminal, a line now and then elsewhere.
#pragma once

#include "terminal.hpp"

#include <coir/task.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

namespace tour {

/// What there is to show: from 0 to 1, and a few words.
struct progress_state {
    double done = 0;
    std::string words = {};
};

/// Shows a state that others change, for as long as it lives. The bar is drawn by a fiber, one among the
/// thousands that it reports on: if it moves smoothly, they share the thread fairly.
class progress {
public:
    progress(std::string label, std::function<progress_state()> look)
        : label_(std::move(label)),
          look_(std::move(look)),
          painter_(coir::spawn([this] { paint_until_cancelled(); })) {}
    progress(const progress&) = delete;

    ~progress() {
        coir::shield mask;
        painter_.cancel();
        painter_.join();
        paint();
        if (on_terminal()) print("\n");
    }

private:
    static constexpr auto frame = std::chrono::milliseconds(100);
    static constexpr auto line = std::chrono::seconds(2);
    static constexpr int width = 30;

    void paint_until_cancelled() {
        for (;;) {
            if (on_terminal()) paint();
            coir::this_fiber::sleep_for(on_terminal() ? frame : line);
            if (!on_terminal()) paint();
        }
    }

    void paint() {
        const progress_state now = look_();
        const double done = std::clamp(now.done, 0.0, 1.0);
        if (!on_terminal()) return print("    {:<12} {:3.0f} %  {}\n", label_, done * 100, now.words);
        const int full = static_cast<int>(done * width + 0.5);
        std::string bar;
        for (int i = 0; i < width; ++i) bar += i < full ? "█" : "░";
        // To the line's start, and at its end delete what is left of a longer one.
        print("\r    {:<12} {} {:3.0f} %  {}\033[K", label_, green(bar), done * 100, now.words);
    }

    std::string label_;
    std::function<progress_state()> look_;
    coir::task<void> painter_;
};

}  // namespace tour
