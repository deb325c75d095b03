"""Model B: a portfolio's worst result over a list of scenarios, with contingencies (Derive's PMRM).

`values` prices option rows under every scenario, `pnl` sums what a portfolio holds, `contingencies` has the charges
that are no scenario, `model` puts them together. Source of all formulas: derivexyz/v2-core, `PMRMLib_2.sol`.
"""
