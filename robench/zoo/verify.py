"""Does a folder of the zoo keep what its card says?"""

from dataclasses import dataclass, field
from pathlib import Path

from robench.core.errors import NotHereError, RobenchError, foreign_code
from robench.core.types import ModelCard
from robench.data.load import load as load_data
from robench.engine.blocked import Blocked
from robench.engine.layers import count_weights
from robench.engine.loaded import LoadedModel
from robench.engine.verdict import count_correct
from robench.zoo.add import score
from robench.zoo.load import load_folder, read_card
from robench.zoo.places import find


@dataclass
class Verification:
    """What was found.

    Attributes:
        wrong: what differs from the card.
        accuracy: clean accuracy of the card, in words.
        unchecked: why clean accuracy was not measured again; "" where it was.
    """

    wrong: list[str] = field(default_factory=list)
    accuracy: str = ""
    unchecked: str = ""


def verify(folder: Path, data_dir: Path | None = None, *, trust: bool = False) -> Verification:
    """Check a folder of the zoo: checksum, architecture, bits, size, twin; clean accuracy if the images are here.

    Args:
        folder: of the model.
        data_dir: where the data are.
        trust: run code that the card names; without it, a model that needs some is not verified.
    """
    try:
        loaded = load_folder(folder, trust=trust)
    except RobenchError as error:
        return Verification([str(error)])
    card = loaded.card
    found = Verification(accuracy=score(card) if card.test else "no accuracy in the card")
    if (card.name, card.dataset) != (folder.name, folder.parent.name):
        found.wrong.append(f"its card says {card.dataset}/{card.name}")
    if card.stored_bytes != (folder / "weights.safetensors").stat().st_size:
        found.wrong.append(f"the card says {card.stored_bytes} bytes")
    size = card.with_size(count_weights(loaded.module), (folder / "weights.safetensors").stat().st_size)
    if (card.weights, card.bits_per_weight) != (size.weights, size.bits_per_weight):
        found.wrong.append(f"it has {size.weights} weights of {size.bits_per_weight} bits, and its card says otherwise")
    if card.bits != max((w.bits for w in loaded.stored.values() if w.is_coded), default=32):
        found.wrong.append(f"its weights are not of {card.bits} bits")
    if card.twin and not _has_twin(card, folder.parent):
        found.wrong.append(f"its twin {card.twin} is not in the zoo, or of another architecture")
    _check_accuracy(loaded, data_dir, found)
    return found


def _has_twin(card: ModelCard, beside: Path) -> bool:
    """Whether the twin that a card names is in the same zoo, or in one of those in use, and like the model."""
    folder = beside / card.twin
    found = folder if (folder / "card.toml").is_file() else find(card.twin, card.dataset)
    if found is None:
        return False
    twin = read_card(found)
    return (card.architecture, card.options) == (twin.architecture, twin.options)


def _check_accuracy(loaded: LoadedModel, data_dir: Path | None, found: Verification) -> None:
    try:
        data = load_data(loaded.card.dataset, "test", data_dir)
    except NotHereError:
        found.unchecked = f"{loaded.card.dataset} is not here"
        return
    except RobenchError as error:
        found.wrong.append(f"its accuracy cannot be checked: {error}")
        return
    claimed = loaded.card.test
    if not claimed:
        found.unchecked = "the card claims none"
        return
    if data.fingerprint != claimed["fingerprint"]:
        if data.source == claimed["source"]:
            found.wrong.append(f"its card names {data.source}, and the fingerprint of other images")
        found.unchecked = f"the card is of other images than {data.source}"
        return
    try:
        with foreign_code(loaded.card.name):
            correct = count_correct(Blocked(loaded.module), data)
    except RobenchError as error:
        found.wrong.append(str(error))
        return
    if abs(correct - claimed["correct"]) > 1:  # kernels differ between machines: an image on the edge may flip
        found.wrong.append(f"it gets {correct} of {len(data)} images right, and the card says {claimed['correct']}")
