class _Owners:
    """Finds the layer of a part of a path, with a table of all names seen so far."""

    def __init__(self, layer_names):
        self.known = {name: name for name in layer_names}

    def __call__(self, event):
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        layer = next((part for part in parts if part in self.known), None) or next(filter(None, map(self.numbered, parts)), None)
        return (layer, kernel) if layer and kernel else None

    def numbered(self, part):
        stem, _, number = part.rpartition("_")
        return self.known.get(stem) if number.isdigit() else None


def capture_trace(predict, image, log_dir, *, warmup=3):
    """Call with a tensor, wait with .numpy(), name the step."""
    batch = tf.expand_dims(tf.convert_to_tensor(image), 0)

    def run():
        return predict(batch).numpy()

    for _ in range(warmup):
        run()
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0, device_tracer_level=1)
    with tf.profiler.experimental.Profile(str(log_dir), options), tf.profiler.experimental.Trace("inference", step_num=1, _r=1):
        run()


def kernel_table(events, layer_names):
    """Two passes: who owns what, then one sum an owner."""
    owner = _Owners(layer_names)
    owned = [(owner(event), event.duration_us) for event in events]
    places = dict.fromkeys(place for place, _ in owned if place)
    rows = [KernelRow(*place, sum(us for other, us in owned if other == place)) for place in places]
    rows.sort(key=lambda row: -row.duration_us)
    return rows


def critical_kernel(rows):
    """Order a copy."""
    first, *_ = sorted(rows, key=lambda row: -row.duration_us)
    return CriticalKernel(first.layer, first.kernel, first.duration_us / sum(row.duration_us for row in rows))


def end_to_end_us(events, layer_names):
    """Follow the events and widen the span."""
    owner = _Owners(layer_names)
    start, end = float("inf"), float("-inf")
    for event in events:
        if owner(event):
            start, end = min(start, event.start_us), max(end, event.start_us + event.duration_us)
    return end - start


def summarise(samples):
    """TensorFlow for the moments, sorting by hand for the rest."""
    ordered = sorted(float(value) for value in samples)
    count = len(ordered)
    values = tf.constant(ordered, tf.float64)
    mean = tf.reduce_mean(values)
    variance = tf.reduce_sum((values - mean) ** 2) / (count - 1) if count > 1 else None

    def percentile(percent):
        place = (count - 1) * percent / 100
        below = int(place)
        above = min(below + 1, count - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    return Summary(
        count,
        float(mean),
        percentile(50),
        None if variance is None else float(tf.sqrt(variance)),
        ordered[0],
        ordered[-1],
        percentile(90) if count >= 64 else None,
        percentile(95) if count >= 130 else None,
        percentile(99) if count >= 662 else None,
    )
