"""What the tests of the page share: a tiny clip, and a site that ends with its test."""

import pytest
from page_for_tests import Site

from clips_for_tests import film, views


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Six frames with sound."""
    return film(tmp_path_factory.mktemp("given") / "clip.mp4", views(6, 96, 64), sound=True)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "store").start()
    yield made
    made.end()


@pytest.fixture
def sites(tmp_path):
    """Makes sites with other options."""
    made = []

    def make(*words, **named):
        made.append(Site(tmp_path / f"store{len(made)}", *words, **named).start())
        return made[-1]

    yield make
    for site in made:
        site.end()
