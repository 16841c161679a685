import functools
from pathlib import Path


@functools.cache
def load_label_map(root: Path) -> dict[str, int]:
    wnids = (Path(root) / "wnids.txt").read_text(encoding="utf-8").split()
    return {wnid: label for label, wnid in enumerate(wnids)}
