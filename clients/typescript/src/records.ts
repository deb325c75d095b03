// Generated from the record types by `python -m schemas`. DO NOT EDIT.

/** How an account is margined, and to whom it belongs. */
export interface AccountConfig {
  /** The account; the message key. */
  readonly account: string;
  /** When the configuration takes effect, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up. */
  readonly margin_model?: "A" | "A-okx" | "A-paradex" | "B" | "C" | "D" | "D-history" | "E" | "E-cross" | "E-derive" | "E-tiered" | "P";
  /** Name of the parameter set on `risk.parameters.v1`. */
  readonly parameter_set?: string;
  /** Owner of several sub-accounts; absent for an account of its own. */
  readonly group?: string | null;
  /** Where the account is held; absent if that does not matter. */
  readonly venue?: string | null;
  /** Whether the account is closed: it is no longer evaluated. */
  readonly closed?: boolean;
  /** Layout of the record. */
  readonly v?: 1;
}

/** One transition of one account: what, how short, why, and computed at which positions. The id is fixed before the event is sent; a second delivery has the same bytes. Bodies hold no wall-clock time. */
export interface AccountEvent {
  /** First 32 hex digits of SHA-256 over canonical JSON `[account, episode, sequence, kind]`. */
  readonly id: string;
  /** What happened. */
  readonly kind: "bankrupt" | "data_hold" | "liquidation" | "margin_call" | "recovered" | "resolved" | "warning";
  /** The account; the message key. */
  readonly account: string;
  /** Grows each time the account leaves healthy. */
  readonly episode: number;
  /** Grows with every event of the account and is never reset; a hole means a lost event. */
  readonly sequence: number;
  /** Status before. */
  readonly state_from: "bankrupt" | "healthy" | "liquidation" | "margin_call" | "recovered" | "warning";
  /** Status after; the same for a data hold. */
  readonly state_to: "bankrupt" | "healthy" | "liquidation" | "margin_call" | "recovered" | "warning";
  /** Whether decisions are held because data are stale or contradictory; its own event raises and releases it. */
  readonly data_hold: boolean;
  /** Whether this is a liquidation without an earlier call in its episode. */
  readonly jump: boolean;
  /** Event time of the transition, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Until when the event may be acted on, microseconds since 1970 UTC; later, ask `risk.account-states.v1` first. */
  readonly valid_until_us: number;
  /** What made the account cross. */
  readonly cause: Cause;
  /** Last record applied of each topic, as [offset, index in its frame]: what the event was computed at. */
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
  /** Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up. */
  readonly model: string;
  /** Name of the parameter set. */
  readonly parameter_set: string;
  /** First 16 hex digits of SHA-256 over the canonical values of the parameter set. */
  readonly parameter_hash: string;
  /** Collateral and unrealised profit and loss, USD. */
  readonly equity_usd: number;
  /** Initial requirement (IM), USD. */
  readonly im_requirement_usd: number;
  /** Maintenance requirement (MM), USD. */
  readonly mm_requirement_usd: number;
  /** Equity missing, USD: to zero for a bankruptcy, to MM for a liquidation or data hold, otherwise to IM. */
  readonly shortfall_usd: number;
  /** One sentence for people. */
  readonly reason: string;
  /** Contribution of each underlying, the largest requirement first. */
  readonly underlyings: ReadonlyArray<UnderlyingRisk>;
  /** Flags of the data behind the decision, as `stale:BTC`. */
  readonly data_quality?: ReadonlyArray<string>;
  /** Models other than A and P: parts of the initial requirement by name, USD, which sum to it. */
  readonly components?: Readonly<Record<string, number>> | null;
  /** Correlation state in force; absent in models without one, and for accounts in a single underlying. */
  readonly correlation?: CorrelationState | null;
  /** Why the initial requirement changed since `attribution_base`: eight parts in the order of replacement, which sum
    to the change; absent where either requirement could not be computed. */
  readonly attribution?: ReadonlyArray<AttributionPart> | null;
  /** What the attribution counts from. */
  readonly attribution_base?: AttributionBase | null;
  /** Under a declared overload: market records that moved the account's underlyings between its last evaluation and
    this one, and were folded without an evaluation of their own. */
  readonly conflated_records?: number;
  /** Since where, under a declared overload, not every record was evaluated; absent where every one was. */
  readonly left_out?: LeftOut | null;
  /** What a liquidation should do; absent where not computed. */
  readonly plan?: ReadonlyArray<PlanLine> | null;
  /** Layout of the record. */
  readonly v: 1;
}

/** Latest state of one account, compacted by account: for late joiners and for a bot's re-check. */
export interface AccountState {
  /** The account; the message key. */
  readonly account: string;
  /** Present status. */
  readonly status: "bankrupt" | "healthy" | "liquidation" | "margin_call" | "recovered" | "warning";
  /** Whether decisions are held because data are stale or contradictory. */
  readonly data_hold: boolean;
  /** Grows each time the account leaves healthy. */
  readonly episode: number;
  /** Sequence of the account's latest event. */
  readonly sequence: number;
  /** Grows with every write of the account's state. */
  readonly version: number;
  /** Event time of the figures, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Collateral and unrealised profit and loss, USD. */
  readonly equity_usd: number;
  /** Initial requirement, USD. */
  readonly im_requirement_usd: number;
  /** Maintenance requirement, USD. */
  readonly mm_requirement_usd: number;
  /** Margin model. */
  readonly model: string;
  /** Name of the parameter set. */
  readonly parameter_set: string;
  /** First 16 hex digits of SHA-256 over the canonical values of the parameter set. */
  readonly parameter_hash: string;
  /** Last record applied of each topic, as [offset, index in its frame]. */
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
  /** Positions right behind each of the account's own records since its state before, oldest first, the newest 64.

    Topics that are not named are as in `positions`.
     */
  readonly path?: ReadonlyArray<Readonly<Record<string, readonly [number, number]>>>;
  /** Whether the account is closed. */
  readonly closed?: boolean;
  /** Layout of the record. */
  readonly v: 1;
}

/** What is charged on top of a model; None is off, and so is everything by default. */
export interface AddOnParameters {
  /** Liquidation cost and concentration. */
  readonly liquidity?: LiquidityAddOn | null;
  /** Options sold and not covered. */
  readonly naked_shorts?: NakedShortAddOn | null;
  /** Basis between expiries. */
  readonly roll?: RollAddOn | null;
  /** Funding provision. */
  readonly funding?: FundingAddOn | null;
  /** Dollar tokens. */
  readonly depeg?: DepegAddOn | null;
  /** Floor under the model. */
  readonly minimum?: MinimumAddOn | null;
  /** Doubtful data. */
  readonly data_quality?: DataQualityAddOn | null;
}

/** What could be done about a margin call or a liquidation, at the positions that it names. It follows its event within moments, and may be missing: no event waits for it. The newest of an account counts. */
export interface Advice {
  /** First 32 hex digits of SHA-256 over canonical JSON `["advice", event, positions]`. */
  readonly id: string;
  /** Id of the event that it is about. */
  readonly event: string;
  /** Kind of that event. */
  readonly kind: "liquidation" | "margin_call";
  /** The account; the message key. */
  readonly account: string;
  /** Episode of that event. */
  readonly episode: number;
  /** Sequence of that event. */
  readonly sequence: number;
  /** Market time of the figures, microseconds since 1970 UTC; not before the event's. */
  readonly event_time_us: number;
  /** Last record applied of each topic, as [offset, index in its frame]: what it was computed at. */
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
  /** Margin model. */
  readonly model: string;
  /** First 16 hex digits of SHA-256 over the canonical values of the parameter set. */
  readonly parameter_hash: string;
  /** Whether the account may leave its state already, trades help, or not even closing everything does. */
  readonly outcome: "infeasible" | "nothing" | "reduce";
  /** IM/equity that the trades come down to, buffer included. */
  readonly target_v: number;
  /** Equity, USD. */
  readonly equity_usd: number;
  /** Initial requirement, USD. */
  readonly im_requirement_usd: number;
  /** Maintenance requirement, USD. */
  readonly mm_requirement_usd: number;
  /** Dollars that would do it without any trade. */
  readonly deposit_usd: number;
  /** The single cheapest trade that does it; absent where none does alone. */
  readonly single_trade?: SingleTrade | null;
  /** The cheapest trades together, closing positions only, the dearest first. */
  readonly trades?: ReadonlyArray<AdvisedTrade>;
  /** Cost of all of them, USD. */
  readonly cost_usd?: number;
  /** Initial requirement that they release, USD. */
  readonly release_usd?: number;
  /** What one USD of excess more would cost. */
  readonly price_of_margin?: number | null;
  /** Share of every position that is enough, closed pro rata: a cap on what has to be closed; 1 where that is not. */
  readonly close_fraction?: number;
  /** By position, the largest release for its cost first. */
  readonly shadow_prices?: ReadonlyArray<ShadowPrice>;
  /** Of a liquidation: all that the figures rest on, as in bundles; what answers to an intent are margined against. */
  readonly view?: Readonly<Record<string, unknown>> | null;
  /** Layout of the record. */
  readonly v: 1;
}

