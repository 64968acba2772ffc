"""Files in the right grammar that say anything: what comes back is an object, or one sentence."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robench import suites, zoo
from robench.core.errors import RobenchError
from robench.quantizers import files as weights
from robench.results import cards
from robench.results.markdown import leaderboard

BOARD = Path(__file__).parents[2] / "leaderboards" / "cards"
RESULT = "alexnet_none_c.digits.robench-v1"
SUITE = {
    "name": "mine",
    "version": 1,
    "n_images": 5,
    "seed": 0,
    "conditions": [
        {"kind": "attack", "names": ["pgd"], "levels": ["8/255", 0.1], "params": {"steps": 3}, "search": True},
        {"kind": "corruption", "names": ["gaussian"], "levels": [1, 5], "draws": 2},
        {"kind": "distortion", "names": ["gaussian"], "levels": [0.1], "params": {"scope": "all"}},
    ],
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["../../x", "a/b", "x | y", "<script>", "nan", "8/0", 10**12, -1, 0, 2**31]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FEW = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in plain data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in inner for place in [(*at, key), *places(value, (*at, key))]]


def with_value(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value in one place."""
    copy = json.loads(json.dumps(data))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def without_none(value: Any) -> Any:
    """TOML has no null."""
    if isinstance(value, dict):
        return {key: without_none(inner) for key, inner in value.items() if inner is not None}
    return [without_none(inner) for inner in value if inner is not None] if isinstance(value, list) else value


@FEW
@given(place=st.sampled_from(places(SUITE)), value=VALUES)
def test_suites(place: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    text = tomli_w.dumps(without_none(with_value(SUITE, place, value)))
    (tmp_path / "s.toml").write_text(text, encoding="utf-8", errors="replace")
    try:
        suite = suites.load(str(tmp_path / "s.toml"))
    except RobenchError:
        return
    assert 1 <= len(suite.conditions) <= suites.MOST_CONDITIONS
    assert "/" not in suite.name


@pytest.fixture
def small_card(tmp_path: Path) -> dict[str, Any]:
    """A card of three measurements, on disk as ``c.json`` with its outcomes."""
    whole = cards.read(BOARD / f"{RESULT}.json")
    few = cards.ResultCard(
        whole.model,
        cards.Suite("mine", 1, 5, 0, whole.suite.conditions[:3]),
        whole.data,
        whole.measurements[:3],
        whole.twin,
        whole.provenance,
    )
    path = cards.write(few, tmp_path)
    cards.outcomes_path(path).rename(tmp_path / "c.outcomes.npz")
    path.rename(tmp_path / "c.json")
    data: dict[str, Any] = json.loads((tmp_path / "c.json").read_text())
    return data


@FEW
@given(chosen=st.integers(0, 10**6), value=VALUES)
def test_cards(chosen: int, value: Any, small_card: dict[str, Any], tmp_path: Path) -> None:
    ways = places(small_card)
    changed = with_value(small_card, ways[chosen % len(ways)], value)
    (tmp_path / "c.json").write_text(json.dumps(changed), encoding="utf-8")
    try:
        card = cards.read(tmp_path / "c.json")
        board = leaderboard([card])
    except RobenchError:
        return
    assert "<script" not in board


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and what follows it."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


HEADER, BODY = header_of(zoo.root() / "digits" / "twn_resnet20" / "weights.safetensors")
LAYOUT = json.loads(HEADER["__metadata__"]["lowbit"])


def read_weights(header: dict[str, Any], folder: Path) -> None:
    text = json.dumps(header).encode()
    (folder / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + BODY)
    try:
        model = weights.load(folder / "w.safetensors")
    except RobenchError:
        return
    assert model.floats or model.codes


@FEW
@given(place=st.sampled_from(places(HEADER)), value=VALUES)
def test_headers_of_weights(place: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    read_weights(with_value(HEADER, place, value), tmp_path)


@FEW
@given(place=st.sampled_from(places(LAYOUT)), value=VALUES)
def test_layouts_of_weights(place: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    layout = json.dumps(with_value(LAYOUT, place, value))
    read_weights(HEADER | {"__metadata__": HEADER["__metadata__"] | {"lowbit": layout}}, tmp_path)
