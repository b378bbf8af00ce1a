"""Numbers of a device: bf16 only where the processor computes in it."""

import pytest
import torch

from selfhvd.system.device import computes_bfloat16, convolving

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("able", "wanted"),
    [
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"bf16": True}, True),
        ({}, False),
    ],
)
def test_a_cpu_without_instructions_for_bfloat16_convolves_in_float32(monkeypatch, able, wanted):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert computes_bfloat16(CPU) is wanted
    image, kernel = torch.rand(1, 3, 8, 8), torch.rand(3, 3, 3, 3)
    for asked in (True, False):
        with convolving(CPU, asked):
            result = torch.nn.functional.conv2d(image, kernel)
        assert result.dtype == (torch.bfloat16 if asked and wanted else torch.float32)


def test_a_torch_that_does_not_tell_is_taken_for_one_without(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_bfloat16(CPU)