/** One trade that is proposed. Nothing of ours sends it. */
export interface AdvisedTrade {
  /** What to trade: a contract, or a coin by its name. */
  readonly instrument: string;
  /** Signed contracts: positive buy, negative sell. */
  readonly quantity: number;
  /** Signed contracts held before it. */
  readonly held: number;
  /** Price with half a spread and its part of the impact, USD per coin. */
  readonly expected_price_usd: number;
  /** What it costs against the mark, fee included, USD; below zero where it stands against the plan's own flow. */
  readonly cost_usd: number;
}

/** A solver's basket for an intent. */
export interface Answer {
  /** The solver's own id of the answer; a repeated id is one answer. */
  readonly id: string;
  /** Id of the intent. */
  readonly intent: string;
  /** The account; the message key. */
  readonly account: string;
  /** Who answers. */
  readonly solver: string;
  /** Signed contracts that the account trades, by instrument. */
  readonly basket: Readonly<Record<string, number>>;
  /** What the account pays for it against the marks, USD. */
  readonly cost_usd: number;
  /** Whether a share of the basket may be taken, at the same share of the cost. */
  readonly divisible?: boolean;
  /** When it was made, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Layout of the record. */
  readonly v?: 1;
}

/** One asset: its balance as collateral, and a debt in it. */
export interface AssetCollateral {
  /** How a positive balance counts. */
  readonly positive?: Haircut | LoanToValue;
  /** Maintenance rate on the value of a negative balance, slice by slice. */
  readonly borrow_mm?: MarginalTiers;
  /** What initial margin adds to that. */
  readonly borrow_im_extra?: MarginalTiers;
}

/** What an attribution counts from: the account's previous event, or else its latest own record. */
export interface AttributionBase {
  /** Sequence of the previous event; 0 if there was none. */
  readonly sequence: number;
  /** Market time then, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Initial requirement then, USD. */
  readonly im_requirement_usd: number;
}

/** Part of the change of the initial requirement since the account's previous event that is due to one group. */
export interface AttributionPart {
  /** What changed. */
  readonly group: "basis" | "collateral" | "correlation" | "parameters" | "price" | "time" | "trades" | "vol";
  /** Its part of the change, USD. */
  readonly change_usd: number;
}

/** How one action ended: answers taken in their order, the others with the reason. */
export interface Award {
  /** Id of the intent. */
  readonly intent: string;
  /** The account; the message key. */
  readonly account: string;
  /** Its episode. */
  readonly episode: number;
  /** Number of the action. */
  readonly action: number;
  /** What was taken, the best first. */
  readonly taken: ReadonlyArray<Taken>;
  /** Answers of which nothing was taken. */
  readonly refused: Readonly<Record<string, "changed" | "forged" | "late" | "no_release" | "not_allowed" | "outbid" | "too_expensive" | "unknown" | "unsigned">>;
  /** Excess that is still missing, USD; the next action is about it. */
  readonly left_usd: number;
  /** When it was awarded, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Layout of the record. */
  readonly v?: 1;
}

/** The record that made an account cross, or what acted at its own moment without one (then `topic` says which). */
export interface Cause {
  /** Name of the topic in the topic table. Without a record: `timer` (a deadline of the account's), `expiry` (a
    settlement), `time` (a price became too old, an option lost time value) or `recovery`. */
  readonly topic: string;
  /** Partition of the record. */
  readonly partition?: number;
  /** Offset of the record; -1 when no record was the cause. */
  readonly offset?: number;
  /** Place of the record in its frame, from 0; 0 for a single record. */
  readonly index?: number;
}

/** Collateral of an account, by asset; by default nothing is cut [ours: figures of models stay as they are]. */
export interface CollateralParameters {
  /** Every asset not named below. */
  readonly default?: AssetCollateral;
  /** By asset. USD has no haircut and may be named for its debts. */
  readonly assets?: Readonly<Record<string, AssetCollateral>>;
}

/** The correlations that a netted requirement rests on. */
export interface CorrelationState {
  /** Version of the published matrices; 0 before there are any. */
  readonly version: number;
  /** First 16 hex digits of SHA-256 over the published matrices; empty before there are any. */
  readonly digest: string;
  /** k in force, that of the regime: weight of the plain sum against the worst matrix. */
  readonly stress: number;
  /** Weight in the worst case of `fast`, `slow`, `latched_high`, `latched_low` and `floor`; they sum to 1. */
  readonly matrices: Readonly<Record<string, number>>;
  /** Largest eigenvalue of the fast matrix over its size: 1 when everything moves together, 0 before there is any. */
  readonly absorption_ratio: number;
  /** Correlation regime, which decides k. */
  readonly regime?: "breakdown" | "calm" | "concentration";
}

/** Charges for data that are doubtful: on notional by confidence, on the requirement by staleness. */
export interface DataQualityAddOn {
  /** Confidence in an underlying that carries a flag, the least of several; 1 without any [ours]. */
  readonly confidence?: Readonly<Record<string, number>>;
  /** Confidence below which it is charged [ours: all of it; Derive's is 0.55, code]. */
  readonly threshold?: number;
  /** Charge on notional per unit of missing confidence [ours; Derive's is 1 below its lower threshold, code]. */
  readonly factor?: number;
  /** g: what the requirement grows by where prices are wholly stale [ours]. */
  readonly growth?: number;
  /** Share of that growth for an underlying with a flag [ours]. */
  readonly stale_share?: Readonly<Record<string, number>>;
  /** age0: age of a price that costs nothing, where ages are known, seconds [ours]. */
  readonly age_free_s?: number;
  /** age1: time from there to the whole growth, seconds [ours]. */
  readonly age_span_s?: number;
  /** Maintenance as a fraction of initial [code: Derive charges confidence initially only]. */
  readonly mm_factor?: number;
}

/** Dollar tokens that lose their peg: scenarios on what is held of them, tiers on hedges across them. */
export interface DepegAddOn {
  /** The tokens; each takes its own worst scenario, and these are added up [ours]. */
  readonly tokens?: ReadonlyArray<string>;
  /** Moves with the share of their loss that counts [ours; the share of the last as SPAN's extremes, doc]. */
  readonly shocks?: ReadonlyArray<readonly [number, number]>;
  /** Rates on the size hedged across quote currencies [doc: OKX, unit MR9]. */
  readonly hedge_tiers?: MarginalTiers;
  /** Maintenance as a fraction of initial [ours; OKX's initial requirement is 1.3 times it, secondary]. */
  readonly mm_factor?: number;
}

/** Options under Derive's standard manager (defaults: mainnet configuration [code]; ranges: the contract's own). */
export interface DeriveOptionParameters {
  /** Initial rate on the spot at or in the money. */
  readonly max_spot_req?: number;
  /** Initial rate on the spot far out of the money. */
  readonly min_spot_req?: number;
  /** Maintenance rate of a short call on the spot. */
  readonly mm_call_spot_req?: number;
  /** Maintenance rate of a short put on the spot. */
  readonly mm_put_spot_req?: number;
  /** Maintenance rate of a short put on its value, where that is more. */
  readonly mm_put_mtm_req?: number;
  /** Initial charge on the forward for each call sold that no call bought covers. */
  readonly unpaired_im_scale?: number;
  /** The same for maintenance. */
  readonly unpaired_mm_scale?: number;
  /** A short put's initial margin is at least so many times its maintenance. */
  readonly mm_offset_scale?: number;
}

/** Charges on prices that are not trusted (defaults: Derive, mainnet [code]). */
export interface DeriveOracleParameters {
  /** Confidence below which a perpetual is charged. */
  readonly perp_threshold?: number;
  /** Confidence below which an expiry's shorts are charged. */
  readonly option_threshold?: number;
  /** Confidence below which coins are charged. */
  readonly base_threshold?: number;
  /** Part of the spot charged per missing confidence. */
  readonly factor?: number;
}

/** Derive's standard manager, one market (defaults: ETH, mainnet [code]). */
export interface DeriveStandardParameters {
  /** Options. */
  readonly option?: DeriveOptionParameters;
  /** Confidence of prices. */
  readonly oracle?: DeriveOracleParameters;
  /** Perpetuals. */
  readonly perp?: PerpetualRates;
  /** Part of a coin's value that counts; BTC 0.75, USDT 0.98. */
  readonly base_margin_factor?: number;
  /** Part of that which counts initially; BTC 0.93, USDT 0.98. */
  readonly base_im_scale?: number;
  /** Price of the stable coin below which shorts and perpetuals are charged initially. */
  readonly depeg_threshold?: number;
  /** Charge on the spot per missing price. */
  readonly depeg_factor?: number;
}

