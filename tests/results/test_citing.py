"""Every paper that a shipped model or suite names has an entry, and entries are whole."""

import re
from importlib.metadata import version
from importlib.resources import files

import pytest

from robench import suites, zoo
from robench.results import citing

BIBLIOGRAPHY = (files("robench.results") / "references.bib").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n\n+", BIBLIOGRAPHY.strip())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.partition(",")[0])
def test_an_entry_is_whole(entry: str) -> None:
    assert re.fullmatch(r"@[a-z]+\{[a-z0-9]+,\n(  [a-z]+ = \{.+\},\n)+  [a-z]+ = \{.+\}\n\}", entry)
    assert {"title", "author", "year"} <= set(re.findall(r"^  ([a-z]+) =", entry, re.MULTILINE))
    assert entry.count("{") == entry.count("}")
    eprint = re.search(r"eprint = \{(.*)\}", entry)
    if eprint:
        assert re.fullmatch(r"\d{4}\.\d{4,5}", eprint[1])


def test_keys_and_papers_are_there_once() -> None:
    for pattern in (r"@[a-z]+\{(.*),", r"eprint = \{(.*)\}", r"  title = (.*)"):
        found = re.findall(pattern, BIBLIOGRAPHY)
        assert len(found) == len(set(found))


def test_every_model_of_the_zoo_can_be_cited() -> None:
    for dataset, models in zoo.names().items():
        for model in models:
            names = citing.of_model(zoo.read_card(zoo.root() / dataset / model))
            assert len(names) >= 2
            assert citing.entries(names)[1] == []


@pytest.mark.parametrize("name", suites.names())
def test_every_shipped_suite_can_be_cited(name: str) -> None:
    assert citing.entries(citing.of_conditions(suites.load(name).conditions))[1] == []


def test_what_names_a_paper() -> None:
    text = "Li 2016, arXiv:1605.04711; Liu, ARXIV: 1808.00278. Agresti (doi:10.1002/sim.1781), arXiv:1605.04711"
    assert citing.identifiers(text) == ["1605.04711", "1808.00278", "10.1002/sim.1781"]
    found, unknown = citing.entries(["1605.04711", "0000.00000", "1605.04711"])
    assert [entry.partition(",")[0] for entry in found] == ["@misc{li2016ternary"]
    assert unknown == ["0000.00000"]


def test_suites_name_the_papers_of_their_plugins() -> None:
    assert "1706.06083" in citing.of_conditions(suites.load("robench-v1").conditions)
    assert "1903.12261" in citing.of_conditions(suites.load("quick").conditions)
    assert "2006.13977" in citing.of_conditions(suites.load("robench-memory").conditions)


def test_robench_itself() -> None:
    assert citing.software().count("{") == citing.software().count("}")
    assert f"version = {{{version('robench')}}}" in citing.software()
