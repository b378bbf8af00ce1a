"""Ahead: in order, few at a time, each in one thread of torch's; a fault comes where its item is asked for."""

import threading

import pytest
import torch

from selfhvd.system.ahead import ahead


@pytest.fixture(params=[1, 3])
def threads(request):
    """As many as torch is given; a test that left it others would make forks of this process wait for ever."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    left = torch.get_num_threads()
    torch.set_num_threads(before)
    assert left == request.param


def test_all_in_order(threads):
    assert list(ahead(lambda n: n * n, 50)) == [n * n for n in range(50)]


def test_few_are_held(threads):
    begun, lock = set(), threading.Lock()

    def work(number):
        with lock:
            begun.add(number)
        return number

    for number in ahead(work, 100):
        assert len(begun) <= number + 1 + 2 * threads


def test_each_has_one_of_torchs_threads(threads):
    assert set(ahead(lambda n: torch.get_num_threads(), 9)) == {1}


def test_a_fault_comes_in_its_turn(threads):
    found = ahead(lambda n: 1 // (5 - n), 9)
    assert [next(found) for _ in range(5)] == [0, 0, 0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
