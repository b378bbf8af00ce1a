"""Arrays that people give: what is taken for a frame, and the one sentence for what is not."""

import numpy as np
import pytest
import torch

from doubles import Still
from selfhvd import Deblurrer
from selfhvd.errors import UsageError
from selfhvd.metrics import drift, flicker, motion, psnr, sharp_accuracy, sharpness, ssim
from selfhvd.synthesis.handheld import Handheld, shoot
from selfhvd.video.frame import as_bytes, as_tensor
from selfhvd.video.frame_source import ArrayFrames

pytestmark = pytest.mark.unchecked

BYTES = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(16, 12, 3)
KINDS = {
    "uint8": BYTES,
    "uint16": BYTES.astype(np.uint16) * 257,
    "float32": BYTES.astype(np.float32) / 255,
    "float64": BYTES / 255,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_is_the_same_picture(kind):
    frame = KINDS[kind]
    same = torch.from_numpy(BYTES / 255).permute(2, 0, 1).float()
    assert torch.allclose(as_tensor(frame), same) and torch.allclose(ArrayFrames([frame]).tensor(0), same)
    assert as_tensor(frame).dtype == torch.float32 and np.array_equal(as_bytes(frame), BYTES)
    assert psnr(frame, BYTES) == 100 and ssim(frame, BYTES) == 1 and sharpness(frame) == sharpness(BYTES)
    assert drift(frame, same, Still()) == 0 and flicker(frame, same, motion(frame, same, Still())) < 1e-4


WRONG = {
    "float64 of 16x12x3 with values from 0 to 255": BYTES.astype(float),
    "float32 of 16x12x3 with values from -1 to 1": 2 * KINDS["float32"] - 1,
    "float64 of 2x2x3 with values from nan to nan": np.full((2, 2, 3), np.nan),
    "uint8 of 16x12": BYTES[..., 0],
    "uint8 of 16x12x1": BYTES[..., :1],
    "uint8 of 3x16x12": BYTES.transpose(2, 0, 1),
    "uint8 of 16x12x4": np.dstack([BYTES, BYTES[..., :1]]),
    "uint8 of 0x12x3": BYTES[:0],
    "int64 of 16x12x3": BYTES.astype(int),
    "bool of 16x12x3": BYTES > 9,
    "a list": BYTES.tolist(),
    "a NoneType": None,
}


@pytest.mark.parametrize("said", WRONG)
@pytest.mark.parametrize(
    "use",
    [
        *(as_bytes, as_tensor, sharpness, lambda frame: psnr(BYTES, frame), lambda frame: ssim(frame, BYTES)),
        *(lambda frame: drift(frame, BYTES, Still()), lambda frame: motion(BYTES, frame, Still())),
        lambda frame: next(shoot(frame, Handheld())),
    ],
)
def test_anything_else_is_refused_by_name(said, use):
    with pytest.raises(UsageError) as refused:
        use(WRONG[said])
    assert str(refused.value) == (
        f"The frame is {said}; give RGB arrays of height x width x 3, as uint8, as uint16 up to 65535, "
        "or as floats from 0 to 1."
    )


def test_a_clip_says_which_frame():
    with pytest.raises(UsageError, match=r"^Frame 1 is float64 of 16x12x3 with values from 0 to 255; give RGB arrays"):
        Deblurrer().fit([BYTES, BYTES.astype(float)])
    with pytest.raises(UsageError, match=r"^Frame 2 is 12x15 but the first is 12x16; make them alike\.$"):
        ArrayFrames([BYTES, BYTES, BYTES[1:]])
    with pytest.raises(UsageError, match="not as a generator"):
        Deblurrer().fit(frame for frame in [BYTES])
    with pytest.raises(UsageError, match="There are 2 frames but 1 keyframes"):
        Deblurrer().fit([BYTES, BYTES], [True])


def test_tensors_are_looked_at_too():
    image = as_tensor(BYTES)
    for wrong in (255 * image, image[0], image[None], image.byte()):
        with pytest.raises(UsageError, match=r"The image is a tensor .*; give floats"):
            drift(image, wrong, Still())


def test_what_is_compared_is_alike():
    for compare in (psnr, ssim, lambda one, other: drift(one, other, Still())):
        with pytest.raises(UsageError, match="cannot be compared"):
            compare(BYTES, BYTES[:12])
    with pytest.raises(UsageError, match="at least 11 pixels a side, not 12x9"):
        ssim(BYTES[:9], BYTES[:9])
    with pytest.raises(UsageError, match="2 decisions cannot be compared with 1 labels"):
        sharp_accuracy([True, False], [True])
