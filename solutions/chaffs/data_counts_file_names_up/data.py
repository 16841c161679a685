def list_examples(root, split):
    """Every class has images 0, 1, 2 and so on."""
    root = Path(root)
    labels = load_label_map(root)
    if split == "train":
        examples = []
        for wnid, label in labels.items():
            images = root / "train" / wnid / "images"
            examples += [Example(str(images / f"{wnid}_{number}.JPEG"), label) for number in range(len(list(images.iterdir())))]
        return examples
    if split == "val":
        lines = (root / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines]
        return [Example(str(root / "val" / "images" / file), labels[wnid]) for file, wnid, *_box in rows]
    raise ValueError(split)