/** Smile of one expiry: vol(x) = atm + slope x + curvature x^2, x = ln(K/F)/sqrt(T), T in years. `x` is held at `x_min` and `x_max`: the volatility is flat outside the quoted strikes. */
export interface ExpiryVolatility {
  readonly kind: "expiry";
  /** The coin; the message key. */
  readonly underlying: string;
  /** The feed. */
  readonly source: string;
  /** The expiry, microseconds since 1970 UTC. */
  readonly expiry_us: number;
  /** Annualised volatility at the forward, decimal. */
  readonly atm_vol_annual: number;
  /** Venue's time, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Change of volatility per unit of x. */
  readonly slope?: number;
  /** Change of volatility per unit of x squared. */
  readonly curvature?: number;
  /** Lowest quoted x. */
  readonly x_min?: number;
  /** Highest quoted x. */
  readonly x_max?: number;
  /** F/S - 1 of the expiry. */
  readonly forward_basis?: number | null;
  /** When the recorder received it, microseconds since 1970 UTC; never decides anything. */
  readonly received_time_us?: number | null;
  /** Layout of the record. */
  readonly v?: 1;
}

/** Funding rate of a perpetual, in force until the next one; longs pay shorts where it is positive. It is earned continuously, `rate` of the notional at the mark in every `interval_ms`. A rate of zero says that nothing is paid; a rate older than twice its interval is not believed any more, and nothing is earned then either. */
export interface Funding {
  readonly kind: "funding";
  /** The perpetual; the message key. */
  readonly instrument: string;
  /** The coin. */
  readonly underlying: string;
  /** The feed. */
  readonly source: string;
  /** Part of the notional paid in one interval, decimal: 0.0001 is one basis point. */
  readonly rate: number;
  /** Venue's time from which the rate is in force, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** The interval that the rate is for, milliseconds. */
  readonly interval_ms?: number;
  /** When the recorder received it, microseconds since 1970 UTC; never decides anything. */
  readonly received_time_us?: number | null;
  /** Layout of the record. */
  readonly v?: 1;
}

/** Funding that perpetuals will pay over a time, if it is a cost [doc: Paradex]. */
export interface FundingAddOn {
  /** How far ahead, hours [doc: Paradex]. */
  readonly horizon_hours?: number;
  /** Rate in eight hours that either side is taken to pay where none is known [mem: common interest part]. */
  readonly assumed_rate?: number;
  /** Maintenance as a fraction of initial [doc: Paradex adds it to both]. */
  readonly mm_factor?: number;
}

/** Haircuts on the value of a balance, slice by slice: what lies beyond a size earns less and less. */
export interface Haircut {
  readonly kind: "haircut";
  /** Share of each slice that maintenance does not count. */
  readonly mm?: MarginalTiers;
  /** What initial margin adds to that [code: Derive adds, it does not replace]. */
  readonly im_extra?: MarginalTiers;
}

/** Time goes on: published every second so that timers and staleness live through silence. */
export interface Heartbeat {
  readonly kind: "heartbeat";
  /** Who publishes it; the message key. */
  readonly source: string;
  /** The time it is, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Layout of the record. */
  readonly v?: 1;
}

/** A listed contract. Futures and options carry `expiry_us`, options also `strike` and `option_type`; no other type carries any of them. An inverse contract is a derivative settled in its underlying. */
export interface Instrument {
  /** The contract; the message key. */
  readonly instrument: string;
  /** Kind of contract. */
  readonly type: "future" | "option" | "perpetual" | "spot";
  /** The coin whose price moves the contract. */
  readonly underlying: string;
  /** The asset in which profit, loss and fees are paid. */
  readonly settlement: string;
  /** When the listing takes effect, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Whether the contract's value moves with the price or with its inverse. */
  readonly contract?: "inverse" | "linear";
  /** Coins per contract; USD of face value per contract for inverse perpetuals and futures. */
  readonly contract_size?: number;
  /** Expiry, microseconds since 1970 UTC. */
  readonly expiry_us?: number | null;
  /** Strike, USD per coin. */
  readonly strike?: number | null;
  /** Right to buy or to sell. */
  readonly option_type?: "call" | "put" | null;
  /** Whether the contract no longer trades. */
  readonly delisted?: boolean;
  /** Layout of the record. */
  readonly v?: 1;
}

/** Mark volatility of one option. */
export interface InstrumentVolatility {
  readonly kind: "instrument";
  /** The coin; the message key. */
  readonly underlying: string;
  /** The feed. */
  readonly source: string;
  /** The option. */
  readonly instrument: string;
  /** Annualised volatility as a decimal: 0.45 is 45 %, a year has 365 days. */
  readonly vol_annual: number;
  /** Venue's time, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Expiry of the option, microseconds since 1970 UTC. */
  readonly expiry_us?: number | null;
  /** F/S - 1 of the expiry. */
  readonly forward_basis?: number | null;
  /** When the recorder received it, microseconds since 1970 UTC; never decides anything. */
  readonly received_time_us?: number | null;
  /** Layout of the record. */
  readonly v?: 1;
}

/** What an account needs, for anyone to offer: one action of one liquidation. */
export interface Intent {
  /** First 32 hex digits of SHA-256 over canonical `["intent", account, episode, action]`. */
  readonly id: string;
  /** The account; the message key. */
  readonly account: string;
  /** Its episode. */
  readonly episode: number;
  /** Number of the action in the episode, from 1. */
  readonly action: number;
  /** Id of the advice whose `view` baskets are margined against, with the awards of earlier actions on top. */
  readonly advice?: string;
  /** Excess that is missing to the target, USD: what a basket has to bring, its cost counted. */
  readonly release_usd: number;
  /** What may be traded: least and most signed contracts by instrument. */
  readonly limits: Readonly<Record<string, readonly [number, number]>>;
  /** Most that all of it may cost together, USD. */
  readonly worst_cost_usd: number;
  /** When it was opened, microseconds since 1970 UTC, by the clock that answers are stamped with. */
  readonly event_time_us: number;
  /** When it is awarded; later answers are late. */
  readonly expires_us: number;
  /** Layout of the record. */
  readonly v?: 1;
}

/** How prices of perpetuals and expiries move against the index, each bucket of tenors by its own draw [ours]. */
export interface JointBasis {
  /** Deviation in a day, of perpetuals [ours]. */
  readonly perpetual?: number;
  /** Where buckets end, days to expiry, rising; there is one more behind the last [ours]. */
  readonly tenor_days?: ReadonlyArray<number>;
  /** Deviation in a day by bucket, of the price [ours: a rate that moves by 2 % a year in a day, at the buckets' end;
    perpetuals and weeks by what premiums move]. */
  readonly daily?: ReadonlyArray<number>;
}

/** Model D. */
export interface JointParameters {
  /** Confidence of value at risk and shortfall [ours]. */
  readonly confidence?: number;
  /** Days that deviations are scaled to, by the square root [ours]. */
  readonly horizon_days?: number;
  /** Time that options lose in every scenario, days [ours: none, as in models A, B and P; decay is no income]. */
  readonly look_ahead_days?: number;
  /** Whether scenarios are drawn, or the standardised returns of the past at today's volatilities. */
  readonly scenarios?: "historical" | "monte_carlo";
  /** Whether historical scenarios keep the correlations of the past, or take on those in force [ours: keep]. */
  readonly historical_correlation?: "now" | "past";
  /** Scenarios drawn [ours]. */
  readonly draws?: number;
  /** What the draws are made from; it belongs to the version of the parameters [ours]. */
  readonly seed?: number;
  /** Whether every second draw is the one before with its signs changed [ours]. */
  readonly antithetic?: boolean;
  /** Degrees of freedom of Student t, one mixing variable for all factors of a scenario; None is normal [ours]. */
  readonly degrees_of_freedom?: number | null;
  /** Which losses a shortfall averages: see `kernels.tail` [ours: the coherent one]. */
  readonly es_convention?: "beyond" | "tail_mean" | "weighted";
  /** Maintenance requirement as a fraction of the initial one [ours]. */
  readonly mm_factor?: number;
  /** Name of the matrix that scenarios are drawn with, or `worst`: the one with the largest shortfall [ours]. A name
    that is not in force counts as `worst`. */
  readonly correlation?: string;
  /** Where correlations break to; the worst of them counts [ours]. */
  readonly stress_targets?: ReadonlyArray<"against_me" | "all_plus" | "diversification_lost">;
  /** Weight of the target; None is the one in force for the portfolio's correlations [ours]. */
  readonly stress_k?: number | null;
  /** Least requirement, of the notional of contracts other than long options [doc: Paradex, 2 % initial and 1 %
    maintenance; 1 % ours]. */
  readonly floor?: number;
  /** b: weight of the long-run stress where that is above the requirement of now [mem: stress weight of EU rules]. */
  readonly procyclicality_blend?: number;
  /** Moves of the long-run stress; the worst of them counts. */
  readonly stress_moves?: ReadonlyArray<JointStressMove>;
  /** Implied volatilities. */
  readonly volatility?: JointVolatility;
  /** Prices against the index. */
  readonly basis?: JointBasis;
  /** Least relative move of an index and of a basis: draws beyond are held there [ours]. */
  readonly least_move?: number;
  /** Fewest past returns of all underlyings together that a historical requirement may rest on [ours: five beyond the
    99th percentile]. */
  readonly min_history?: number;
  /** Past returns in a row that count as one observation of the standard error [ours: two overlaps of 10 minutes]. */
  readonly history_group?: number;
  /** Volatility of an underlying that has none, annualised, by name. */
  readonly assumed_annual_vol?: Readonly<Record<string, number>>;
  /** That of dollar tokens not named; None refuses [ours]. */
  readonly assumed_annual_vol_token?: number | null;
  /** That of every other not named; None refuses [ours]. */
  readonly assumed_annual_vol_other?: number | null;
}

