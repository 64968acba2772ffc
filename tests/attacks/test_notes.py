"""What searches have noted adds up, and gives the flags."""

from robench.attacks.notes import Notes


def test_notes_of_two_parts_add_up() -> None:
    assert Notes(10, audited=4, changed=9) + Notes(5, audited=2, missed=1) == Notes(15, audited=6, missed=1, changed=9)


def test_what_is_as_it_should_be_gives_no_flag() -> None:
    assert Notes(64, audited=64, missed=1, attacked=64, changed=60).flags(1.0, None, minimal=False) == ()


def test_each_note_gives_its_flag_with_its_number() -> None:
    notes = Notes(64, audited=32, missed=4, attacked=9, by_second=3, broken=5, beyond=6, unfinished=7)
    flags = notes.flags(30.0, ("the first", "the second"), minimal=True)
    starts = ["search missed 12% of 32", "the attack changed no image", "two gradients: the first and the second"]
    starts += ["results thrown out on 5 of 64", "beyond the budget: on 6 of 64", "time limit: after 30 s 7 of 64"]
    assert [flag.startswith(start) for flag, start in zip(flags, starts, strict=True)] == [True] * 6
    assert "3 of 64 images fell to the second alone" in flags[2]
