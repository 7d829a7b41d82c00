"""What happens to the files that we share with people?

Only our cells change, and a way back leads to the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import FieldSpec, ListSpec
from connectors.errors import RequestError
from connectors.files.csv_cells import bared, guarded
from connectors.files.csv_editor import parsed
from connectors.files.shared_file import temporary
from connectors.files.writing import Changes, set_fields, set_members
from connectors.schemas import MEMBER
from tests.files_shop import Paper, Shop, changes

SEGMENT = FieldSpec("seg")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, account={"fields": (SEGMENT, FieldSpec("score", type="number"))})


def text(shop: Shop) -> bytes:
    return (shop.folder / "segments.csv").read_bytes()


def write(
    shop: Shop, *rows: tuple[str, str, str | None, str | None], record_type: str = "contact"
) -> list[str]:
    outcomes = shop.open().write_fields(changes(list(rows), record_type), Paper())
    return [str(status) for status in outcomes["status"].to_pylist()]


def values(shop: Shop) -> dict[str, str]:
    return {row["id"]: row["field.seg"] for row in shop.read("value").rows}


def test_a_field_that_is_ensured_is_a_column_and_nothing_else_changes(shop: Shop) -> None:
    shop.put("segments.csv", b'\xef\xbb\xbfid;"my note"\r\n1;"a;b"\r\n\r\nragged\r\n2;x')
    shop.open().ensure_field(SEGMENT)
    assert text(shop) == b'\xef\xbb\xbfid;"my note";seg\r\n1;"a;b";\r\n\r\nragged\r\n2;x;'
    assert list(shop.open().fields()) == [("contact", "my note"), ("contact", "seg")]
    before = text(shop)
    shop.open().ensure_field(SEGMENT)
    assert text(shop) == before


def test_a_field_in_an_empty_folder_makes_the_file(shop: Shop) -> None:
    assert shop.read("value").pages == []
    shop.open().ensure_field(SEGMENT)
    assert text(shop) == b"id,seg\n"
    assert shop.read("value").rows == []


def test_a_field_of_companies_adds_the_column_that_tells_types_apart(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg\n1,a\n")
    shop.account = {"fields": (SEGMENT, FieldSpec("tier", "company"))}
    assert write(shop, ("1", "seg", None, "x"), record_type="company") == ["rejected"]
    shop.open().ensure_field(FieldSpec("tier", "company"))
    assert text(shop) == b"id,seg,record_type,tier\n1,a,contact,\n"
    assert write(shop, ("1", "tier", None, "gold"), record_type="company") == ["done"]
    assert text(shop) == b"id,seg,record_type,tier\n1,,company,gold\n1,a,contact,\n"


def test_cells_of_people_stay_byte_for_byte(shop: Shop) -> None:
    shop.put("segments.csv", b'note,id,seg\r\n"x, ""y""", 1 ,"old"\r\n=1+1,2,\n\xff\xfe,3,old')
    assert (
        write(shop, ("1", "seg", "old", "new"), ("2", "seg", "", "new"), ("3", "seg", "old", "a,b"))
        == ["done"] * 3
    )
    assert text(shop) == b'note,id,seg\r\n"x, ""y""", 1 ,"new"\r\n=1+1,2,new\n\xff\xfe,3,"a,b"'