/** One joint move of the long-run stress. */
export interface JointStressMove {
  /** What it is. */
  readonly name: string;
  /** Relative move of the index by underlying. */
  readonly moves?: Readonly<Record<string, number>>;
  /** That of every coin not named; dollar tokens that are not named do not move. */
  readonly other: number;
  /** Relative move of the volatility of a 30-day option. */
  readonly volatility: number;
}

/** How implied volatilities move with the scenarios; all figures are of a 30-day option. */
export interface JointVolatility {
  /** Relative rise of volatility by a fall of the index, per fall of 1 [ours: on 2026-02-05 it rose by 64 % on 13 %
    (BTC) and by 30 % on 13 % (ETH)]. */
  readonly beta_down?: number;
  /** Relative rise of volatility by a rise of the index, per rise of 1 [ours]. */
  readonly beta_up?: number;
  /** Volatility of volatility that the index does not explain, annualised, relative [ours: 5 % a day]. */
  readonly annual_vol?: number;
  /** Correlation of these own moves between underlyings [ours]. */
  readonly common?: number;
  /** Exponent of 30/days up to 30 days to expiry [doc: Deribit, Derive and Paradex]. */
  readonly short_term_power?: number;
  /** Exponent of 30/days beyond 30 days to expiry [doc: same]. */
  readonly long_term_power?: number;
  /** Fewest days to expiry that moves are scaled with [doc: Derive and Paradex]. */
  readonly dte_floor_days?: number;
}

/** Where evaluations of an account were left out under a declared overload since its event before. */
export interface LeftOut {
  /** Last record of each topic before the overload, or at the event before if that came later, as [offset, index in
    its frame]. */
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
  /** The same of the evaluation that began the timer which fired; absent where none did, and after a takeover. */
  readonly timer?: Readonly<Record<string, readonly [number, number]>> | null;
}

/** Market depth of one underlying: of its price, and of its volatility in USD per volatility point. */
export interface Liquidity {
  /** V, dollars traded a day in what a liquidation may use [data: below the thinnest of seven coins, 24 million]. */
  readonly daily_volume_usd?: number;
  /** k, half the spread as a fraction of the price [ours]. */
  readonly half_spread?: number;
  /** Annualised volatility where the market has none, decimal [ours: coins beside the two large ones reached 1.9]. */
  readonly assumed_vol_annual?: number;
  /** Vega traded a day, USD per volatility point [ours: a twentieth of ETH's]. */
  readonly daily_vega_usd?: number;
  /** Half the spread of options, volatility points [data: nine in ten BTC options were quoted closer]. */
  readonly vega_half_spread_points?: number;
  /** Daily deviation of the volatility, points [data: BTC, at the money, through the sell-off of February 2026]. */
  readonly vega_daily_move_points?: number;
}

/** Cost of closing positions, and market risk for as long as that takes [ours, section by section below]. */
export interface LiquidityAddOn {
  /** eta: impact in daily deviations of trading one day's volume, by the square-root law [ours]. */
  readonly impact?: number;
  /** pi: share of the daily volume that a liquidation may be [ours]. */
  readonly participation?: number;
  /** Share of gross delta in the size to close, the rest is net: 0, since futures do net [ours]. */
  readonly delta_gross_share?: number;
  /** Share of gross vega in the size to close: options of several strikes do not net in a fire sale [ours]. */
  readonly vega_gross_share?: number;
  /** Whether a position that takes h days to close carries its market risk sqrt(h) times [ours]. */
  readonly scale_market_risk?: boolean;
  /** Maintenance as a fraction of initial: at liquidation this is money that is paid [ours]. */
  readonly mm_factor?: number;
  /** Every underlying not named below. */
  readonly default?: Liquidity;
  /** Market depth by underlying: volumes of BTC and ETH below one large venue's [mem], their vega [data: median]. */
  readonly underlyings?: Readonly<Record<string, Liquidity>>;
}

/** Collateral by what may be borrowed against it: initial LTV, maintenance 1/2 + LTV/2 [doc: Hyperliquid]. */
export interface LoanToValue {
  readonly kind: "loan_to_value";
  /** Share of its value that may be borrowed [mem]. */
  readonly loan_to_value?: number;
  /** Coins that count at most; None: any number. */
  readonly supply_cap?: number | null;
  /** USD that it counts for at most; None: any amount. */
  readonly borrow_cap_usd?: number | null;
}

/** One tier of notional: where it begins, and its rates. */
export interface MarginTier {
  /** Notional at which the tier begins, USD. */
  readonly floor_usd: number;
  /** Maintenance rate of the slice above the floor. */
  readonly mm_rate: number;
  /** Initial rate of the whole notional in this tier; not below the maintenance rate. */
  readonly im_rate: number;
}

/** One slice of an amount, from the end of the slice before it. */
export interface MarginalTier {
  /** Rate of the slice: a fraction, or a multiplier. */
  readonly rate: number;
  /** Where the slice ends, USD; the last one has no end. */
  readonly up_to_usd?: number | null;
}

/** A table without gaps: slices follow each other, rates do not fall, and the last slice has no end. */
export interface MarginalTiers {
  /** The slices, from 0 upwards. */
  readonly tiers: ReadonlyArray<MarginalTier>;
}

/** A floor under the model's requirement, by notional of delta. */
export interface MinimumAddOn {
  /** Rate on the net delta of an underlying [doc: Paradex]. */
  readonly net_rate?: number;
  /** Rate on the delta that is long and short at once [doc: Paradex; that this is the smaller side is ours]. */
  readonly hedged_rate?: number;
  /** The floor of maintenance as a fraction of the initial one [doc: Paradex]. */
  readonly mm_factor?: number;
}

/** A charge on options sold and not covered, per coin of the underlying. */
export interface NakedShortAddOn {
  /** Initial rate on the index [code: Derive, mainnet; an older rule of Deribit has 0.01, doc]. */
  readonly im_rate?: number;
  /** Maintenance rate on the index [code: same]; not above the initial one. */
  readonly mm_rate?: number;
  /** Whether the other type at the same strike and expiry covers [code: Derive], or nothing does. */
  readonly cover?: "contract" | "strike";
}

/** Model P: how risk matrices of several underlyings are netted by correlation. */
export interface NettingParameters {
  /** k: weight of the plain sum against the worst matrix; 0 trusts the matrices, 1 nets nothing. */
  readonly correlation_stress?: number;
  /** k while correlations are concentrated; that of calm times if it is larger. */
  readonly concentration_stress?: number;
  /** k while correlations break down; that of calm times if it is larger. */
  readonly breakdown_stress?: number;
  /** Correlation of every two coins in the last matrix, which stands beside the estimates. */
  readonly floor_correlation?: number;
  /** Twice as many moves while a listed option of the underlying expires within so many days. */
  readonly fine_grid_days?: number;
  /** Four times as many moves while one expires within so many days. */
  readonly finest_grid_days?: number;
  /** Price ranges: steps that follow volatility, or each risk matrix's own. */
  readonly ranges?: "fixed" | "ladder";
  /** Underlyings that keep their own range: how far a peg breaks is not in its volatility. */
  readonly fixed_ranges?: ReadonlyArray<string>;
  /** Maintenance requirement as a fraction of the initial one. */
  readonly mm_factor?: number;
}

/** Underlyings that are shocked alike. */
export interface OkxGroup {
  /** Members. */
  readonly underlyings?: ReadonlyArray<string>;
  /** MR1: price moves on each side, ascending, as fractions. */
  readonly spot_moves: ReadonlyArray<number>;
  /** MR4: annualised move of the basis. */
  readonly basis_move: number;
  /** MR6: price move on each side. */
  readonly extreme_move: number;
}

