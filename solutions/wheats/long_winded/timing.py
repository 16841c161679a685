def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    n = images.shape[0]
    i = 0
    for w in range(warmup):
        result = predict(images[i].reshape(1, images.shape[1], images.shape[2], images.shape[3]))
        result = np.array(result)
        i = i + 1
        if i == n:
            i = 0
    t0 = clock()
    for i in range(n):
        result = predict(images[i].reshape(1, images.shape[1], images.shape[2], images.shape[3]))
        result = np.array(result)
    t1 = clock()
    total = t1 - t0
    return Timing(n, 1, total, total / n * 1000, n / total)


def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    n = len(images)
    batches = []
    start = 0
    while start < n:
        batches.append(images[start : min(start + batch_size, n)])
        start += batch_size
    full_batches = []
    for batch in batches:
        if len(batch) == batch_size:
            full_batches.append(batch)
    if len(full_batches) == 0:
        full_batches = batches
    for w in range(warmup):
        result = np.array(predict(full_batches[w % len(full_batches)]))
    t0 = clock()
    for batch in batches:
        result = np.array(predict(batch))
    t1 = clock()
    total = t1 - t0
    latency = total / len(batches) * 1000
    throughput = n / total
    return Timing(n, batch_size, total, latency, throughput)


def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    results = []
    for count in counts:
        print("timing", count, "images")
        results.append(time_online(predict, images[:count], warmup=warmup, clock=clock))
    return results


def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    results = []
    for i in range(len(batch_sizes)):
        results.append(time_batches(predict, images, batch_sizes[i], warmup=warmup, clock=clock))
    return results
