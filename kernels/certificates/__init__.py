"""Certificates: how far prices, volatilities, time and correlations may go before an account can change its state.

Mathematics and proofs: `docs/certificates.md`. `conditions` says which inequalities hold a state; `smile` and
`tangents` bound what instruments are worth around the present price, `places` what accounts have in an underlying;
`intervals` turns that into prices; `drift` and `correlation` bound everything else that moves; `charges` is what model
A adds; `account` puts one account's certificate together.
"""