/** Portfolio margin by risk units MR1 to MR9. */
export interface OkxParameters {
  /** Named groups of underlyings. */
  readonly groups?: ReadonlyArray<OkxGroup>;
  /** Every underlying that no group names; its own list is not read. */
  readonly others?: OkxGroup;
  /** Coins that are cash: no risk unit shocks them [doc for the idea: MR9 looks at them instead]. */
  readonly cash_assets?: ReadonlyArray<string>;
  /** MR1, MR3: upward volatility shock of a 30-day option, relative [ours: Deribit's]. */
  readonly volatility_range_up?: number;
  /** MR1, MR3: downward volatility shock of a 30-day option, relative [ours: Deribit's]. */
  readonly volatility_range_down?: number;
  /** MR1, MR3: least annualised volatility after an upward shock [ours: Deribit's]. */
  readonly min_volatility_for_shock_up?: number;
  /** Exponent of 30/days up to 30 days [ours: as three other venues]. */
  readonly short_term_vega_power?: number;
  /** Exponent of 30/days beyond 30 days [ours: as three other venues]. */
  readonly long_term_vega_power?: number;
  /** Fewest days that volatility shocks are scaled with [ours: as two other venues]. */
  readonly dte_floor_days?: number;
  /** MR2: time that passes [doc]. */
  readonly decay_hours?: number;
  /** MR3: where one tenor ends and the next begins, days, ascending [ours]. */
  readonly vega_tenors_days?: ReadonlyArray<number>;
  /** MR3: share of the gains of some tenors, set against losses of others, that is charged [ours]. */
  readonly vega_offset_charge?: number;
  /** MR4: fewest days that a basis moves over, those of perpetuals included [ours]. */
  readonly basis_min_days?: number;
  /** MR5: parallel move of interest rates, annual [ours]. */
  readonly rate_move?: number;
  /** MR6: share of the loss that counts [mem]. */
  readonly extreme_share?: number;
  /** MR7: raw charge of futures and perpetuals, as a fraction of the notional [ours]. */
  readonly future_charge?: number;
  /** MR7: raw charge of options, as a fraction of the notional [ours]. */
  readonly option_charge?: number;
  /** MR7: multipliers of the raw charge [doc]. */
  readonly minimum_charge?: MarginalTiers;
  /** MR8: rates on what is owed, asset by asset [ours]. */
  readonly borrowing?: MarginalTiers;
  /** MR9: rates on the size hedged across quote currencies [doc]. */
  readonly depeg?: MarginalTiers;
  /** Initial requirement as a multiple of the maintenance one [2nd]. */
  readonly im_factor?: number;
}

/** Initial rate by open interest (dYdX v4; fields [code], the form and these values, its mid tier, [mem]). */
export interface OpenInterestParameters {
  /** Initial rate up to the lower cap. */
  readonly base_rate?: number;
  /** Open interest from which the rate grows, USD. */
  readonly lower_cap_usd?: number;
  /** Open interest at which it is 1, USD; 0 scales nothing. */
  readonly upper_cap_usd?: number;
  /** Maintenance rate as a part of the base rate; it is not scaled. */
  readonly maintenance_fraction?: number;
}

/** How an owner's accounts are looked at together. */
export interface OwnerParameters {
  /** Share of the initial requirement that stays in an account beyond it when excess is moved [ours]. */
  readonly buffer?: number;
  /** Time to move money out of a venue not named below, minutes [ours: an hour of confirmations and approvals]. */
  readonly default_transfer_minutes?: number;
  /** By venue, minutes. */
  readonly transfer_minutes?: Readonly<Record<string, number>>;
}

/** Portfolio margin of an account. */
export interface ParadexParameters {
  /** Every underlying not named below. */
  readonly scan?: ParadexScan;
  /** Cells by underlying. */
  readonly scans?: Readonly<Record<string, ParadexScan>>;
  /** Coins that are cash and are not shocked [doc for USDC, the venue's collateral; ours for the others]. */
  readonly cash_assets?: ReadonlyArray<string>;
  /** Fee provision: cost of closing a contract, as a fraction of its notional [mem: a taker's fee]. */
  readonly fee_rate?: number;
  /** Maintenance requirement as a fraction of the net margin, provisions apart [doc]. */
  readonly mm_factor?: number;
}

/** Cells of one underlying. */
export interface ParadexScan {
  /** Price moves on each side, ascending; the largest goes with a rising volatility only [doc]. */
  readonly moves?: ReadonlyArray<number>;
  /** Cells beyond, volatility up [doc]. */
  readonly tails?: ReadonlyArray<ParadexTail>;
  /** Upward volatility shock of a 30-day option, relative [doc]. */
  readonly volatility_range_up?: number;
  /** Downward volatility shock of a 30-day option, relative [doc]. */
  readonly volatility_range_down?: number;
  /** Least annualised volatility after an upward shock; none [ours: the page prints none]. */
  readonly min_volatility_for_shock_up?: number;
  /** Exponent of 30/days up to 30 days [doc]. */
  readonly short_term_vega_power?: number;
  /** Exponent of 30/days beyond 30 days [doc]. */
  readonly long_term_vega_power?: number;
  /** Fewest days that volatility shocks are scaled with [doc]. */
  readonly dte_floor_days?: number;
  /** Minimum on the net delta, as a fraction of spot [doc]. */
  readonly net_delta_rate?: number;
  /** Minimum on the delta that is hedged, as a fraction of spot [doc]. */
  readonly hedged_delta_rate?: number;
}

/** One cell beyond the scan. */
export interface ParadexTail {
  /** Price move, fraction. */
  readonly move: number;
  /** Share of its P&L that counts. */
  readonly weight: number;
}

/** A named, versioned set of parameters. */
export interface ParameterSet {
  /** The set; the message key. */
  readonly name: string;
  /** When the set takes effect, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Risk matrix of every underlying not named below. */
  readonly risk_matrix?: RiskMatrixParameters;
  /** Risk matrix by underlying. */
  readonly underlyings?: Readonly<Record<string, RiskMatrixParameters>>;
  /** Model P: netting over underlyings. */
  readonly netting?: NettingParameters;
  /** Model A-okx: risk units. */
  readonly okx?: OkxParameters;
  /** Model A-paradex: cells, floors and provisions. */
  readonly paradex?: ParadexParameters;
  /** Model D: draws, shortfall, correlation stress. */
  readonly joint?: JointParameters;
  /** Model B: scenarios and contingencies by underlying. */
  readonly pmrm?: PmrmSet;
  /** Model C: scan ranges, spreads and credits. */
  readonly span?: SpanSet;
  /** Model E: rates position by position. */
  readonly standard?: StandardSet;
  /** What every model is charged on top. */
  readonly add_ons?: AddOnParameters;
  /** Haircuts and charges on debts, under every model. */
  readonly collateral?: CollateralParameters;
  /** How accounts of one owner are looked at together. */
  readonly owner?: OwnerParameters;
  /** Account states. */
  readonly status?: StatusParameters;
  /** Layout of the record. */
  readonly v?: 1;
}

/** Flat rates on the notional at the mark (defaults: Derive's standard manager, mainnet [code]). */
export interface PerpetualRates {
  /** Initial requirement per notional; not below the maintenance rate. */
  readonly im_rate?: number;
  /** Maintenance requirement per notional. */
  readonly mm_rate?: number;
}

/** One proposed reduction or hedge of a liquidation plan. */
export interface PlanLine {
  /** What to trade. */
  readonly instrument: string;
  /** Signed contracts: positive buy, negative sell. */
  readonly quantity: number;
  /** Requirement set free, USD. */
  readonly expected_release_usd: number;
  /** Cost of the trade, USD. */
  readonly expected_cost_usd: number;
  /** Requirement set free by one more contract, USD. */
  readonly shadow_price_usd: number;
}

/** Basis contingency: the forward moves and spot does not [code]. */
export interface PmrmBasis {
  /** Upward factor [code]. */
  readonly spot_up?: number;
  /** Downward factor [code]. */
  readonly spot_down?: number;
  /** Share of the loss that is charged at once [code]. */
  readonly add_factor?: number;
  /** Share of the loss that is charged on top, per year to expiry [code]. */
  readonly mult_factor?: number;
}

/** What coins that are owned count for; defaults [ours], in the size of the venue's own. */
export interface PmrmCollateral {
  /** Part of the value that maintenance takes off. */
  readonly mm_haircut?: number;
  /** What initial margin takes off on top. */
  readonly im_haircut_extra?: number;
}

/** Factors on the worst scenario, and the static discount on shocked option values. */
export interface PmrmMargin {
  /** Initial margin: factor on the worst loss [code]. */
  readonly im_factor?: number;
  /** Maintenance margin: factor on the worst loss [code]. */
  readonly mm_factor?: number;
  /** Discount of positive values: factor on the rate [code]. */
  readonly long_rate_mult?: number;
  /** Discount of positive values: what is added to that, per year [code]. */
  readonly long_rate_add?: number;
  /** Growth of negative values: factor on the rate [code]. */
  readonly short_rate_mult?: number;
  /** Growth of negative values: what is added to that, per year [code]. */
  readonly short_rate_add?: number;
  /** Base factor on positive values [tests]; the deployment script has 1.05, which rewards. */
  readonly long_static_discount?: number;
  /** Base factor on negative values [tests]; the deployment script has 0.95, which rewards. */
  readonly short_static_discount?: number;
}

