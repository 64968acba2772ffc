"""Models on the Hugging Face Hub: ``hf:OWNER/NAME[@REVISION]``, always pinned to the revision that was read."""

from pathlib import Path

from robench.core.errors import NotHereError, RobenchError
from robench.core.optional import import_optional
from robench.zoo.network import reachable

PREFIX = "hf:"
FILES = ("card.toml", "weights.safetensors")


def parse(spec: str) -> tuple[str, str | None, str]:
    """``hf:OWNER/NAME[@REVISION][/FILE]`` -> (repository, revision or None, file or "").

    Raises:
        RobenchError: it is not of this form.
    """
    owner, _, rest = spec.removeprefix(PREFIX).partition("/")
    name, _, file = rest.partition("/")
    name, _, revision = name.partition("@")
    if not owner or not name:
        raise RobenchError(f"{spec} is not of the form hf:OWNER/NAME[@REVISION].")
    return f"{owner}/{name}", revision or None, file


def fetch(spec: str, files: tuple[str, ...]) -> tuple[list[Path], str]:
    """Download files of a repository at one revision.

    Returns:
        (their paths in the hub's cache, ``hf:OWNER/NAME@COMMIT``).

    Raises:
        RobenchError: the repository or a file of it cannot be had.
    """
    hub = import_optional("huggingface_hub")
    repository, revision, _ = parse(spec)
    if not reachable():
        raise NotHereError(
            f"{spec} could not be fetched: the Hugging Face Hub does not answer. Check the network, or fetch the files "
            "elsewhere and name their folder."
        )
    try:
        commit = hub.HfApi().model_info(repository, revision=revision).sha
        paths = [Path(hub.hf_hub_download(repository, file, revision=commit)) for file in files]
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(
            f"{', '.join(files)} of {spec} could not be fetched from the Hugging Face Hub: {reason}"
        ) from error
    return paths, f"{PREFIX}{repository}@{commit}"


def fetch_model(spec: str) -> tuple[Path, str]:
    """A folder with card.toml and weights.safetensors from the hub, and its pinned source."""
    paths, source = fetch(spec, FILES)
    return paths[0].parent, source


def fetch_checkpoint(spec: str) -> tuple[Path, str]:
    """A checkpoint on disk or on the hub, and its source ("" for a file on disk)."""
    if not spec.startswith(PREFIX):
        return Path(spec), ""
    file = parse(spec)[2]
    if not file:
        raise RobenchError(f"name a file of the repository: {spec}/model.safetensors.")
    paths, source = fetch(spec, (file,))
    return paths[0], f"{source}/{file}"
