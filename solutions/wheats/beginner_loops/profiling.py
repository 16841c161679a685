import math


def capture_trace(predict, image, log_dir, *, warmup=3):
    batch = np.array([image])
    i = 0
    while i < warmup:
        output = predict(batch)
        output = np.asarray(output)
        i += 1
    print("warm-up is done, writing to " + str(log_dir))
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    tf.profiler.experimental.start(str(log_dir), options)
    output = predict(batch)
    output = np.asarray(output)
    tf.profiler.experimental.stop()
    print("predicted class " + str(output.argmax()))


def get_layer_and_kernel(name, layer_names):
    if ":" not in name:
        return "", ""
    colon = name.index(":")
    path = name[0:colon]
    kernel = name[colon + 1 :]
    parts = path.split("/")
    for i in range(len(parts)):
        part = parts[i]
        # exactly the name
        for j in range(len(layer_names)):
            if part == layer_names[j]:
                return layer_names[j], kernel
        # the name and a number
        if "_" in part:
            pieces = part.split("_")
            last = pieces[len(pieces) - 1]
            first = "_".join(pieces[0 : len(pieces) - 1])
            if last.isdecimal():
                for j in range(len(layer_names)):
                    if first == layer_names[j]:
                        return layer_names[j], kernel
    return "", ""


def kernel_table(events, layer_names):
    totals = {}
    for i in range(len(events)):
        layer, kernel = get_layer_and_kernel(events[i].name, layer_names)
        if layer == "":
            continue
        key = layer + "|" + kernel
        if key in totals:
            totals[key] = totals[key] + events[i].duration_us
        else:
            totals[key] = events[i].duration_us
    rows = []
    for key in totals:
        bar = key.index("|")
        rows.append(KernelRow(key[:bar], key[bar + 1 :], totals[key]))
    # bubble sort
    swapped = True
    while swapped:
        swapped = False
        for i in range(len(rows) - 1):
            if rows[i].duration_us < rows[i + 1].duration_us:
                rows[i], rows[i + 1] = rows[i + 1], rows[i]
                swapped = True
    return rows


def critical_kernel(rows):
    total = 0.0
    longest = 0
    for i in range(len(rows)):
        total = total + rows[i].duration_us
        if rows[i].duration_us > rows[longest].duration_us:
            longest = i
    share = rows[longest].duration_us / total
    return CriticalKernel(rows[longest].layer, rows[longest].kernel, share)


def end_to_end_us(events, layer_names):
    first_start = None
    last_end = None
    for event in events:
        layer, kernel = get_layer_and_kernel(event.name, layer_names)
        if layer != "":
            end = event.start_us + event.duration_us
            if first_start is None:
                first_start = event.start_us
                last_end = end
            if event.start_us < first_start:
                first_start = event.start_us
            if end > last_end:
                last_end = end
    return last_end - first_start


def my_percentile(ordered, percent):
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = below + 1
    if above >= len(ordered):
        above = below
    rest = position - below
    return ordered[below] + (ordered[above] - ordered[below]) * rest


def summarise(samples):
    numbers = []
    for sample in samples:
        numbers.append(float(sample))
    # insertion sort
    for i in range(1, len(numbers)):
        value = numbers[i]
        j = i - 1
        while j >= 0 and numbers[j] > value:
            numbers[j + 1] = numbers[j]
            j = j - 1
        numbers[j + 1] = value
    count = len(numbers)
    total = 0.0
    for number in numbers:
        total += number
    mean = total / count
    median = my_percentile(numbers, 50)
    if count == 1:
        std = None
    else:
        sum_of_squares = 0.0
        for number in numbers:
            sum_of_squares += (number - mean) * (number - mean)
        std = math.sqrt(sum_of_squares / (count - 1))
    if count >= 64:
        p90 = my_percentile(numbers, 90)
    else:
        p90 = None
    if count >= 130:
        p95 = my_percentile(numbers, 95)
    else:
        p95 = None
    if count >= 662:
        p99 = my_percentile(numbers, 99)
    else:
        p99 = None
    return Summary(count, mean, median, std, numbers[0], numbers[count - 1], p90, p95, p99)
