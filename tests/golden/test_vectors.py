"""Vector files: our own, and the shared one where it is beside the checkout."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from monitor.vectors.compare import compare
from monitor.vectors.contract import Case, Tolerance, decode
from monitor.vectors.registry import CALLABLES
from monitor.vectors.runner import Outcome, run_case
from tests.golden.vectors import write
from tests.support import ROOT
from tests.unit.vectors.held import check
from tests.unit.vectors.second import SECOND, plain

SHARED = ROOT.parent / "shared" / "vectors.json"
OWN = sorted(write.FOLDER.glob("*.json"))
GROUPS = {
    "black76_greeks", "black76_greeks_edge", "black76_price", "black76_price_bsm", "bsm_greeks", "bsm_price",
    "correlation", "delta_normal_var", "deribit_pme", "derive_dutch_auction", "derive_pmrm2", "derive_srm",
    "drift_fee_ramp", "drift_imf", "drift_insurance_fee", "drift_liability_transfer", "drift_liquidation_size",
    "dydx_fillable_price", "dydx_insurance_delta", "ewma", "gaussian_var_es", "historical_var_es", "hyperliquid_ltv",
    "ledoit_wolf", "oas", "okx_mr7", "okx_mr9", "paradex_liquidation", "paradex_scan", "psd_repair",
    "psd_repair_higham", "span_scan",
}  # fmt: skip

beside_the_checkout = pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/vectors.json beside the checkout")


def cases(path: Path) -> list[Case]:
    return list(decode(path.read_bytes(), path.name)) if path.exists() else []


OWN_CASES = [case for path in OWN for case in cases(path)]
SHARED_CASES = cases(SHARED)


def named(found: list[Case]) -> pytest.MarkDecorator:
    """Parametrise by cases; a file that is absent leaves one case that is skipped."""
    return pytest.mark.parametrize("case", found or [None], ids=lambda case: case.id if case else "absent")


@named(OWN_CASES)
def test_our_own_vectors_pass(case: Case) -> None:
    """Every function returns the numbers of QuantLib, of 40 digits or of a hand calculation."""
    result = run_case(case, CALLABLES[case.group])
    assert (result.outcome, result.comparison.faults) == (Outcome.PASSED, [])


@named(OWN_CASES)
def test_our_own_vectors_are_right_by_the_second_implementation(case: Case) -> None:
    """The numbers in the files are also those of the second implementation, which never saw QuantLib."""
    assert compare(case.expected, plain(SECOND[case.group](case.inputs)), case.tolerance).faults == []


@named(OWN_CASES)
def test_our_own_vectors_hold_when_moved(case: Case) -> None:
    """Each number of each own case moved by 1 %, alone and together, gives the second implementation's result."""
    assert check(case.group, case.inputs) > 2


@beside_the_checkout
@named(SHARED_CASES)
def test_the_shared_vectors_pass(case: Case) -> None:
    """Every shared case passes."""
    result = run_case(case, CALLABLES.get(case.group))
    assert (result.outcome, result.comparison.faults) == (Outcome.PASSED, [])


@beside_the_checkout
@named(SHARED_CASES)
def test_the_shared_vectors_hold_when_moved(case: Case) -> None:
    """Each number of each shared case moved by 1 %, alone and together, gives the second implementation's result."""
    assert check(case.group, case.inputs) > 6


def test_every_group_of_the_contract_has_its_function() -> None:
    """Another file of the same groups runs without change."""
    assert set(CALLABLES) == GROUPS
    assert {case.group for case in SHARED_CASES} <= GROUPS


def test_every_function_has_a_case_of_ours() -> None:
    """No group is without a vector where the shared file is absent."""
    assert {case.group for case in OWN_CASES} == set(CALLABLES)


def test_ids_differ_over_all_files() -> None:
    """An id names one case."""
    assert len({case.id for case in OWN_CASES}) == len(OWN_CASES)


def test_the_files_are_what_their_writer_writes() -> None:
    """Inputs and tolerances are the writer's to the letter, expectations its numbers to 1e-12 on any platform."""
    written = write.files()
    assert {path.name for path in OWN} == set(written)
    for path in OWN:
        for stored, again in zip(cases(path), decode(written[path.name].encode(), path.name), strict=True):
            assert msgspec.structs.replace(stored, expected={}, source="") == msgspec.structs.replace(
                again, expected={}, source=""
            )
            # The smallest price of the chain is a millionth of a cent under a forward of 66,000.
            assert compare(stored.expected, again.expected, Tolerance(rel=1e-12, abs=1e-12)).faults == []