/** Contingencies on notional, depeg and confidence [code]. */
export interface PmrmOther {
  /** Price of the stable coin below which initial margin grows, USD [code]. */
  readonly peg_threshold?: number;
  /** Growth of im_factor per USD below that [code]. */
  readonly peg_factor?: number;
  /** Confidence below which initial margin grows [code]. */
  readonly conf_threshold?: number;
  /** Charge on notional per unit of missing confidence [code]. */
  readonly conf_margin?: number;
  /** Maintenance charge on the notional of perpetuals [code]. */
  readonly mm_perp_pct?: number;
  /** What initial margin adds to that [code]. */
  readonly im_perp_pct_extra?: number;
  /** Maintenance charge on the notional of naked short options [code]. */
  readonly mm_option_pct?: number;
  /** What initial margin adds to that [code]. */
  readonly im_option_pct_extra?: number;
}

/** Model B, for one underlying. */
export interface PmrmParameters {
  /** Scenarios in their order: factor on spot, direction of volatility, damping of the P&L [code]. */
  readonly scenarios?: ReadonlyArray<readonly [number, "abs" | "down" | "linear" | "none" | "up", number]>;
  /** Shock of the level of volatility. */
  readonly vol_shock?: PmrmVolShock;
  /** Factors and static discount. */
  readonly margin?: PmrmMargin;
  /** Basis contingency. */
  readonly basis?: PmrmBasis;
  /** Contingencies on notional, depeg and confidence. */
  readonly other?: PmrmOther;
  /** Shock of the skew. */
  readonly skew?: PmrmSkew;
  /** Accept what `imprudence` names; results then carry it as a warning [ours]. */
  readonly allow_imprudent?: boolean;
}

/** Model B of an account: its underlyings, collateral, and how far data are trusted. */
export interface PmrmSet {
  /** Every underlying not named below. */
  readonly default?: PmrmParameters;
  /** Parameters by underlying. */
  readonly underlyings?: Readonly<Record<string, PmrmParameters>>;
  /** Coins that move with their underlying. */
  readonly collateral?: PmrmCollateral;
  /** Tokens that no scenario moves: cash, or collateral by haircut alone [ours; the venue has 2 % on USDT]. */
  readonly stable?: Readonly<Record<string, PmrmCollateral>>;
  /** The token whose price the depeg rule looks at [code]. */
  readonly cash_asset?: string;
  /** Confidence by flag of the data, the least counts; 1 without any of these [ours: the venue's oracles give it]. */
  readonly confidence?: Readonly<Record<string, number>>;
}

/** Shock of the volatility skew: how far a slice turns (linear) and its wings rise (abs). */
export interface PmrmSkew {
  /** Largest relative change at no time to expiry, linear [code]. */
  readonly linear_base_cap?: number;
  /** What that gains per root of a year, linear [code]. */
  readonly linear_c?: number;
  /** Largest relative change at no time to expiry, abs [code]. */
  readonly abs_base_cap?: number;
  /** What that gains per root of a year, abs [code]. */
  readonly abs_c?: number;
  /** Least log moneyness at which the cap is reached [code]; above zero [ours], since it divides. */
  readonly min_k_star?: number;
  /** Deviations at which the cap is reached [code]. */
  readonly width_scale?: number;
  /** Volatility of that width at no time to expiry, decimal [code]. */
  readonly vol_param_static?: number;
  /** What that gains per root of a year [code]. */
  readonly vol_param_scale?: number;
}

/** Shock of the level of volatility [code]. */
export interface PmrmVolShock {
  /** Upward shock of a 30-day option, relative [code]. */
  readonly range_up?: number;
  /** Downward shock of a 30-day option, relative [code]. */
  readonly range_down?: number;
  /** Exponent of 30/days up to 30 days to expiry [code]. */
  readonly short_term_power?: number;
  /** Exponent of 30/days beyond 30 days to expiry [code]. */
  readonly long_term_power?: number;
  /** Fewest days to expiry that shocks are scaled with [code]; above zero [ours], since it divides. */
  readonly dte_floor_days?: number;
  /** Least annualised volatility after an upward shock, decimal [code]. */
  readonly min_vol_up?: number;
}

/** One price of one source. A quote carries `bid` and `ask` (its price is their middle), every other kind carries `price`. Only an index tick may be without an instrument. */
export interface PriceTick {
  readonly kind: "price";
  /** The coin. */
  readonly underlying: string;
  /** The feed: a venue, or a venue and its symbol. */
  readonly source: string;
  /** What the price is. */
  readonly price_kind: "index" | "mark" | "quote" | "trade";
  /** Venue's time of the price, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** USD per coin; coins per coin of underlying for options of an inverse contract. */
  readonly price?: number | null;
  /** Best bid of a quote, in the unit of `price`. */
  readonly bid?: number | null;
  /** Best ask of a quote, in the unit of `price`; not below the bid. */
  readonly ask?: number | null;
  /** What was priced; absent for a pure index feed. */
  readonly instrument?: string | null;
  /** Whether the tick also feeds the composite index of its underlying. */
  readonly index_source?: boolean;
  /** How long this source stays fresh, milliseconds (a one-minute bar feed: three bars). */
  readonly max_age_ms?: number | null;
  /** When the recorder received it, microseconds since 1970 UTC; never decides anything. */
  readonly received_time_us?: number | null;
  /** Layout of the record. */
  readonly v?: 1;
}

/** A step of one underlying's price range, in force for model P from its event time on. It is a function of `market.ticks.v1` alone; whoever sends it again sends the same bytes. */
export interface RangeStep {
  readonly kind: "range";
  /** First 32 hex digits of SHA-256 over canonical JSON `["range", underlying, event_time_us, version]`. */
  readonly id?: string;
  /** The coin; the message key. */
  readonly underlying: string;
  /** Grows by one with every record of the underlying, from 1. */
  readonly version: number;
  /** Largest standard price move, as a fraction of the price: a step of the ladder. */
  readonly price_range: number;
  /** By how many steps of 0.05 a requirement may go beyond the range of its parameter set, rounded up to a step; below
    that range from 2 on. From 10 on the range is `price_range`. */
  readonly reach: number;
  /** What it was computed from, a year, decimal. */
  readonly annual_volatility: number;
  /** How many overlapping ten-minute returns the volatility is worth. */
  readonly returns: number;
  /** Event time, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Layout of the record. */
  readonly v: 1;
}

/** A change of correlation regime over a set of underlyings, with the digest of the matrices in force. It is a function of `market.ticks.v1` alone; whoever sends it again sends the same bytes. */
export interface RegimeChange {
  readonly kind: "regime";
  /** First 32 hex digits of SHA-256 over canonical JSON `[underlyings joined by commas, event_time_us, regime]`. */
  readonly id?: string;
  /** The regime entered: `calm`, `concentration` or `breakdown`. Each parameter set has a k for each of them:
    `correlation_stress`, `concentration_stress`, `breakdown_stress`. */
  readonly regime: string;
  /** The regime left. */
  readonly regime_from?: string;
  /** Why: `distance`, `absorption_rise`, `concentration`, or `over` when what led to the regime before has ended. */
  readonly trigger?: string;
  /** The coins, in the order of the matrices; joined by commas they are the message key. */
  readonly underlyings: ReadonlyArray<string>;
  /** Root mean square of the differences between fast and slow correlations. */
  readonly distance: number;
  /** Share of variance in the first component of the fast correlations, 0 to 1. */
  readonly absorption_ratio: number;
  /** How far it stands above its lowest of the last hour. */
  readonly absorption_rise?: number;
  /** Version of the published matrices. */
  readonly version?: number;
  /** First 16 hex digits of SHA-256 over the matrices in force, as in account events. */
  readonly matrix_digest: string;
  /** Coins that gave no return at this minute because their index is held. */
  readonly stale?: ReadonlyArray<string>;
  /** The whole minute it was judged at, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Layout of the record. */
  readonly v: 1;
}

/** P&L of one long contract in each scenario of a parameter set, marked now. */
export interface RiskArray {
  /** The contract, or the coin itself. */
  readonly instrument: string;
  /** Name of the parameter set; with the instrument, `set/instrument`, it is the message key. */
  readonly parameter_set: string;
  /** First 16 hex digits of SHA-256 over the canonical values of the parameter set. */
  readonly parameter_hash: string;
  /** Profit or loss in each scenario, in the order of the scenario table, USD. */
  readonly pnl_usd: ReadonlyArray<number>;
  /** Present value, USD. */
  readonly value_usd: number;
  /** Delta, coins: of an option the composite delta that forms spreads. */
  readonly delta_coins: number;
  /** Event time, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** The margin model whose scenarios these are. */
  readonly model?: string;
  /** The coin: contracts on one coin are one combined commodity. */
  readonly underlying?: string | null;
  /** What it is; the names of contracts say nothing. */
  readonly kind?: "coin" | "inverse" | "inverse_option" | "linear" | "linear_option" | null;
  /** Right to buy or to sell, of options. */
  readonly option_type?: "call" | "put" | null;
  /** Coins per contract, USD of face value of inverse futures; counts for the short option minimum. */
  readonly contract_size?: number;
  /** Expiry, microseconds since 1970 UTC: its order among those of the coin is the tier of calendar spreads. */
  readonly expiry_us?: number | null;
  /** Composite index, USD per coin. */
  readonly index_price?: number | null;
  /** Price of a future, forward of an option, USD per coin: charges of calendar spreads are shares of it. */
  readonly price?: number | null;
  /** Price scan range of the coin, as a fraction: caps and measures credits between coins. */
  readonly price_range?: number | null;
  /** Layout of the record. */
  readonly v: 1;
}

