"""What a program must print: one line of JSON, with the figures of its work and a check that holds."""

import json
import math

from process import Failed


def parse(text):
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        raise Failed(f"printed {len(lines)} lines, not one")
    try:
        sample = json.loads(lines[0])
    except ValueError:
        raise Failed(f"printed no JSON: {lines[0][:80]}") from None
    if not isinstance(sample, dict):
        raise Failed("printed no JSON object")
    return sample


def number(sample, key):
    value = sample.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise Failed(f"'{key}' is {value!r}, not a number")
    return value


def validate(sample, work, size, metric=None):
    """The sample, when it is one of this work and its answers are right."""
    for key in ("ops", "check", metric or work.metric):
        number(sample, key)
    if not sample[metric or work.metric]:
        raise Failed(f"'{metric or work.metric}' is 0")
    if not work.check(sample, size):
        raise Failed(f"wrong answer: check {sample['check']:.15g} after {sample['ops']:.15g} operations")
    return sample
