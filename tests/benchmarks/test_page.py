"""The page of speeds is what the last benchmarks of each kind of processor found."""

from pathlib import Path

from speed_page import KINDS, PAGE, Profile, Record, Row, markdown, read


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text() == markdown(read())
    assert "| PGD-20 at six epsilons, fp_resnet20 |" in PAGE.read_text()


def test_a_run_replaces_the_section_of_its_own_kind_alone(tmp_path: Path) -> None:
    old, new = ([Row("PGD", 2.0, "torchattacks", seconds)] for seconds in (20.0, 15.0))
    for kind in KINDS:
        Record(kind, {"processor": kind}, old).write(tmp_path)
    profile = Profile("PGD", 4.0, [("forward", 100, 50.0)])
    Record("float32", {"processor": "slow"}, new, [profile], "a note").write(tmp_path)
    assert [record.machine["processor"] for record in read(tmp_path)] == ["bfloat16", "slow"]
    page = markdown(read(tmp_path))
    assert "| PGD | 10.00 | 7.50 |" in page
    assert "The floor is 2.0 s, 50% of it" in page
    assert page.count("a note") == 1
