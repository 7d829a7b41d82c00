"""Does the mirror answer of tables that it is given for one question alone?"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sync.store.mirror import Mirror

GIVEN = pa.table({"number": [3, 4]})


def test_rows_of_a_given_table_are_fetched_before_it_is_taken_away(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.duckdb").account("shop")
    assert mirror.value("SELECT sum(number)::INTEGER FROM given", given=GIVEN) == 7
    assert mirror.value("SELECT number FROM given ORDER BY 1", given=GIVEN) == 3
    assert mirror.table("SELECT number FROM given", given=GIVEN).num_rows == 2


def test_a_given_table_is_known_for_one_question_alone(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.duckdb").account("shop")
    mirror.run("CREATE TEMP TABLE kept AS SELECT * FROM given", given=GIVEN)
    assert mirror.value("SELECT count(*) FROM kept") == 2
    assert not mirror.value("SELECT count(*) FROM duckdb_views() WHERE view_name = 'given'")
