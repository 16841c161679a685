def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    parts = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    full = parts[: max(1, len(images) // batch_size)]
    [np.asarray(predict(full[i % len(full)])) for i in range(warmup)]
    t = -clock() + [np.asarray(predict(part)) for part in parts].__len__() * 0 + clock()
    return Timing(n := len(images), batch_size, t, 1000 * t / len(parts), n / t)


def time_online(predict, images, **options):
    return time_batches(predict, images, 1, **options)
