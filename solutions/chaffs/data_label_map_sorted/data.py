def load_label_map(root):
    """Sort the ids."""
    wnids = (Path(root) / "wnids.txt").read_text(encoding="utf-8").split()
    return {wnid: label for label, wnid in enumerate(sorted(wnids))}
