"""Is a person found by what people call them?"""

from __future__ import annotations

import pytest

from sync.exit_codes import CommandError
from tests.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Twenty customers, and four with names."""
    world = World(tmp_path_factory.mktemp("shop"))
    world.customers(20)
    for id, name in {"a1": "Zoë Müller", "a2": "Ann Lee", "a3": "ANN LEE", "b9": "a2"}.items():
        world.store.put(id, name=name)
        world.buys(id, 10, 5_000)
    world.do("label")
    return world


@pytest.mark.parametrize("name", ["Zoë Müller", "zoe muller", "ZOË MÜLLER"])
def test_a_name_is_found_whatever_its_case_and_accents(world: World, name: str) -> None:
    assert world.do("show", id=name)["id"] == "a1"


def test_several_of_one_name_are_listed_by_id(world: World) -> None:
    with pytest.raises(CommandError, match=r"(?s)a2.*a3"):
        world.do("show", id="Ann Lee")


def test_an_id_goes_before_a_name_that_is_spelled_like_it(world: World) -> None:
    assert world.do("show", id="a2")["id"] == "a2"


def test_a_name_that_nobody_has_says_so_and_quotes_nobody_else(world: World) -> None:
    with pytest.raises(CommandError) as caught:
        world.do("show", id="Zoe Maller")
    assert "Müller" not in str(caught.value)


@pytest.mark.parametrize("words", ["Müller Zoë", "zoe"])
def test_words_of_a_name_are_enough_in_any_order(world: World, words: str) -> None:
    assert world.do("show", id=words)["id"] == "a1"


def test_letters_within_a_word_are_no_word(world: World) -> None:
    with pytest.raises(CommandError):
        world.do("show", id="Mülle")
