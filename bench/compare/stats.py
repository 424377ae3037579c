"""Medians, spreads and ratios of a few samples."""

import statistics


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the distance from the least to the greatest, relative to the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def noise(values):
    """Half the distance between the quartiles, relative to the median: what one bad round does not move."""
    middle = median(values)
    if len(values) < 3 or not middle:
        return spread(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle


def paired_ratios(tops, bottoms):
    """One ratio for each round that both have ({round: value}); without such rounds that of the medians."""
    common = sorted(set(tops) & set(bottoms))
    if common:
        return [tops[r] / bottoms[r] for r in common if bottoms[r]]
    if not tops or not bottoms:
        return []
    return [median(tops.values()) / median(bottoms.values())]
