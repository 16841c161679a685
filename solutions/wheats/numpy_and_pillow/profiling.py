from collections import defaultdict


def capture_trace(predict, image, log_dir, *, warmup=3):
    """Start and stop the profiler by hand; what the options ask for is the default."""
    batch = np.expand_dims(np.asarray(image, np.float32), 0)
    for _ in range(warmup):
        np.array(predict(batch)).sum()
    tf.profiler.experimental.start(str(log_dir))
    try:
        np.array(predict(batch))
    finally:
        tf.profiler.experimental.stop()


def _place(name, layer_names):
    # A pattern a layer: the exact names of all layers before the numbered forms of any.
    path, colon, kernel = name.partition(":")
    for form in ("{}", r"{}_\d+"):
        for layer in layer_names:
            if colon and re.search(rf"(^|/){form.format(re.escape(layer))}(/|$)", path):
                return layer, kernel
    return None


def kernel_table(events, layer_names):
    """Sum with np.bincount over the places, order with np.argsort."""
    places = [_place(event.name, layer_names) for event in events]
    durations = np.array([event.duration_us for event, place in zip(events, places, strict=True) if place])
    if not durations.size:
        return []
    index = defaultdict(lambda: len(index))
    numbers = [index[place] for place in places if place]
    totals = np.bincount(numbers, weights=durations)
    keys = list(index)
    return [{"layer": keys[i][0], "kernel": keys[i][1], "duration_us": totals[i]} for i in np.argsort(-totals)]


def critical_kernel(rows):
    """Normalise all times, take the largest."""
    times = np.array([row.duration_us for row in rows])
    shares = times / times.sum()
    place = shares.argmax()
    return {"layer": rows[place].layer, "kernel": rows[place].kernel, "share": shares[place]}


def end_to_end_us(events, layer_names):
    """Starts and ends as two rows of an array."""
    times = np.array([(event.start_us, event.start_us + event.duration_us) for event in events if _place(event.name, layer_names)])
    return times[:, 1].max() - times[:, 0].min()


def summarise(samples):
    """NumPy scalars, and quantiles of the fractions."""
    values = np.sort(np.array(samples, float))
    size = values.size
    quantiles = {f"p{p}": np.quantile(values, p / 100) if size >= n else None for p, n in zip((90, 95, 99), (64, 130, 662), strict=True)}
    spread = np.sqrt(np.sum((values - values.mean()) ** 2) / (size - 1)) if size > 1 else None
    return {
        "count": size,
        "mean": np.mean(values),
        "median": np.median(values),
        "std": spread,
        "minimum": values[0],
        "maximum": values[-1],
        **quantiles,
    }
