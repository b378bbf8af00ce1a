"""Work that is spread over threads comes back in order, and leaves torch's own threads as they were."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from selfhvd.flow.camera.threads import side_by_side


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def threads_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


def test_in_order_with_one_thread_of_torch_each(three_threads):
    meet = threading.Barrier(3, timeout=20)

    def work(n: int) -> tuple[int, int, int]:
        meet.wait()  # passes only if three are at work at once
        return n, torch.get_num_threads(), threading.get_ident()

    results = side_by_side(work, range(6))
    assert [n for n, _, _ in results] == list(range(6))
    assert {count for _, count, _ in results} == {1}
    assert threading.get_ident() not in {thread for _, _, thread in results}
    assert torch.get_num_threads() == 3 and threads_of_a_new_thread() == 3


def test_one_thread_is_the_caller(three_threads):
    torch.set_num_threads(1)
    assert side_by_side(lambda _: threading.get_ident(), range(3)) == [threading.get_ident()] * 3


@pytest.mark.parametrize("items", [(), (5,)])
def test_few_items(three_threads, items):
    assert side_by_side(lambda n: (n, torch.get_num_threads()), items) == [(n, 1) for n in items]


def test_what_goes_wrong_is_told(three_threads):
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda n: 1 // n, range(3))
    assert torch.get_num_threads() == 3 and threads_of_a_new_thread() == 3
