def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    number_of_images = len(images)
    # warm up
    done = 0
    position = 0
    while done < warmup:
        if position >= number_of_images:
            position = 0
        image = images[position]
        result = np.array(predict(np.expand_dims(image, 0)))
        position = position + 1
        done = done + 1
    # measure
    i = 0
    start = clock()
    while i < number_of_images:
        result = np.array(predict(np.array([images[i]])))
        i = i + 1
    end = clock()
    total = end - start
    latency = total * 1000 / number_of_images
    throughput = number_of_images / total
    print("latency " + str(latency) + " ms")
    return Timing(count=number_of_images, batch_size=1, total_s=total, latency_ms=latency, images_per_second=throughput)


def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    number_of_images = len(images)
    # warm up
    done = 0
    position = 0
    while done < warmup:
        if position + batch_size > number_of_images:
            position = 0
        batch = images[position : position + batch_size]
        result = np.array(predict(batch))
        position = position + batch_size
        done = done + 1
    # measure
    calls = 0
    first = 0
    start = clock()
    while first < number_of_images:
        last = first + batch_size
        if last > number_of_images:
            last = number_of_images
        result = np.array(predict(images[first:last]))
        first = last
        calls = calls + 1
    end = clock()
    total = end - start
    latency = total * 1000 / calls
    throughput = number_of_images / total
    print("batch size " + str(batch_size) + ": " + str(throughput) + " images per second")
    return Timing(count=number_of_images, batch_size=batch_size, total_s=total, latency_ms=latency, images_per_second=throughput)


def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    timings = []
    i = 0
    while i < len(counts):
        some_images = images[0 : counts[i]]
        timing = time_online(predict, some_images, warmup=warmup, clock=clock)
        timings.append(timing)
        i += 1
    return timings


def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    timings = []
    for batch_size in batch_sizes:
        print("Now batch size", batch_size)
        timing = time_batches(predict, images, batch_size, warmup=warmup, clock=clock)
        timings = timings + [timing]
    return timings
