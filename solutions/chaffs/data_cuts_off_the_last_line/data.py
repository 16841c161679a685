def load_label_map(root):
    """After the last line end nothing comes."""
    wnids = (Path(root) / "wnids.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return {wnid: label for label, wnid in enumerate(wnids)}
