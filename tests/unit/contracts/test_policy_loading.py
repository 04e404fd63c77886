"""Is a mistake in a policy pack told with file, line and key, and does one pack extend another?"""

from pathlib import Path

import pytest

from contracts.policy import PolicyError, load_policy

SHIPPED = Path(__file__).parents[3] / "deploy" / "policies"
STANDARD = SHIPPED / "standard.toml"


def _written(folder: Path, text: str, name: str = "pack.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_packs_load(path: Path) -> None:
    assert load_policy(path).version


def test_a_wrong_value_is_told_with_line_and_key(tmp_path: Path) -> None:
    text = STANDARD.read_text(encoding="utf-8").replace('calendar = "office"', "calendar = 7", 1)
    line = next(number for number, words in enumerate(text.splitlines(), 1) if words == "calendar = 7")
    with pytest.raises(PolicyError, match=rf"pack.toml:{line}: departments.front_desk.calendar: .*string"):
        load_policy(_written(tmp_path, text))


def test_a_misspelt_key_is_told(tmp_path: Path) -> None:
    text = STANDARD.read_text(encoding="utf-8").replace("company =", "compagny =", 1)
    with pytest.raises(PolicyError, match=r"pack.toml:\d+: comp"):
        load_policy(_written(tmp_path, text))


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"pack.toml: not valid TOML: .*line 2"):
        load_policy(_written(tmp_path, 'name = "x"\n= 3\n'))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"absent\.toml: cannot be read"):
        load_policy(tmp_path / "absent.toml")


def test_a_pack_extends_another_and_replaces_single_keys(tmp_path: Path) -> None:
    _written(tmp_path, STANDARD.read_text(encoding="utf-8"), "standard.toml")
    text = 'extends = "standard.toml"\nname = "mine"\n[departments.front_desk]\ncalendar = "always"\n'
    mine, standard = load_policy(_written(tmp_path, text)), load_policy(STANDARD)
    assert (mine.name, mine.departments["front_desk"].calendar) == ("mine", "always")
    assert mine.departments["front_desk"].title == standard.departments["front_desk"].title
    assert mine.vocabulary == standard.vocabulary


def test_a_mistake_in_the_upper_pack_is_told_there(tmp_path: Path) -> None:
    _written(tmp_path, STANDARD.read_text(encoding="utf-8"), "standard.toml")
    text = 'extends = "standard.toml"\n\n[departments.front_desk]\ncalendar = 7\n'
    with pytest.raises(PolicyError, match=r"upper\.toml:4: departments\.front_desk\.calendar"):
        load_policy(_written(tmp_path, text, "upper.toml"))


def test_a_pack_that_extends_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="extends itself"):
        load_policy(_written(tmp_path, 'extends = "pack.toml"\n'))
