import statistics

import pandas as pd


def capture_trace(predict, image, log_dir, *, warmup=3):
    """The context manager with its defaults."""
    images = [image[None]] * (warmup + 1)
    for batch in images[1:]:
        float(predict(batch)[0, 0])
    with tf.profiler.experimental.Profile(str(log_dir)):
        float(predict(images[0])[0, 0])


def _frame(events, layer_names):
    frame = pd.DataFrame([event._asdict() for event in events], columns=list(Event._fields))
    layers = [
        next((form for form in [*parts, *(re.sub(r"_\d+$", "", part) for part in parts)] if form in layer_names), None)
        for parts in (name.partition(":")[0].split("/") for name in frame["name"])
    ]
    frame = frame.assign(layer=layers, kernel=[name.partition(":")[2] for name in frame["name"]])
    return frame[frame["layer"].notna() & (frame["kernel"] != "")]


def kernel_table(events, layer_names):
    """Group, sum, sort."""
    table = _frame(events, layer_names).groupby(["layer", "kernel"])["duration_us"].sum().sort_values(ascending=False)
    return [KernelRow(layer, kernel, us) for (layer, kernel), us in table.items()]


def critical_kernel(rows):
    """The row of the largest share."""
    frame = pd.DataFrame(list(rows), columns=list(KernelRow._fields))
    frame["share"] = frame["duration_us"] / frame["duration_us"].sum()
    return frame.loc[frame["share"].idxmax(), list(CriticalKernel._fields)].to_dict()


def end_to_end_us(events, layer_names):
    """Columns instead of loops."""
    frame = _frame(events, layer_names)
    return (frame["start_us"] + frame["duration_us"]).max() - frame["start_us"].min()


def summarise(samples):
    """The statistics module, and pandas for percentiles."""
    values = [float(sample) for sample in samples]
    count, series = len(values), pd.Series(values)
    return Summary(
        count,
        statistics.fmean(values),
        statistics.median(values),
        statistics.stdev(values) if count > 1 else None,
        min(values),
        max(values),
        *(series.quantile(share) if count >= needed else None for share, needed in ((0.9, 64), (0.95, 130), (0.99, 662))),
    )
