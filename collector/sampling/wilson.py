"""
The confidence interval of a share.

Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference. Journal of the American
Statistical Association 22(158), 209–212. It holds near 0 and 1 and for few cases, where the usual one breaks down.
"""

from math import sqrt
from statistics import NormalDist


def wilson(share: float, cases: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share of so many cases, which need not be a whole number; 0 to 1 without any."""
    if cases <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    scale = 1 + z * z / cases
    centre = (share + z * z / (2 * cases)) / scale
    half = z / scale * sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    # At the ends the bound is the end itself, but for the last bit.
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))
