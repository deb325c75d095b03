"""Model E: margin position by position, as most venues charge it; the baseline that netting is measured against."""