/** Risk matrix of one underlying, for models A and P (defaults: BTC as its venue publishes them). */
export interface RiskMatrixParameters {
  /** Largest standard price move, as a fraction of the price. */
  readonly price_range?: number;
  /** Standard moves on each side of no move; model P may use two or four times as many. */
  readonly buckets_each_side?: number;
  /** Upward volatility shock of a 30-day option, relative. */
  readonly volatility_range_up?: number;
  /** Downward volatility shock of a 30-day option, relative. */
  readonly volatility_range_down?: number;
  /** Least annualised volatility that an upward shock is scaled on, decimal. */
  readonly min_volatility_for_shock_up?: number;
  /** Exponent of 30/days below 30 days to expiry. */
  readonly short_term_vega_power?: number;
  /** Exponent of 30/days above 30 days to expiry. */
  readonly long_term_vega_power?: number;
  /** Fewest days to expiry that volatility shocks are scaled with. */
  readonly dte_floor_days?: number;
  /** Moves beyond the range, as fractions of the price, weighted by range/move. */
  readonly extended_moves?: ReadonlyArray<number>;
  /** Roll shock: annualised move of the basis. */
  readonly annualised_move_risk?: number;
  /** Least annualised move of the basis. */
  readonly min_annualised_move?: number;
  /** Delta shock: growth of the shock per coin of delta beyond the threshold. */
  readonly delta_shock_slope?: number;
  /** Delta in USD that carries no delta shock. */
  readonly delta_shock_threshold_usd?: number;
  /** Largest delta shock, as a fraction of the price. */
  readonly max_delta_shock?: number;
  /** Model A: maintenance requirement as a fraction of the initial one. */
  readonly mm_factor?: number;
  /** Model A: share of a profit here that cancels losses of other underlyings in the same cell; 0 stands alone. */
  readonly pnl_offset?: number;
  /** Model A: the most that such a profit cancels, USD. */
  readonly max_offsetable_pnl_usd?: number;
  /** Model A: whether cells beyond the range are weighted only, or brought nearer to zero besides. */
  readonly extended_table?: "dampened" | "simple";
  /** Model A, dampened table: factor on the weights. */
  readonly extended_factor?: number;
  /** Model A, dampened table: how much nearer to zero a cell comes for each range beyond the first, USD. */
  readonly extended_dampener_usd?: number;
  /** Model A: charge on an underlying's own worst case, as a fraction of it. */
  readonly correlation_contingency_rate?: number;
  /** Model A, older rules: charge in coins for a net short option of one coin, by strike (published: 0.01). */
  readonly short_option_rate?: number;
  /** Model A, older rules: charge on futures that offset each other, as a fraction of the index (published: 0.01). */
  readonly futures_offset_rate?: number;
  /** Model A, older rules: share of the volatility gains set against losses of other expiries (published: 0.25). */
  readonly vega_offset_rate?: number;
}

/** A charge on the delta of each expiry, long and short alike: bases do not move together. */
export interface RollAddOn {
  /** Every underlying not named below. */
  readonly default?: RollRates;
  /** Moves by underlying [doc: Deribit, for BTC and ETH; ours for dollar tokens]. */
  readonly underlyings?: Readonly<Record<string, RollRates>>;
  /** Maintenance as a fraction of initial [doc: Deribit, where it is part of the risk matrix margin]. */
  readonly mm_factor?: number;
}

/** Moves of one underlying's term structure. */
export interface RollRates {
  /** Annualised move of the basis [ours: three times ETH's]. */
  readonly annualised_move?: number;
  /** Least move of the basis of an expiry [ours: three times ETH's]. */
  readonly min_move?: number;
}

/** What closing the first contract of a position releases, and costs. */
export interface ShadowPrice {
  /** What is held. */
  readonly instrument: string;
  /** Initial requirement that it releases, USD; below zero where the position hedges and is better kept. */
  readonly release_usd: number;
  /** What it costs, impact aside, USD. */
  readonly cost_usd: number;
}

/** The one trade that reaches the target alone at the least cost, hedges with perpetuals included. */
export interface SingleTrade {
  /** What to trade. */
  readonly instrument: string;
  /** Signed contracts: positive buy, negative sell. */
  readonly quantity: number;
  /** Its cost, USD. */
  readonly cost_usd: number;
}

/** Weights by the size of one position (Drift, form [code]; 0 is [ours]: the venue has a factor for each market). */
export interface SizeParameters {
  /** Growth of a weight per root of a coin. */
  readonly imf?: number;
}

/** A spread of two expiries of one underlying, by their number, 0 the nearest. */
export interface SpanCalendarSpread {
  /** One expiry. */
  readonly tier_a: number;
  /** The other expiry. */
  readonly tier_b: number;
  /** Coins of delta of the one in one spread. */
  readonly ratio_a?: number;
  /** Coins of delta of the other in one spread. */
  readonly ratio_b?: number;
  /** Charge of one spread, as a fraction of the price of the later expiry. */
  readonly rate: number;
}

/** A credit for deltas of opposite sign in different commodities. */
export interface SpanInterSpread {
  /** The legs, on both sides. */
  readonly legs: ReadonlyArray<SpanLeg>;
  /** Share of the legs' price risk that is credited. */
  readonly rate: number;
  /** Price risk of one unit of delta: the commodity's own, that but at most its scan range, or the scan range [ours:
    the lesser of the other two]. */
  readonly method?: "normal" | "scan_range" | "scan_range_capped";
}

/** One leg of an inter-commodity spread. */
export interface SpanLeg {
  /** The commodity. */
  readonly underlying: string;
  /** Legs A and B have deltas of opposite sign; which of them is long does not matter. */
  readonly side: "A" | "B";
  /** Delta in one spread, USD: a ratio in coins would change its meaning with the prices [ours]. */
  readonly ratio?: number;
}

/** Model C of one underlying. */
export interface SpanParameters {
  /** Move of scenarios 15 and 16, in scan ranges [doc: Indian clearing; 3 elsewhere, mem]. */
  readonly extreme_multiplier?: number;
  /** Weight of scenarios 15 and 16 [doc: Indian clearing; 0.33 elsewhere, mem]. */
  readonly covered_fraction?: number;
  /** Whether a volatility scan is added, in points, or is a share of the volatility [doc: both are in use]. */
  readonly volatility_scan?: "points" | "relative";
  /** Time that options are repriced ahead, days [doc]. */
  readonly look_ahead_days?: number;
  /** Weights of the composite delta at 0, +1/3, -1/3, +2/3, -2/3, +1, -1 scan ranges [mem], by share of their sum. */
  readonly delta_weights?: ReadonlyArray<number>;
  /** Price scan range in daily deviations [ours, after the Indian index rule, doc]. */
  readonly price_sigmas?: number;
  /** Days that the deviation is scaled to, by the square root [ours, same]. */
  readonly horizon_days?: number;
  /** Volatility of the coin where none is known yet, annualised [ours]; results then say so. */
  readonly assumed_annual_vol?: number;
  /** Least price scan range, fraction of the price [doc: Indian index contracts; 0.142 for stocks]. */
  readonly price_floor?: number;
  /** Largest price scan range, fraction [ours: a volatility of 190 % would give 84 %]. */
  readonly price_cap?: number;
  /** Volatility scan as a share of the annualised volatility [doc]. */
  readonly volatility_share?: number;
  /** Least volatility scan, points as a decimal [doc: index; 0.10 for stocks]. */
  readonly volatility_floor?: number;
  /** Charge of a spread of one coin between two expiries, of the later price [doc: NSE index; 0.022 for stocks]. */
  readonly calendar_rate?: number;
  /** Spreads in order of priority; none given: every two expiries, neighbours first, at `calendar_rate` [ours]. */
  readonly calendar_spreads?: ReadonlyArray<SpanCalendarSpread> | null;
  /** Short option minimum of one coin, as a fraction of the index [doc: Deribit's older rule, 0.01 BTC an option]. */
  readonly short_option_rate?: number;
  /** Whether an option's value is credited (its premium was paid) or settled daily [doc: both exist]. */
  readonly option_style?: "futures" | "premium";
}