def test_a_value_that_a_person_changed_is_left_alone(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg\n1,mine\n2,new\n")
    outcomes = shop.open().write_fields(
        changes([("1", "seg", "old", "new"), ("2", "seg", "old", "new"), ("1", "gone", None, "x")]), Paper()
    )
    assert outcomes["status"].to_pylist() == ["skipped", "done", "rejected"]
    assert outcomes["kind"].to_pylist() == [None, None, "permission"]
    assert outcomes["reason"].to_pylist()[2] == "field gone does not exist: run `crm-segments setup`"
    assert text(shop) == b"id,seg\n1,mine\n2,new\n"


def test_without_a_file_every_change_is_rejected(shop: Shop) -> None:
    assert write(shop, ("1", "seg", None, "new")) == ["rejected"]
    assert not (shop.folder / "segments.csv").exists()


def test_a_new_record_gets_a_row_and_null_takes_it_away_again(shop: Shop) -> None:
    before = b"id,seg,score\n9,a,\n1,b,1"
    shop.put("segments.csv", before)
    assert write(shop, ("5", "seg", None, "new"), ("5", "score", None, "-3")) == ["done", "done"]
    assert text(shop) == before + b"\n5,new,-3"
    assert write(shop, ("5", "seg", "new", None), ("5", "score", "-3", None)) == ["done", "done"]
    assert text(shop) == before
    assert write(shop, ("1", "seg", "b", None)) == ["done"]
    assert text(shop) == b"id,seg,score\n9,a,\n1,,1"


def test_an_empty_text_keeps_the_row_and_null_removes_it(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg\n1,a\n2,b\n3,c\n")
    assert write(shop, ("1", "seg", "a", ""), ("2", "seg", "b", None)) == ["done", "done"]
    assert text(shop) == b"id,seg\n1,\n3,c\n"


def test_new_rows_keep_the_order_of_the_ids(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg\n2,a\n10,b\n")
    write(shop, ("11", "seg", None, "x"), ("3", "seg", None, "x"), ("1", "seg", None, "x"))
    assert text(shop) == b"id,seg\n1,x\n2,a\n3,x\n10,b\n11,x\n"


def test_values_come_in_normal_form_once_for_each_record(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg\n1,'=x\n2,\n1,last\n,x\nragged\n")
    read = shop.read("value")
    assert [(row["id"], row["field.seg"]) for row in read.rows] == [("2", ""), ("1", "last")]
    assert sorted(line for line, _ in read.lines()) == [2, 5, 6]
    assert shop.read("value", read.position).pages == []
    (shop.folder / "segments.csv").unlink()
    assert [(page.records.num_rows, page.whole) for page in shop.read("value", read.position).pages] == [
        (0, True)
    ]


def test_a_formula_is_written_so_that_no_spreadsheet_runs_it(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg,score\n")
    write(shop, ("=1", "seg", None, "=HYPERLINK(1)"), ("+2", "score", None, "-5"), ("3", "score", None, "-x"))
    assert text(shop) == b"id,seg,score\n3,,'-x\n'+2,,-5\n'=1,'=HYPERLINK(1),\n"
    assert values(shop) == {"3": "", "+2": "", "=1": "=HYPERLINK(1)"}
    assert write(shop, ("=1", "seg", "=HYPERLINK(1)", None)) == ["done"]


@given(st.lists(st.text(st.sampled_from("'=+-@\t\ra1,\"\n;☃"), max_size=6)))
def test_every_text_comes_back_as_it_was_and_none_is_a_formula(texts: list[str]) -> None:
    safe = guarded(pa.array(texts, pa.string()))
    assert bared(safe).to_pylist() == texts
    assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r") for cell in safe.to_pylist())


def test_what_a_killed_writer_left_is_cleared_away(shop: Shop) -> None:
    shop.put("segments.csv", "id,seg\n1,a\n")
    draft = temporary(shop.folder / "segments.csv")
    draft.write_bytes(b"half")
    assert write(shop, ("1", "seg", "a", "b")) == ["done"]
    assert not draft.exists()


def test_a_file_without_ids_is_named(shop: Shop) -> None:
    shop.put("segments.csv", "name,seg\n1,a\n")
    with pytest.raises(RequestError, match=r"segments\.csv has no column id"):
        shop.read("value")
    assert any("segments.csv" in problem.what for problem in shop.open().check())


def test_a_list_keeps_its_order_and_the_columns_of_people(shop: Shop) -> None:
    crm = shop.open()
    shop.put("lists/rfm.top.csv", "id,why\n2,known\n10,old\n30,new\n")
    remote = crm.ensure_list(ListSpec("rfm.top", "Top"))
    before = (shop.folder / "lists/rfm.top.csv").read_bytes()
    outcomes = crm.write_members(
        remote,
        changes(
            [("3", "rfm.top", None, MEMBER), ("2", "rfm.top", None, MEMBER), ("99", "rfm.top", MEMBER, None)]
        ),
        Paper(),
    )
    assert outcomes["status"].to_pylist() == ["done"] * 3
    assert (shop.folder / "lists/rfm.top.csv").read_bytes() == b"id,why\n2,known\n3,\n10,old\n30,new\n"
    crm.write_members(remote, changes([("3", "rfm.top", MEMBER, None)]), Paper())
    assert (shop.folder / "lists/rfm.top.csv").read_bytes() == before
    assert [listed.key for listed in crm.lists()] == ["rfm.top"]


def test_members_that_leave_and_come_back_leave_the_same_bytes(shop: Shop) -> None:
    crm = shop.open()
    remote = crm.ensure_list(ListSpec("rfm.top"))
    path = shop.folder / "lists/rfm.top.csv"
    ids = [str(n) for n in range(0, 200, 3)]
    crm.write_members(remote, changes([(id, "rfm.top", None, MEMBER) for id in ids]), Paper())
    before = path.read_bytes()
    crm.write_members(remote, changes([(id, "rfm.top", MEMBER, None) for id in ids[::2]]), Paper())
    crm.write_members(remote, changes([(id, "rfm.top", None, MEMBER) for id in reversed(ids[::2])]), Paper())
    assert path.read_bytes() == before


@pytest.mark.parametrize("key", ["../x", "a/b", "A", "", ".hidden", "a b"])
def test_a_list_whose_key_is_no_safe_name_is_refused(shop: Shop, key: str) -> None:
    with pytest.raises(RequestError, match="safe file name"):
        shop.open().ensure_list(ListSpec(key))


def test_a_list_of_companies_tells_their_type(shop: Shop) -> None:
    crm = shop.open()
    remote = crm.ensure_list(ListSpec("abc.a", record_type="company"))
    crm.write_members(remote, changes([("1", "abc.a", None, MEMBER)], "company"), Paper())
    assert [page.records.to_pylist() for page in crm.members(remote, None)] == [
        [{"record_type": "company", "id": "1"}]
    ]
    assert crm.lists()[0].record_type == "company"


# A file as people leave it: any delimiter and line ends, quotes here and there, blank and ragged lines.
_PLAIN = st.text(st.sampled_from("ab1 é'=-"), max_size=3)
_ODD = st.text(st.sampled_from('a,;"\n\r\t'), max_size=4)


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    quoted = draw(st.booleans())

    def cell(value: str, style: bool) -> str:
        special = any(mark in value for mark in (delimiter, '"', "\n", "\r"))
        return '"' + value.replace('"', '""') + '"' if style or special else value

    def line(*values: str) -> str:
        return delimiter.join(values)

    ends = st.sampled_from(["\n", "\r\n"])
    lines = [line(cell("id", quoted), cell("seg", quoted), "note"), draw(ends)]
    for number in range(draw(st.integers(0, 5))):
        if draw(st.integers(0, 9)) == 0:
            lines += ["ragged", draw(ends)]
        own = draw(st.text(st.sampled_from("ab1 é"), max_size=3))
        lines += [
            line(
                cell(str(number * 7 % 5), draw(st.booleans())),
                cell(own, draw(st.booleans())),
                cell(draw(_PLAIN | _ODD), draw(st.booleans())),
            )
        ]
        lines += [draw(ends)] + ["\n"] * draw(st.sampled_from([0, 0, 0, 1]))
    if draw(st.booleans()):
        lines.pop()
    return b"\xef\xbb\xbf" * draw(st.booleans()) + "".join(lines).encode()


@settings(max_examples=250, deadline=None)
@given(
    _files(),
    st.dictionaries(
        st.sampled_from("0123456789"),
        st.text(st.sampled_from("xyz =-'é"), min_size=1, max_size=3),
        max_size=6,
    ),
)
def test_changes_and_their_reverse_leave_the_same_bytes(before: bytes, wanted: dict[str, str]) -> None:
    sheet = parsed("segments.csv", before, ",")
    if sheet.column("seg") is None:
        return
    stored = dict(zip(sheet.ids.to_pylist(), sheet.texts(sheet.column("seg") or 0).to_pylist(), strict=True))
    there = changes([(id, "seg", stored.get(id), value) for id, value in wanted.items()])
    after, outcomes = set_fields(sheet, Changes.of(there), {})
    assert set(outcomes["status"].to_pylist()) <= {"done"}
    new = parsed("segments.csv", after, ",")
    now = dict(zip(new.ids.to_pylist(), new.texts(new.column("seg") or 0).to_pylist(), strict=True))
    assert {id: now.get(id) for id in wanted} == wanted
    assert {id: value for id, value in now.items() if id not in wanted} == {
        id: value for id, value in stored.items() if id not in wanted
    }
    back = changes([(id, "seg", value, stored.get(id)) for id, value in wanted.items()])
    again, outcomes = set_fields(new, Changes.of(back), {})
    assert set(outcomes["status"].to_pylist()) <= {"done"}
    assert again == before
    assert set_fields(new, Changes.of(there), {})[0] == after


@settings(max_examples=100, deadline=None)
@given(_files(), st.sets(st.sampled_from("56789")))
def test_new_members_and_their_leaving_leave_the_same_bytes(before: bytes, ids: set[str]) -> None:
    sheet = parsed("list.csv", before, ",")
    ids = {id for id in ids if id not in sheet.ids.to_pylist()}
    after, _ = set_members(sheet, Changes.of(changes([(id, "list", None, MEMBER) for id in ids])))
    again, _ = set_members(
        parsed("list.csv", after, ","), Changes.of(changes([(id, "list", MEMBER, None) for id in ids]))
    )
    assert again == before
