// Three frames that return after each switch, as in a real program.
#pragma once

namespace measure {

template <class Switch>
[[gnu::noinline]] void one_frame_deep(Switch& f) {
    f();
    asm volatile("");
}
template <class Switch>
[[gnu::noinline]] void two_frames_deep(Switch& f) {
    one_frame_deep(f);
    asm volatile("");
}
template <class Switch>
[[gnu::noinline]] void three_frames_deep(Switch& f) {
    two_frames_deep(f);
    asm volatile("");
}

}  // namespace measure