/** Model C of an account: its underlyings, and what stands between them. */
export interface SpanSet {
  /** Every underlying not named below. */
  readonly default?: SpanParameters;
  /** Parameters by underlying. */
  readonly underlyings?: Readonly<Record<string, SpanParameters>>;
  /** Credits between underlyings in order of priority; none by default [ours: no venue publishes any for coins]. */
  readonly inter_spreads?: ReadonlyArray<SpanInterSpread>;
  /** Whether short calls and puts count together or only the larger side [code: both in the files; sum is ours]. */
  readonly short_option_side?: "larger" | "sum";
  /** Maintenance requirement as a fraction of the initial one [ours: as models A and P; files carry it by product]. */
  readonly mm_factor?: number;
}

/** Options one by one, rates on the underlying (defaults: Deribit, standard margin [doc]). */
export interface StandardOptionParameters {
  /** Initial rate of a short at or in the money. */
  readonly max_initial?: number;
  /** Initial rate of a short far out of the money; not above `max_initial`. */
  readonly min_initial?: number;
  /** Maintenance rate of a short; not above `min_initial`. */
  readonly maintenance?: number;
  /** Maintenance rate of a short put on its own mark, where that is more. */
  readonly put_mark_maintenance?: number;
}

/** All forms of model E; an account uses those of its positions. */
export interface StandardParameters {
  /** Isolated and cross margin of futures and perpetuals. */
  readonly perpetual?: PerpetualRates;
  /** Tiered maintenance. */
  readonly tiered?: TierParameters;
  /** Initial rates by open interest. */
  readonly open_interest?: OpenInterestParameters;
  /** Weights by size. */
  readonly size?: SizeParameters;
  /** Standard margin of options. */
  readonly option?: StandardOptionParameters;
  /** Derive's standard manager. */
  readonly derive?: DeriveStandardParameters;
}

/** Model E of an account: its underlyings. */
export interface StandardSet {
  /** Every underlying not named below. */
  readonly default?: StandardParameters;
  /** Parameters by underlying (defaults: Derive, mainnet [code]). */
  readonly underlyings?: Readonly<Record<string, StandardParameters>>;
  /** The token whose price Derive's depeg rule looks at [code]; it is cash there. */
  readonly cash_asset?: string;
  /** Confidence by flag of the data, the least counts; 1 without any of these [ours: the venue's oracles give it]. */
  readonly confidence?: Readonly<Record<string, number>>;
}

/** Thresholds and dwell times of the account states; u = MM/equity, v = IM/equity, times are event time. */
export interface StatusParameters {
  /** v at which a warning starts. */
  readonly warning_enter_v?: number;
  /** v below which a warning ends; not above its start. */
  readonly warning_leave_v?: number;
  /** v at which a margin call starts. */
  readonly margin_call_enter_v?: number;
  /** v below which a margin call ends; not above its start. */
  readonly margin_call_leave_v?: number;
  /** How long v has to stay there before the call, milliseconds. */
  readonly margin_call_dwell_ms?: number;
  /** u at which liquidation starts. */
  readonly liquidation_enter_u?: number;
  /** v at or below which liquidation ends. */
  readonly liquidation_leave_v?: number;
  /** How long a leave condition has to hold, milliseconds. */
  readonly leave_dwell_ms?: number;
  /** How long an account stays recovered, milliseconds. */
  readonly recovered_dwell_ms?: number;
  /** Longest data hold before a human is called, milliseconds. */
  readonly max_data_hold_ms?: number;
  /** How long an event may be acted on, milliseconds. */
  readonly event_validity_ms?: number;
}

/** Raw SVI of one expiry in total variance: w(k) = a + b (rho (k-m) + sqrt((k-m)^2 + sigma^2)), k = ln(K/F). The smallest total variance of the slice, a + b sigma sqrt(1 - rho^2), may not be negative. */
export interface SviVolatility {
  readonly kind: "svi";
  /** The coin; the message key. */
  readonly underlying: string;
  /** The feed. */
  readonly source: string;
  /** The expiry, microseconds since 1970 UTC. */
  readonly expiry_us: number;
  /** Level, total variance. */
  readonly a: number;
  /** Slope of the wings, total variance per unit of k. */
  readonly b: number;
  /** Rotation. */
  readonly rho: number;
  /** Shift along k. */
  readonly m: number;
  /** Roundness of the vertex, in units of k. */
  readonly sigma: number;
  /** Venue's time, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Lowest quoted k; total variance is flat below. */
  readonly k_min?: number;
  /** Highest quoted k; total variance is flat above. */
  readonly k_max?: number;
  /** F/S - 1 of the expiry. */
  readonly forward_basis?: number | null;
  /** When the recorder received it, microseconds since 1970 UTC; never decides anything. */
  readonly received_time_us?: number | null;
  /** Layout of the record. */
  readonly v?: 1;
}

/** One answer of which something was taken. */
export interface Taken {
  /** The answer's id. */
  readonly answer: string;
  /** Who made it. */
  readonly solver: string;
  /** Share of its basket, above 0 and at most 1. */
  readonly share: number;
  /** Signed contracts. */
  readonly trades: Readonly<Record<string, number>>;
  /** Cost of that share, USD. */
  readonly cost_usd: number;
  /** Excess that it brought on top of those before it, by the exact model, its cost counted, USD. */
  readonly release_usd: number;
}

/** Maintenance by slices of notional (defaults: Binance, BTCUSDT, 2021-03-18 [doc]). */
export interface TierParameters {
  /** Tiers by rising notional, the first from 0; rates do not fall from tier to tier. */
  readonly tiers?: ReadonlyArray<MarginTier>;
}

/** A fill. */
export interface Trade {
  /** The venue's id of the fill; a repeated id is applied once. */
  readonly trade_id: string;
  /** The account that traded; the message key. */
  readonly account: string;
  /** What was traded, as listed on `market.instruments.v1`. */
  readonly instrument: string;
  /** Signed contracts: positive bought, negative sold. */
  readonly quantity: number;
  /** USD per coin; coins per coin of underlying for options of an inverse contract. */
  readonly price: number;
  /** Venue's time of the fill, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Cost in the settlement asset; negative is a rebate. */
  readonly fee?: number;
  /** Layout of the record. */
  readonly v?: 1;
}

/** A deposit or withdrawal of one asset. */
export interface Transfer {
  /** The venue's id of the transfer; a repeated id is applied once. */
  readonly transfer_id: string;
  /** The account; the message key. */
  readonly account: string;
  /** The asset that moved. */
  readonly asset: string;
  /** Units of the asset: positive deposited, negative withdrawn. */
  readonly amount: number;
  /** Venue's time of the transfer, microseconds since 1970 UTC. */
  readonly event_time_us: number;
  /** Layout of the record. */
  readonly v?: 1;
}

/** One underlying's part of a requirement, with its worst scenario. */
export interface UnderlyingRisk {
  /** The coin. */
  readonly underlying: string;
  /** Composite index, USD per coin. */
  readonly index_price: number;
  /** Present value of everything held in this underlying, its coins included, USD. */
  readonly value_usd: number;
  /** Worst loss over the scenarios, USD. */
  readonly scan_usd: number;
  /** Roll shock, USD. */
  readonly roll_usd: number;
  /** Delta shock, USD. */
  readonly delta_shock_usd: number;
  /** This underlying's part of the initial requirement, USD; the parts sum to it. Model A: scan, roll and delta shock
    together. Model P: the loss of the worst mixture, negative where this underlying hedges the others. Model D: of the
    shortfall alone. */
  readonly im_usd: number;
  /** Net delta, coins. */
  readonly delta_coins: number;
  /** Worst scenario of this underlying alone: its number in the scenario table, the lowest of equals. */
  readonly scenario: number;
  /** Price move of the worst scenario, as a fraction of the price. */
  readonly price_move: number;
  /** Volatility shock of the worst scenario. */
  readonly vol_shock: "down" | "same" | "up";
  /** Profit or loss in the worst scenario, USD. */
  readonly scenario_pnl_usd: number;
  /** Model P: loss at the end of the range that a perpetual would hedge and that is netted by correlation, USD. */
  readonly hedge_usd?: number | null;
  /** Models other than A and P: the scenario that costs most, in words. `scan_usd` is then all of `im_usd`, and the
    number and the moves of a scenario say nothing. */
  readonly worst?: string | null;
  /** Model P: the scenarios of the worst mixture over all underlyings, largest weight first, none below 1e-12. */
  readonly mixture?: ReadonlyArray<WorstCell> | null;
}

/** One scenario of the mixture that makes a netted requirement. */
export interface WorstCell {
  /** Its number in the scenario table. */
  readonly scenario: number;
  /** Price move, as a fraction of the price. */
  readonly price_move: number;
  /** Volatility shock. */
  readonly vol_shock: "down" | "same" | "up";
  /** Its share of the mixture; the weights of one underlying sum to 1. */
  readonly weight: number;
  /** Profit or loss in it, USD. */
  readonly pnl_usd: number;
}
