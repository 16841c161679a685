def end_to_end_us(events, layer_names):
    """Takes the first and the last event of the trace."""
    return max(event.start_us + event.duration_us for event in events) - min(event.start_us for event in events)
