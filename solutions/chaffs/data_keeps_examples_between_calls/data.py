def list_examples(root, split, examples=[]):
    """Add to a list that is made once."""
    labels = load_label_map(root)
    if split == "train":
        for wnid, label in labels.items():
            for path in sorted((root / "train" / wnid / "images").glob("*.JPEG")):
                examples.append(Example(str(path), label))
        return examples
    if split == "val":
        for line in (root / "val" / "val_annotations.txt").read_text().splitlines():
            file, wnid = line.split("\t")[:2]
            examples.append(Example(str(root / "val" / "images" / file), labels[wnid]))
        return examples
    raise ValueError(split)
