"""How a trained network is applied to a clip."""

from dataclasses import dataclass

from selfhvd.extensions.selection import Which


@dataclass(frozen=True)
class RestoreConfig:
    """How the trained network is applied."""

    rounds: int = 1
    """Times the guides are aligned, 1 or more: onto the blurry frame, then onto the round's output (Eq. 3 aligns R_i).
    One, for where the flow finds the path of the exposure a second round loses (docs/ablations.md#restore.rounds)."""
    each_side: int = 2
    """Sharp frames before a frame, and as many after it, that are aligned onto it in the last round and fused to its
    guide (`fused_guides`); where one side has fewer, more of the other. More cost time and gain little
    (docs/ablations.md#restore.each_side)."""
    ensemble: int = 1
    """Mirrored views (1, 2 or 4) whose outputs are averaged in the last round; the network's part of the time grows as
    much."""
    steadiness: float = 0.0
    """Part of each frame that each of the restored frames beside it gives (`steadied`), in [0, 0.5); 0 = each frame
    stands alone. Against flicker, for one more alignment a frame (docs/ablations.md#restore.steadiness)."""
    restored_guides: bool = False
    """Restore the sharp frames first, and show those beside the blurry ones; only for networks that take single frames.
    A sharp frame that this made clearly sharper was blurred, and is restored once more like the others
    (docs/ablations.md#restore.restored_guides)."""
    far: int = 4
    """Frames further than this from the sharp frame nearest in time are guided by the restored neighbour nearer to it,
    too, where no sharp frame is trusted; only with `restored_guides` (docs/ablations.md#restore.far)."""
    guided: bool = True
    """Show the network sharp frames beside each frame, where it takes any; off only for baselines that have none."""
    which: Which = "blurry"
    """`blurry`: frames that are not blurred come back untouched; `auto`: they do where little around them is blurred;
    `all`: none does. `auto` is for the base weights, which take noise and coding marks off sharp frames, too
    (docs/ablations.md#restore.which)."""
    overlap: int = 4
    """Frames that neighbouring windows share, blended; only for networks that look at several frames, which lose at the
    seams (docs/ablations.md#restore.overlap)."""
    bfloat16: bool = True
    """Convolve in bf16 where the device computes in it; elsewhere it is slower (docs/ablations.md#restore.bfloat16)."""
    window: int | None = None
    """Frames restored at once; None = as many as the network likes."""
    tile: int | None = None
    """Pixels a side of the tiles in which a frame is restored; None = as large as the free memory allows."""

    @property
    def kept_guides(self) -> int:
        """Restored sharp frames in memory: those that guide a frame, and itself; with fewer each is restored often."""
        return 2 * self.each_side + 1 if self.restored_guides else 0
