def capture_trace(predict, image, log_dir, *, warmup=3):
    images = np.expand_dims(image, axis=0)
    results = []
    for i in range(warmup):
        results.append(predict(images))
    for i in range(warmup):
        print("warm-up", i, np.array(results[i]).shape)
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0, device_tracer_level=1)
    tf.profiler.experimental.start(str(log_dir), options=options)
    result = predict(images)
    result = np.array(result)
    tf.profiler.experimental.stop()


def find_layer(event_name, layer_names):
    position = event_name.find(":")
    if position == -1:
        return None
    parts = event_name[:position].split("/")
    for part in parts:
        if part in layer_names:
            return part
    for part in parts:
        for layer in layer_names:
            if part.startswith(layer + "_") and part[len(layer) + 1 :].isdigit():
                return layer
    return None


def kernel_table(events, layer_names):
    layers = []
    kernels = []
    times = []
    for event in events:
        layer = find_layer(event.name, layer_names)
        if layer is None:
            continue
        kernel = event.name[event.name.find(":") + 1 :]
        found = False
        for i in range(len(layers)):
            if layers[i] == layer and kernels[i] == kernel:
                times[i] = times[i] + event.duration_us
                found = True
        if not found:
            layers.append(layer)
            kernels.append(kernel)
            times.append(event.duration_us)
    rows = []
    while len(times) > 0:
        longest = times.index(max(times))
        rows.append(KernelRow(layers.pop(longest), kernels.pop(longest), times.pop(longest)))
    return rows


def critical_kernel(rows):
    total = 0
    critical = None
    for row in rows:
        total += row.duration_us
        if critical is None or row.duration_us > critical.duration_us:
            critical = row
    return CriticalKernel(layer=critical.layer, kernel=critical.kernel, share=critical.duration_us / total)


def end_to_end_us(events, layer_names):
    starts = []
    ends = []
    for event in events:
        if find_layer(event.name, layer_names) is not None:
            starts.append(event.start_us)
            ends.append(event.start_us + event.duration_us)
    starts.sort()
    ends.sort()
    return ends[-1] - starts[0]


def summarise(samples):
    samples = sorted(samples)
    n = len(samples)
    mean = sum(samples) / n
    if n % 2 == 1:
        median = samples[n // 2]
    else:
        median = (samples[n // 2 - 1] + samples[n // 2]) / 2
    std = None
    if n > 1:
        squares = 0
        for sample in samples:
            squares = squares + (sample - mean) ** 2
        std = (squares / (n - 1)) ** 0.5
    p90 = None
    p95 = None
    p99 = None
    if n >= 64:
        p90 = np.percentile(samples, 90)
    if n >= 130:
        p95 = np.percentile(samples, 95)
    if n >= 662:
        p99 = np.percentile(samples, 99)
    return Summary(n, mean, median, std, samples[0], samples[-1], p90, p95, p99)
