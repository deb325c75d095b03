"""A judged run as one page, with its pictures and data beside it: the same run gives the same bytes."""
