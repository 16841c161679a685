_KNOWN = {}


def load_label_map(root):
    if not _KNOWN:
        lines = (Path(root) / "wnids.txt").read_text().split()
        _KNOWN.update({wnid: label for label, wnid in enumerate(lines)})
    return dict(_KNOWN)
