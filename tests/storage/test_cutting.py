"""Connections of one name are cut, and no others."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from amla.storage.cutting import cut, named
from amla.storage.errors import StoreError
from amla.storage.records import Records


def test_a_name_is_added_to_what_a_url_says():
    url = named("postgresql+psycopg://me@here/amla?options=-csearch_path%3Dmine", "shaken")
    assert dict(sa.make_url(url).query) == {"options": "-csearch_path=mine", "application_name": "shaken"}


@pytest.mark.xdist_group("postgres")
def test_only_connections_of_that_name_are_cut(new_database: Callable[[], str]):
    url = new_database()
    with Records(named(url, "one")) as one, Records(named(url, "two")) as two:
        one.studies(), two.studies()
        assert cut(url, "one") == 1
        assert cut(url, "nobody") == 0
        assert one.studies() == two.studies() == []
        assert cut(url, "two") == 1


@pytest.mark.xdist_group("postgres")
def test_a_server_that_is_not_there_is_said(new_database: Callable[[], str]):
    new_database()  # and with it the library
    with pytest.raises((StoreError, OSError), match="no connection"):
        cut("postgresql+psycopg://me@127.0.0.1:1/amla", "one")
