"""Deny by default: each column of each table is listed, once, and nothing else is."""

from vitrail.deid.columns import _TEXT, ACTIONS, action, wanted
from vitrail.omop.tables import TABLES, VOCABULARY


def test_every_column_is_listed_once() -> None:
    for name, table in TABLES.items():
        listed = [word for word in _TEXT[name].split() if not word.endswith(":")]
        assert sorted(listed) == sorted(column.name for column in table.columns), name
    assert ACTIONS.keys() == TABLES.keys()


def test_what_is_not_listed_is_dropped() -> None:
    assert action("person", "social_security_number") == "drop"
    assert action("cost", "total_charge") == "drop"


def test_no_text_goes_on_without_a_rule() -> None:
    for name, columns in wanted().items():
        for column in columns:
            assert column.type != "datetime", (name, column.name)
            if column.type == "str" and name not in VOCABULARY:
                assert action(name, column.name) in ("string", "zip", "state", "note"), (name, column.name)


def test_no_day_goes_on_without_a_rule() -> None:
    for name, columns in wanted().items():
        for column in columns:
            if column.type == "date" and name not in VOCABULARY:
                assert action(name, column.name) == "date", (name, column.name)


def test_every_id_is_ruled() -> None:
    for name, columns in wanted().items():
        for column in columns:
            if column.type == "id":
                assert action(name, column.name) in ("person", "key", "ref"), (name, column.name)


def test_required_columns_are_read() -> None:
    for name, columns in wanted().items():
        required = {column.name for column in TABLES[name].columns if column.required}
        assert required <= {column.name for column in columns}, name
