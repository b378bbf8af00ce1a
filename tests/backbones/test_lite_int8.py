"""The inner levels of `lite` in 8 bits: near to what they are in float32, and only where their ranges hold."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selfhvd.backbones import Lite, LiteConfig, lite_int8
from selfhvd.backbones.lite_int8 import _Coded, _Convolution, _Scale, computes_int8, places, ranges_of
from selfhvd.weights import BASE_WEIGHTS, load_weights

CPU = torch.device("cpu")
able = pytest.mark.skipif(not computes_int8(CPU), reason="this processor has no instructions for 8 bits")
STEP = 1 / 255


def coded(values: torch.Tensor) -> _Coded:
    return _Coded.of(values, _Scale.over(float(values.min()), float(values.max())))


def values_of(made: _Coded) -> torch.Tensor:
    return (made.codes.float() - made.scale.zero) * made.scale.step


def shown(seed: int, height: int = 64, width: int = 96) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A blurred picture, its sharp self as the guide, and where that is trusted."""
    draw = torch.Generator().manual_seed(seed)
    coarse = 0.3 + 0.4 * torch.rand(3, height // 8, width // 8, generator=draw)
    sharp = F.interpolate(coarse[None], (height, width), mode="nearest")[0]
    blurred = F.avg_pool2d(sharp[None], (1, 7), 1, (0, 3), count_include_pad=False)[0]
    trust = (torch.rand(1, height // 16, width // 16, generator=draw) > 0.2).float()
    trust = F.interpolate(trust[None], (height, width))[0]
    return blurred[None, None], sharp[None, None, None], trust[None, None, None]


@pytest.fixture
def network() -> Lite:
    found = load_weights(BASE_WEIGHTS, "lite")
    assert isinstance(found, Lite)
    return found


@able
@pytest.mark.parametrize(
    ("stride", "side", "padding"), [(1, 3, 1), (2, 3, 1), (1, 1, 0)], ids=["plain", "halving", "single pixels"]
)
def test_a_layer_gives_what_it_gives_in_float(stride, side, padding):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 16, side, stride=stride, padding=padding)
    values = torch.randn(1, 8, 12, 20) + 0.5  # what pads the border is zero, which is not the code 0
    given = coded(values)
    with torch.no_grad():
        wanted = layer(values_of(given))
        made = _Convolution(layer).to_values(given, torch.float32)
        as_codes = values_of(_Convolution(layer).to(given, coded(wanted).scale))
    assert (made - wanted).abs().max() < 0.02 * wanted.std()
    assert (as_codes - wanted).abs().max() < 0.02 * wanted.std() + coded(wanted).scale.step


@able
def test_what_a_layer_makes_is_added():
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, 3, padding=1)
    given, base = coded(torch.randn(1, 8, 12, 20)), coded(2 * torch.randn(1, 8, 12, 20))
    with torch.no_grad():
        wanted = values_of(base) + layer(values_of(given))
        made = _Convolution(layer).onto(given, base, coded(wanted).scale)
    assert (values_of(made) - wanted).abs().max() < 0.02 * wanted.std() + coded(wanted).scale.step


def test_codes_are_rectified_and_doubled():
    values = torch.randn(1, 4, 6, 10, generator=torch.Generator().manual_seed(1))
    made = coded(values)
    rectified = made.rectified()
    assert (values_of(rectified) - F.leaky_relu(values_of(made), 0.1)).abs().max() <= rectified.scale.step
    larger = F.interpolate(values_of(made), scale_factor=2.0, mode="bilinear", align_corners=False)
    assert (values_of(made.doubled()) - larger).abs().max() <= made.scale.step


def test_values_beyond_the_range_are_cut_off():
    scale = _Scale.over(-1.0, 2.0)
    made = _Coded.of(torch.tensor([-9.0, -1.0, 0.0, 2.0, 9.0]).view(1, 1, 1, 5), scale)
    assert values_of(made).flatten().tolist() == pytest.approx([-1, -1, 0, 2, 2], abs=scale.step)


@able
@pytest.mark.parametrize("bf16", [True, False])
def test_the_base_weights_restore_the_same(network, bf16):
    assert set(network.ranges) == set(places(network))
    for seed in range(3):
        given = shown(seed)
        with torch.inference_mode():
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                quick = network(*given)
            ranges, network.ranges = network.ranges, {}
            exact = network(*given)
            network.ranges = ranges
        changed, apart = (exact - given[0]).square().mean().sqrt(), (quick - exact).square().mean().sqrt()
        assert 0 < apart < 0.6 * STEP, "the same to about half a code"
        assert apart < 0.05 * changed


@able
def test_neither_a_gradient_nor_a_batch_is_asked_of_8_bits(network):
    one = shown(0)
    two = tuple(torch.cat([part, part]) for part in one)
    learned = network(*one)
    assert learned.requires_grad
    with torch.inference_mode():
        assert torch.allclose(network(*two)[:1], learned, atol=1e-5)
        assert not torch.allclose(network(*one), learned, atol=1e-5)


@able
@pytest.mark.parametrize("how", ["learning", "other weights"])
def test_ranges_are_forgotten_with_the_weights_they_were_measured_with(network, how):
    with torch.inference_mode():
        network(*shown(0))
    if how == "learning":
        network.train()
        network.eval()
    else:
        network.load_state_dict({name: 2 * value for name, value in network.state_dict().items()})
    assert not network.ranges
    with torch.inference_mode():
        changed = network(*shown(0))
        assert torch.allclose(changed, Lite.forward(network, *shown(0)))
    assert torch.allclose(network(*shown(0)), changed, atol=1e-5), "float32 as with a gradient"


def test_a_processor_without_the_instructions_does_without(network, monkeypatch):
    monkeypatch.setattr(lite_int8, "_has_instructions", lambda: False)
    assert not computes_int8(CPU)
    with torch.inference_mode():
        plain = network(*shown(0))
    assert torch.allclose(plain, network(*shown(0)), atol=1e-5)


@able
def test_a_torch_that_calls_it_otherwise_does_without(monkeypatch):
    class Other:
        def qconv_prepack(self, *given):
            raise TypeError("it has another argument")

    monkeypatch.setattr(lite_int8, "_ONEDNN", Other())
    lite_int8._works.cache_clear()
    assert not computes_int8(CPU)
    monkeypatch.undo()
    lite_int8._works.cache_clear()
    assert computes_int8(CPU)


@able
def test_trying_it_draws_nothing_and_is_the_same_within_bf16():
    state = torch.get_rng_state()
    for bf16 in (True, False) * 5:
        lite_int8._works.cache_clear()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            assert computes_int8(CPU)
    assert torch.equal(torch.get_rng_state(), state)


@able
def test_sums_that_overflow_are_not_believed(monkeypatch):
    """Older instructions add two products in 16 bits."""
    to_values = _Convolution.to_values
    monkeypatch.setattr(_Convolution, "to_values", lambda *given: to_values(*given).clamp(max=258))
    lite_int8._works.cache_clear()
    assert not computes_int8(CPU)
    monkeypatch.undo()
    lite_int8._works.cache_clear()


def test_ranges_hold_what_was_seen():
    torch.manual_seed(0)
    network = Lite(LiteConfig(widths=(8, 12, 16), blocks=(1, 2, 1))).eval()
    seen = list[torch.Tensor]()
    network.bottom.register_forward_hook(lambda _, __, made: seen.append(made))
    with torch.no_grad():
        ranges = ranges_of(network, lambda: [network(*shown(seed)) for seed in range(2)] and None)
    both = torch.cat(seen)
    assert set(ranges) == set(places(network))
    assert ranges["bottom.0"] == pytest.approx((min(float(both.min()), 0), max(float(both.max()), 0)))
    assert all(least <= 0 <= largest and largest > least for least, largest in ranges.values())
    assert not network.to_quarter._forward_hooks, "nothing goes on watching"
