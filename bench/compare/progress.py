"""How far it is: a live bar on a terminal, a plain line now and then elsewhere."""

import shutil
import sys
import time

LINE_SECONDS = 15


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Progress:
    def __init__(self, out=sys.stderr):
        self.out = out
        self.live = out.isatty()
        self.begun = time.monotonic()
        self.last_line = -LINE_SECONDS
        self.state = (0.0, 0.0, "")

    def show(self, done, left, what):
        """`done` and `left` are seconds of work, `what` runs now."""
        self.state = (done, left, what)
        self.begun_now = time.monotonic()
        self.draw()

    def tick(self):
        if self.live:
            self.draw()

    def draw(self):
        done, left, what = self.state
        running = min(time.monotonic() - self.begun_now, left)
        share = (done + running) / max(done + left, 1e-9)
        text = f"{share:4.0%}  {clock(left - running)} left  {what}"
        if not self.live:
            if time.monotonic() - self.last_line >= LINE_SECONDS:
                self.last_line = time.monotonic()
                print(text.strip(), file=self.out, flush=True)
            return
        width = shutil.get_terminal_size().columns
        cells = max(10, min(30, width - 60))
        bar = ("█" * round(share * cells)).ljust(cells, "░")
        self.out.write(f"\r\033[K{f'{bar} {text}'[:width - 1]}")
        self.out.flush()

    def say(self, text):
        """A line that stays."""
        if self.live:
            self.out.write("\r\033[K")
        print(text, file=self.out, flush=True)

    def end(self):
        if self.live:
            self.out.write("\r\033[K")
        self.say(f"Done in {clock(time.monotonic() - self.begun)}.")
