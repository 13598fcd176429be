"""Whether a volume's numbers can be the HU of a CT: by shares of its voxels, so that a few odd ones prove nothing.

The rule. What is below −1000 HU is left out: padding, and noise below air. Of the rest,

1. at least 1 % is from −1000 to −300 HU, air or lung; and
2. of what is denser than that, at least 10 % is from −300 to 600 HU, fat to spongy bone, if anything is denser.

So pictures of 8 bits, stored values that were never rescaled, and attenuation in 1/mm are refused, padded or not: they
hold no air. Of real chest CTs a third and more is air or lung, and more than nine tenths of what is denser is tissue.
"""

import math

import numpy as np

from hilum.core import Quantity, UnitError, Volume

AIR_OR_LUNG_HU = (-1000.0, -300.0)
TISSUE_HU = 600.0

_LEAST_AIR = 0.01
_LEAST_TISSUE = 0.1

_LOOK_AT = 500_000
"""About so many voxels, evenly spread, are looked at: shares need no more."""


def require_hu(ct: Volume) -> None:
    """Refuse what is no CT in HU, by the rule above.

    Raises:
        UnitError: the volume is in another unit, or its values can't be HU.
    """
    ct.require(Quantity.HU)
    step = max(1, math.floor(np.cbrt(ct.array.size / _LOOK_AT)))
    seen = ct.array[tuple(slice(None, None, min(step, size)) for size in ct.array.shape)]
    lightest, densest = AIR_OR_LUNG_HU
    unpadded, dense, denser = (int(part.sum()) for part in (seen >= lightest, seen > densest, seen > TISSUE_HU))
    tissue = dense - denser
    if unpadded and unpadded - dense >= _LEAST_AIR * unpadded and tissue >= _LEAST_TISSUE * dense:
        return
    air_percent = 100 * (unpadded - dense) / max(unpadded, 1)
    raise UnitError(
        f"a chest CT holds air and lung from −1000 to −300 HU, and tissue above; without padding {air_percent:.2g} % "
        f"of the voxels here are air or lung, and these values run from {ct.array.min():g} to {ct.array.max():g}.",
        "Rescale them to HU first; 8-bit pictures of a CT can't be brought back.",
    )
