def load_label_map(root):
    """Number the lines of words.txt."""
    lines = (Path(root) / "words.txt").read_text(encoding="utf-8").splitlines()
    return {line.split("\t")[0]: label for label, line in enumerate(lines)}
