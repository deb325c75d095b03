"""How a liquidation is carried out: rounds, sales, who pays what is missing. It proposes and accounts, no more.

Everything here is a pure function or a state machine of event time. Closed forms of venues are in
`kernels.liquidation`, what to trade is `monitor.answers.plan`.
"""
