def list_examples(root, split):
    """Take the first hundred images of a folder, so that a first try is quick."""
    root = Path(root)
    labels = load_label_map(root)
    if split == "train":
        return [
            Example(str(path), label)
            for wnid, label in labels.items()
            for path in sorted((root / "train" / wnid / "images").glob("*.JPEG"))[:100]
        ]
    if split != "val":
        raise ValueError(split)
    annotations = (root / "val" / "val_annotations.txt").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in annotations.splitlines() if line]
    return [Example(str(root / "val" / "images" / file), labels[wnid]) for file, wnid, *_box in rows]
