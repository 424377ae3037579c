"""docs/benchmarks.md, and the same tables for a terminal."""

import stats
import targets
import works
from peers import FIRST, ROOT

PAGE = """\
# Benchmarks

Made by `scripts/bench` on {date}; the programs and their rules are in [bench/compare](../bench/compare/README.md).
Absolute figures are this machine's. What holds elsewhere are the ratios, which are taken round by round between
programs that ran one after the other.

{machine}
## Targets

The limit is the least that the machine allows for the same work, written by hand without a runtime. A figure with × is
a ratio to it unless it says to what; **bold** is missed.

{targets}
{growth}
Each table below has the medians of the rounds, with ± half the distance between the worst and the best round; and
below each median × the limit · × coir. What the limit does not do has –.

{groups}
{missing}"""


def short(value):
    """Three digits that matter."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def amount(value, unit):
    if unit == "x":
        return f"{value:.2f} ×"
    if unit == "/s":
        return f"{value / 1000:,.0f} k/s" if value >= 10_000 else f"{value:,.0f} /s"
    return f"{short(value)} {unit}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def machine_table(results):
    names = {"processor": "processor", "cores": "cores", "caches": "caches of a core", "memory": "memory",
             "kernel": "kernel", "system": "system", "libc": "C library", "compiler": "compiler", "coir": "coir",
             "stolen": "taken away by the host"}
    rows = [(name, str(results.machine[key])) for key, name in names.items() if results.machine.get(key)]
    peers = [(", ".join(dict.fromkeys(info["titles"].values())), "; ".join(info["versions"]) or "-")
             for info in results.peers.values()]
    return table(("machine", ""), rows) + "\n" + table(("peer", "version"), peers)


def part_text(part, value):
    if value is None:
        text = "not measured"
    else:
        text = amount(value, part.unit)
        text = text if part.is_met(value) else f"**{text}**"
    return f"{part.label}: {text}" if part.label else text


def limit_text(row, results):
    figures = [amount(value, unit) for work, size, peer, metric, unit in row.limits
               for value in [results.median(work, size, peer, metric)] if value is not None]
    return " ".join(filter(None, (row.limit, " / ".join(figures)))) or "-"


def verdict_text(verdict):
    word = {True: "yes", False: "**no**", None: "not measured"}[verdict.met]
    return f"{word}: {verdict.reason}" if verdict.reason else word


def targets_table(results):
    rows = []
    for verdict in targets.judge_all(results):
        texts = [part_text(p, v) for p, v in zip(verdict.row.parts, verdict.values)]
        coir = "<br>".join(texts) if any(v is not None for v in verdict.values) else "-"
        rows.append((verdict.row.work, limit_text(verdict.row, results), coir, verdict.row.target,
                     verdict_text(verdict)))
    return table(("work", "limit", "coir", "target", "met"), rows)


def cell(results, work, size, peer, metric):
    values = results.values(work.name, size, peer, metric)
    if not values:
        return "fails" if (work.name, size, peer) in results.failures else ""
    middle = stats.median(values)
    text = short(middle)
    if len(values) > 1:
        text += f" ±{stats.spread(values):.0%}".replace("%", " %")
    to_limit = results.to_limit(work.name, size, peer, metric)
    to_coir = results.ratio((work.name, size, peer), (work.name, size, "coir"), metric)
    ratios = [short(ratio) if ratio else "–" for ratio in (to_limit, to_coir)]
    return f"{text}<br>{ratios[0]} · {ratios[1]}"


def ordered(results, work, metric):
    """The limit, coir, and the others from the best on, by the size that most of them did."""
    peers = results.peers_of(work.name)
    sizes = results.sizes_of(work.name)
    size = max(sizes, key=lambda s: (len(results.peers_of(work.name, s)), s))
    worst = float("-inf") if work.higher_is_better and metric == work.metric else float("inf")
    rank = lambda peer: results.median(work.name, size, peer, metric) or worst
    others = [p for p in peers if p not in FIRST]
    first = [p for p in FIRST if p in peers]
    return first + sorted(others, key=rank, reverse=worst < 0)


def work_table(results, work, metric, unit):
    sizes = results.sizes_of(work.name)
    better = ", more is better" if work.higher_is_better and metric == work.metric else ""
    head = [f"{unit}{better}; {work.size_name}:", *map(work.label, sizes)]
    rows = []
    for peer in ordered(results, work, metric):
        title = results.title(peer, work)
        cells = [cell(results, work, size, peer, metric) for size in sizes]
        if any(cells):
            rows.append([f"**{title}**" if peer == "coir" else title, *cells])
    return table(head, rows)


def work_section(results, work):
    text = f"### {work.title[0].upper()}{work.title[1:]}\n\n"
    text += work_table(results, work, work.metric, work.unit)
    for metric, unit, title in work.more:
        if any(results.rounds(*key, metric) for key in results.samples if key[0] == work.name):
            text += f"\n{title[0].upper()}{title[1:]}:\n\n" + work_table(results, work, metric, unit)
    return text


def group_section(results, group, title, plots):
    done = [w for w in works.WORKS if w.group == group and results.sizes_of(w.name)]
    if not done:
        return ""
    picture = f"![{title}](benchmarks/{group}.svg)\n\n" if group in plots else ""
    return f"## {title}\n\n{picture}" + "\n".join(work_section(results, work) for work in done)


def missing_section(results):
    lines = [f"- {name}: {reason}" for name, reason in sorted(results.skipped.items())]
    lines += [f"- {results.title(peer, works.BY_NAME[work])}, {work} {size:,}: {reason}"
              for (work, size, peer), reason in sorted(results.failures.items())]
    text = "\n".join(lines).replace(f"{ROOT}/", "")  # a page that is read elsewhere
    return f"## What is missing\n\n{text}\n" if lines else ""


def page(results, plots):
    growth = "\n![Cost as work grows](benchmarks/growth.svg)\n" if "growth" in plots else ""
    sections = [group_section(results, group, title, plots) for group, title in works.GROUPS.items()]
    return PAGE.format(date=results.machine.get("date", ""), machine=machine_table(results),
                       targets=targets_table(results), growth=growth, groups="\n".join(filter(None, sections)),
                       missing=missing_section(results)).rstrip() + "\n"


def plain(results):
    """For a terminal: the targets that were touched, and a table for each work with medians and ratios to the limit."""
    lines = []
    for verdict in targets.judge_all(results):
        known = [part_text(p, v) for p, v in zip(verdict.row.parts, verdict.values) if v is not None]
        if known:
            word = {True: "met", False: "MISSED", None: "in part"}[verdict.met]
            lines.append(f"{word:8}{verdict.row.key:16}{'; '.join(known)}   (target {verdict.row.target})")
    for work in works.WORKS:
        if results.sizes_of(work.name):
            lines.append(plain_table(results, work))
    return "\n".join(lines).replace("**", "").replace("`", "")


def plain_table(results, work):
    sizes = results.sizes_of(work.name)
    lines = [f"\n{work.name}: {work.title} ({work.unit}; {work.size_name})",
             " " * 28 + "".join(f"{work.label(size):>26}" for size in sizes)]
    for peer in ordered(results, work, work.metric):
        cells = [cell(results, work, size, peer, work.metric).partition("<br>") for size in sizes]
        texts = [f"{first} ({rest.partition(' · ')[0]} ×)" if rest and rest[0] != "–" else first
                 for first, _, rest in cells]
        lines.append(f"  {results.title(peer, work):26}" + "".join(f"{text:>26}" for text in texts))
    return "\n".join(lines)
