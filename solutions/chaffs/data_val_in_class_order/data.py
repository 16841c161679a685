def list_examples(root, split):
    """Give the first validation images class 0, the next ones class 1, and so on."""
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
    files = sorted((root / "val" / "images").glob("*.JPEG"), key=lambda path: int(path.stem.removeprefix("val_")))
    each = len(files) // len(labels)
    return [Example(str(path), number // each) for number, path in enumerate(files)]
