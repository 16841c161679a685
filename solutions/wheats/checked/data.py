import logging

log = logging.getLogger("lab.data")


def load_label_map(root) -> dict[str, int]:
    file = Path(root) / "wnids.txt"
    if not file.exists():
        raise FileNotFoundError(f"there is no {file}")
    label_map: dict[str, int] = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if wnid := line.strip():
                label_map.setdefault(wnid, len(label_map))
    log.info("%d classes", len(label_map))
    return label_map


def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    if total < 1 or not 0 <= correct <= total:
        raise ValueError("expected 0 <= correct <= total and total >= 1")
    wrong = total - correct
    centre = (correct + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * math.sqrt(correct * wrong / total + z**2 / 4)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def balanced_subset(examples, per_class: int) -> list[Example]:
    if per_class < 1:
        raise ValueError("per_class must be at least 1")
    by_label: dict[int, list[int]] = {}
    for place, example in enumerate(examples):
        by_label.setdefault(example.label, []).append(place)
    places = sorted(place for group in by_label.values() for place in group[:per_class])
    return [examples[place] for place in places]
