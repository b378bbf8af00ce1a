"""DDIM on denoisers that know the answer; ID-Blau's size, shapes, and what it is told."""

import pytest
import torch
from safetensors.torch import save_file

from selfhvd.errors import WeightsError
from selfhvd.research.baselines.blur_condition import BlurCondition
from selfhvd.research.baselines.ddim import Schedule, ddim
from selfhvd.research.baselines.idblau import DiffusionReblur, IdBlau, condition_channels, load_idblau

SCHEDULE = Schedule()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> IdBlau:
    torch.manual_seed(0)
    return IdBlau().eval()


def test_schedule():
    kept = SCHEDULE.kept
    assert len(kept) == 2000 and float(kept[0]) == pytest.approx(1 - 1e-6, abs=1e-9)
    # Product of (1 - β): close to exp(-mean β · T).
    assert float(kept[-1].log()) == pytest.approx(-10.0, abs=0.1)
    assert (kept.diff() < 0).all()


@pytest.mark.parametrize("steps", [1, 20])
def test_ddim_finds_the_picture_its_denoiser_knows(steps):
    picture = noise(2, 3, 4, 4).clamp(-0.5, 0.5)

    def denoise(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        kept = SCHEDULE.kept[time].float().view(-1, 1, 1, 1)
        return (x - kept.sqrt() * picture) / (1 - kept).sqrt()

    torch.testing.assert_close(ddim(noise(2, 3, 4, 4, seed=1), denoise, SCHEDULE, steps), picture, atol=1e-4, rtol=0)


def test_ddim_turns_noise_into_its_distribution():
    """Pictures of N(m, s²) have a denoiser known in closed form; the way back ends with that mean and spread."""
    mean, spread = 0.2, 0.1

    def denoise(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        kept = SCHEDULE.kept[time].float().view(-1, 1, 1, 1)
        return (1 - kept).sqrt() * (x - kept.sqrt() * mean) / (kept * spread**2 + 1 - kept)

    def ended(steps: int) -> torch.Tensor:
        return ddim(noise(8, 3, 32, 32), denoise, SCHEDULE, steps)

    assert float(ended(500).mean()) == pytest.approx(mean, abs=0.003)
    assert float(ended(500).std()) == pytest.approx(spread, rel=0.03)
    assert abs(float(ended(20).std()) - spread) > abs(float(ended(500).std()) - spread)


def test_ddim_asks_at_times_from_the_last_to_nearly_the_first():
    asked: list[int] = []

    def denoise(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        asked.append(int(time[0]))
        return torch.zeros_like(x)

    ddim(noise(1, 3, 2, 2), denoise)
    strides = -torch.tensor(asked).diff()
    assert len(asked) == 20 and asked[0] == 1999 and strides.min() >= 99 and strides.max() <= 101 and asked[-1] <= 101


def test_published_size(network):
    count = sum(p.numel() for p in network.parameters())
    assert count == 9_498_627 and f"{count / 1e6:.2f}" == "9.50"
    assert network.head.weight.shape[1] == 9 and network.tail.weight.shape[0] == 3
    assert all(isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) for layer in network.modules() if _leaf(layer))


def _leaf(layer: torch.nn.Module) -> bool:
    return not list(layer.children()) and bool(list(layer.parameters()))


def test_every_input_and_the_time_tell(network):
    inputs = [noise(2, 3, 8, 12, seed=s) for s in range(3)]
    times = torch.tensor([3, 1500])
    with torch.no_grad():
        output = network(*inputs, times)
        assert output.shape == (2, 3, 8, 12)
        for n in range(3):
            other = [x + 0.1 * (place == n) for place, x in enumerate(inputs)]
            assert (network(*other, times) - output).abs().amax(dim=(1, 2, 3)).min() > 1e-4
        later = network(*inputs, torch.tensor([4, 1500]))
    assert not torch.allclose(later[0], output[0]) and torch.allclose(later[1], output[1], atol=1e-6)


def condition(height: int, width: int, length: float = 41.0) -> BlurCondition:
    direction = torch.tensor([0.6, -0.8]).view(1, 2, 1, 1).repeat(1, 1, height, width)
    return BlurCondition(direction, torch.full((1, 1, height, width), length))


def test_condition_channels():
    assert condition_channels(condition(2, 2))[0, :, 0, 0].tolist() == pytest.approx([0.6, -0.8, 0.2])
    assert condition_channels(condition(2, 2, 300.0))[0, 2].max() == 1


def test_reblur_of_any_size_seeded_and_in_range(network):
    reblur = DiffusionReblur(network, steps=2)
    image = noise(1, 3, 7, 10).clamp(0, 1)
    blurry = reblur(image, condition(7, 10), seed=1)
    assert blurry.shape == image.shape and blurry.min() >= 0 and blurry.max() <= 1
    assert torch.equal(blurry, reblur(image, condition(7, 10), seed=1))
    assert not torch.equal(blurry, reblur(image, condition(7, 10), seed=2))


def test_the_network_sees_values_around_zero():
    """A stand-in that calls the sharp picture the noise: in one step from T, x = (z - √(1-ᾱ)·(S - ½)) / √ᾱ."""

    class Echo(IdBlau):
        def forward(self, noisy, sharp, condition, time):
            return sharp

    image = torch.full((1, 3, 4, 4), 0.75)
    blurry = DiffusionReblur(Echo(), steps=1)(image, condition(4, 4), seed=5)
    kept = float(SCHEDULE.kept[-1])
    wanted = (noise(1, 3, 4, 4, seed=5) - (1 - kept) ** 0.5 * 0.25) / kept**0.5
    torch.testing.assert_close(blurry, wanted.clamp(-0.5, 0.5) + 0.5)


def test_weights_of_the_user(tmp_path, network):
    path = tmp_path / "idblau.safetensors"
    save_file(network.state_dict(), path)
    loaded = load_idblau(path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network.parameters(), strict=True))


def test_weights_that_are_not_there_or_do_not_fit(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        load_idblau(tmp_path / "none.safetensors")
    damaged, other = tmp_path / "damaged.safetensors", tmp_path / "other.safetensors"
    damaged.write_bytes(b"not weights")
    save_file({"head.weight": torch.zeros(2, 2)}, other)
    for path in (damaged, other):
        with pytest.raises(WeightsError, match="does not hold weights of ID-Blau"):
            load_idblau(path)
