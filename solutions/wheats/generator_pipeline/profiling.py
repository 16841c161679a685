import itertools
import statistics
from operator import attrgetter


def _layer_of(event, layer_names):
    scope, colon, kernel = event.name.partition(":")
    if not colon or not kernel:
        return None
    pattern = re.compile("(" + "|".join(map(re.escape, sorted(layer_names, key=len, reverse=True))) + r")(?:_\d+)?")
    parts = scope.split("/")
    exact = [part for part in parts if part in layer_names]
    numbered = [match[1] for part in parts if (match := pattern.fullmatch(part))]
    return (exact or numbered or [None])[0]


def kernel_table(events, layer_names):
    kept = sorted((layer, event.name.partition(":")[2], event.duration_us) for event in events if (layer := _layer_of(event, layer_names)))
    groups = itertools.groupby(kept, key=lambda row: row[:2])
    rows = [KernelRow(*key, sum(row[2] for row in group)) for key, group in groups]
    rows.sort(key=attrgetter("duration_us"))
    return rows[::-1]


def end_to_end_us(events, layer_names):
    mine = [event for event in events if _layer_of(event, layer_names) is not None]
    return max(event.start_us + event.duration_us for event in mine) - min(map(attrgetter("start_us"), mine))


def summarise(samples):
    values = list(map(float, samples))

    def quantile(percent):
        return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

    return {
        "count": len(values),
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "std": statistics.stdev(values) if len(values) >= 2 else None,
        "minimum": min(values),
        "maximum": max(values),
        "p90": quantile(90) if len(values) >= 64 else None,
        "p95": quantile(95) if len(values) >= 130 else None,
        "p99": quantile(99) if len(values) >= 662 else None,
    }
