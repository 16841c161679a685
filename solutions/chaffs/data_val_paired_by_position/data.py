def list_examples(root, split):
    """Pair the sorted files with the lines, one after the other."""
    root = Path(root)
    labels = load_label_map(root)
    if split == "train":
        return [
            Example(str(path), label)
            for wnid, label in labels.items()
            for path in sorted((root / "train" / wnid / "images").glob("*.JPEG"))
        ]
    if split != "val":
        raise ValueError(split)
    files = sorted((root / "val" / "images").glob("*.JPEG"))
    lines = (root / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines()
    return [Example(str(path), labels[line.split("\t")[1]]) for path, line in zip(files, lines, strict=True)]
