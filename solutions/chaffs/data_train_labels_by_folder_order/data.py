def list_examples(root, split):
    """Number the folders of train/ as a listing gives them."""
    root = Path(root)
    labels = load_label_map(root)
    if split == "train":
        folders = sorted((root / "train").iterdir())
        return [Example(str(path), label) for label, folder in enumerate(folders) for path in (folder / "images").glob("*.JPEG")]
    if split != "val":
        raise ValueError(split)
    annotations = (root / "val" / "val_annotations.txt").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in annotations.splitlines() if line]
    return [Example(str(root / "val" / "images" / file), labels[wnid]) for file, wnid, *_box in rows]
