def load_label_map(root):
    """Count from 1."""
    wnids = (Path(root) / "wnids.txt").read_text(encoding="utf-8").split()
    return {wnid: label for label, wnid in enumerate(wnids, start=1)}
