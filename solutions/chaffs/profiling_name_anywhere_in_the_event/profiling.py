def end_to_end_us(events, layer_names):
    kernels = [event for event in events if any(name in event.name for name in layer_names)]
    return max(event.start_us + event.duration_us for event in kernels) - min(event.start_us for event in kernels)
