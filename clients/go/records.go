// Code generated from the record types by python -m schemas; DO NOT EDIT.

package liqmon

import "encoding/json"

// AccountConfig: How an account is margined, and to whom it belongs.
type AccountConfig struct {
	// The account; the message key.
	Account string `json:"account"`

	// When the configuration takes effect, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up.
	MarginModel *string `json:"margin_model,omitempty"`

	// Name of the parameter set on `risk.parameters.v1`.
	ParameterSet *string `json:"parameter_set,omitempty"`

	// Owner of several sub-accounts; absent for an account of its own.
	Group *string `json:"group,omitempty"`

	// Where the account is held; absent if that does not matter.
	Venue *string `json:"venue,omitempty"`

	// Whether the account is closed: it is no longer evaluated.
	Closed *bool `json:"closed,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// AccountEvent: One transition of one account: what, how short, why, and computed at which positions. The id is fixed before the event is sent; a second delivery has the same bytes. Bodies hold no wall-clock time.
type AccountEvent struct {
	// First 32 hex digits of SHA-256 over canonical JSON `[account, episode, sequence, kind]`.
	ID string `json:"id"`

	// What happened.
	Kind string `json:"kind"`

	// The account; the message key.
	Account string `json:"account"`

	// Grows each time the account leaves healthy.
	Episode int64 `json:"episode"`

	// Grows with every event of the account and is never reset; a hole means a lost event.
	Sequence int64 `json:"sequence"`

	// Status before.
	StateFrom string `json:"state_from"`

	// Status after; the same for a data hold.
	StateTo string `json:"state_to"`

	// Whether decisions are held because data are stale or contradictory; its own event raises and releases it.
	DataHold bool `json:"data_hold"`

	// Whether this is a liquidation without an earlier call in its episode.
	Jump bool `json:"jump"`

	// Event time of the transition, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Until when the event may be acted on, microseconds since 1970 UTC; later, ask `risk.account-states.v1` first.
	ValidUntilUS int64 `json:"valid_until_us"`

	// What made the account cross.
	Cause Cause `json:"cause"`

	// Last record applied of each topic, as [offset, index in its frame]: what the event was computed at.
	Positions map[string][2]int64 `json:"positions"`

	// Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up.
	Model string `json:"model"`

	// Name of the parameter set.
	ParameterSet string `json:"parameter_set"`

	// First 16 hex digits of SHA-256 over the canonical values of the parameter set.
	ParameterHash string `json:"parameter_hash"`

	// Collateral and unrealised profit and loss, USD.
	EquityUSD float64 `json:"equity_usd"`

	// Initial requirement (IM), USD.
	IMRequirementUSD float64 `json:"im_requirement_usd"`

	// Maintenance requirement (MM), USD.
	MMRequirementUSD float64 `json:"mm_requirement_usd"`

	// Equity missing, USD: to zero for a bankruptcy, to MM for a liquidation or data hold, otherwise to IM.
	ShortfallUSD float64 `json:"shortfall_usd"`

	// One sentence for people.
	Reason string `json:"reason"`

	// Contribution of each underlying, the largest requirement first.
	Underlyings []UnderlyingRisk `json:"underlyings"`

	// Flags of the data behind the decision, as `stale:BTC`.
	DataQuality []string `json:"data_quality,omitempty"`

	// Models other than A and P: parts of the initial requirement by name, USD, which sum to it.
	Components map[string]float64 `json:"components,omitempty"`

	// Correlation state in force; absent in models without one, and for accounts in a single underlying.
	Correlation *CorrelationState `json:"correlation,omitempty"`

	// Why the initial requirement changed since `attribution_base`: eight parts in the order of replacement, which sum to the change; absent where either requirement could not be computed.
	Attribution []AttributionPart `json:"attribution,omitempty"`

	// What the attribution counts from.
	AttributionBase *AttributionBase `json:"attribution_base,omitempty"`

	// Under a declared overload: market records that moved the account's underlyings between its last evaluation and this one, and were folded without an evaluation of their own.
	ConflatedRecords *int64 `json:"conflated_records,omitempty"`

	// Since where, under a declared overload, not every record was evaluated; absent where every one was.
	LeftOut *LeftOut `json:"left_out,omitempty"`

	// What a liquidation should do; absent where not computed.
	Plan []PlanLine `json:"plan,omitempty"`

	// Layout of the record.
	V int64 `json:"v"`
}

// AccountState: Latest state of one account, compacted by account: for late joiners and for a bot's re-check.
type AccountState struct {
	// The account; the message key.
	Account string `json:"account"`

	// Present status.
	Status string `json:"status"`

	// Whether decisions are held because data are stale or contradictory.
	DataHold bool `json:"data_hold"`

	// Grows each time the account leaves healthy.
	Episode int64 `json:"episode"`

	// Sequence of the account's latest event.
	Sequence int64 `json:"sequence"`

	// Grows with every write of the account's state.
	Version int64 `json:"version"`

	// Event time of the figures, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Collateral and unrealised profit and loss, USD.
	EquityUSD float64 `json:"equity_usd"`

	// Initial requirement, USD.
	IMRequirementUSD float64 `json:"im_requirement_usd"`

	// Maintenance requirement, USD.
	MMRequirementUSD float64 `json:"mm_requirement_usd"`

	// Margin model.
	Model string `json:"model"`

	// Name of the parameter set.
	ParameterSet string `json:"parameter_set"`

	// First 16 hex digits of SHA-256 over the canonical values of the parameter set.
	ParameterHash string `json:"parameter_hash"`

	// Last record applied of each topic, as [offset, index in its frame].
	Positions map[string][2]int64 `json:"positions"`

	// Positions right behind each of the account's own records since its state before, oldest first, the newest 64. Topics that are not named are as in `positions`.
	Path []map[string][2]int64 `json:"path,omitempty"`

	// Whether the account is closed.
	Closed *bool `json:"closed,omitempty"`

	// Layout of the record.
	V int64 `json:"v"`
}

// AddOnParameters: What is charged on top of a model; None is off, and so is everything by default.
type AddOnParameters struct {
	// Liquidation cost and concentration.
	Liquidity *LiquidityAddOn `json:"liquidity,omitempty"`

	// Options sold and not covered.
	NakedShorts *NakedShortAddOn `json:"naked_shorts,omitempty"`

	// Basis between expiries.
	Roll *RollAddOn `json:"roll,omitempty"`

	// Funding provision.
	Funding *FundingAddOn `json:"funding,omitempty"`

	// Dollar tokens.
	Depeg *DepegAddOn `json:"depeg,omitempty"`

	// Floor under the model.
	Minimum *MinimumAddOn `json:"minimum,omitempty"`

	// Doubtful data.
	DataQuality *DataQualityAddOn `json:"data_quality,omitempty"`
}

// Advice: What could be done about a margin call or a liquidation, at the positions that it names. It follows its event within moments, and may be missing: no event waits for it. The newest of an account counts.
type Advice struct {
	// First 32 hex digits of SHA-256 over canonical JSON `["advice", event, positions]`.
	ID string `json:"id"`

	// Id of the event that it is about.
	Event string `json:"event"`

	// Kind of that event.
	Kind string `json:"kind"`

	// The account; the message key.
	Account string `json:"account"`

	// Episode of that event.
	Episode int64 `json:"episode"`

	// Sequence of that event.
	Sequence int64 `json:"sequence"`

	// Market time of the figures, microseconds since 1970 UTC; not before the event's.
	EventTimeUS int64 `json:"event_time_us"`

	// Last record applied of each topic, as [offset, index in its frame]: what it was computed at.
	Positions map[string][2]int64 `json:"positions"`

	// Margin model.
	Model string `json:"model"`

	// First 16 hex digits of SHA-256 over the canonical values of the parameter set.
	ParameterHash string `json:"parameter_hash"`

	// Whether the account may leave its state already, trades help, or not even closing everything does.
	Outcome string `json:"outcome"`

	// IM/equity that the trades come down to, buffer included.
	TargetV float64 `json:"target_v"`

	// Equity, USD.
	EquityUSD float64 `json:"equity_usd"`

	// Initial requirement, USD.
	IMRequirementUSD float64 `json:"im_requirement_usd"`

	// Maintenance requirement, USD.
	MMRequirementUSD float64 `json:"mm_requirement_usd"`

	// Dollars that would do it without any trade.
	DepositUSD float64 `json:"deposit_usd"`

	// The single cheapest trade that does it; absent where none does alone.
	SingleTrade *SingleTrade `json:"single_trade,omitempty"`

	// The cheapest trades together, closing positions only, the dearest first.
	Trades []AdvisedTrade `json:"trades,omitempty"`

	// Cost of all of them, USD.
	CostUSD *float64 `json:"cost_usd,omitempty"`

	// Initial requirement that they release, USD.
	ReleaseUSD *float64 `json:"release_usd,omitempty"`

	// What one USD of excess more would cost.
	PriceOfMargin *float64 `json:"price_of_margin,omitempty"`

	// Share of every position that is enough, closed pro rata: a cap on what has to be closed; 1 where that is not.
	CloseFraction *float64 `json:"close_fraction,omitempty"`

	// By position, the largest release for its cost first.
	ShadowPrices []ShadowPrice `json:"shadow_prices,omitempty"`

	// Of a liquidation: all that the figures rest on, as in bundles; what answers to an intent are margined against.
	View map[string]json.RawMessage `json:"view,omitempty"`

	// Layout of the record.
	V int64 `json:"v"`
}

// AdvisedTrade: One trade that is proposed. Nothing of ours sends it.
type AdvisedTrade struct {
	// What to trade: a contract, or a coin by its name.
	Instrument string `json:"instrument"`

	// Signed contracts: positive buy, negative sell.
	Quantity float64 `json:"quantity"`

	// Signed contracts held before it.
	Held float64 `json:"held"`

	// Price with half a spread and its part of the impact, USD per coin.
	ExpectedPriceUSD float64 `json:"expected_price_usd"`

	// What it costs against the mark, fee included, USD; below zero where it stands against the plan's own flow.
	CostUSD float64 `json:"cost_usd"`
}

// Answer: A solver's basket for an intent.
type Answer struct {
	// The solver's own id of the answer; a repeated id is one answer.
	ID string `json:"id"`

	// Id of the intent.
	Intent string `json:"intent"`

	// The account; the message key.
	Account string `json:"account"`

	// Who answers.
	Solver string `json:"solver"`

	// Signed contracts that the account trades, by instrument.
	Basket map[string]float64 `json:"basket"`

	// What the account pays for it against the marks, USD.
	CostUSD float64 `json:"cost_usd"`

	// Whether a share of the basket may be taken, at the same share of the cost.
	Divisible *bool `json:"divisible,omitempty"`

	// When it was made, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// AssetCollateral: One asset: its balance as collateral, and a debt in it.
type AssetCollateral struct {
	// How a positive balance counts.
	Positive json.RawMessage `json:"positive,omitempty"`

	// Maintenance rate on the value of a negative balance, slice by slice.
	BorrowMM *MarginalTiers `json:"borrow_mm,omitempty"`

	// What initial margin adds to that.
	BorrowIMExtra *MarginalTiers `json:"borrow_im_extra,omitempty"`
}

// AttributionBase: What an attribution counts from: the account's previous event, or else its latest own record.
type AttributionBase struct {
	// Sequence of the previous event; 0 if there was none.
	Sequence int64 `json:"sequence"`

	// Market time then, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Initial requirement then, USD.
	IMRequirementUSD float64 `json:"im_requirement_usd"`
}

// AttributionPart: Part of the change of the initial requirement since the account's previous event that is due to one group.
type AttributionPart struct {
	// What changed.
	Group string `json:"group"`

	// Its part of the change, USD.
	ChangeUSD float64 `json:"change_usd"`
}

// Award: How one action ended: answers taken in their order, the others with the reason.
type Award struct {
	// Id of the intent.
	Intent string `json:"intent"`

	// The account; the message key.
	Account string `json:"account"`

	// Its episode.
	Episode int64 `json:"episode"`

	// Number of the action.
	Action int64 `json:"action"`

	// What was taken, the best first.
	Taken []Taken `json:"taken"`

	// Answers of which nothing was taken.
	Refused map[string]string `json:"refused"`

	// Excess that is still missing, USD; the next action is about it.
	LeftUSD float64 `json:"left_usd"`

	// When it was awarded, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// Cause: The record that made an account cross, or what acted at its own moment without one (then `topic` says which).
type Cause struct {
	// Name of the topic in the topic table. Without a record: `timer` (a deadline of the account's), `expiry` (a settlement), `time` (a price became too old, an option lost time value) or `recovery`.
	Topic string `json:"topic"`

	// Partition of the record.
	Partition *int64 `json:"partition,omitempty"`

	// Offset of the record; -1 when no record was the cause.
	Offset *int64 `json:"offset,omitempty"`

	// Place of the record in its frame, from 0; 0 for a single record.
	Index *int64 `json:"index,omitempty"`
}

// CollateralParameters: Collateral of an account, by asset; by default nothing is cut [ours: figures of models stay as they are].
type CollateralParameters struct {
	// Every asset not named below.
	Default *AssetCollateral `json:"default,omitempty"`

	// By asset. USD has no haircut and may be named for its debts.
	Assets map[string]AssetCollateral `json:"assets,omitempty"`
}

// CorrelationState: The correlations that a netted requirement rests on.
type CorrelationState struct {
	// Version of the published matrices; 0 before there are any.
	Version int64 `json:"version"`

	// First 16 hex digits of SHA-256 over the published matrices; empty before there are any.
	Digest string `json:"digest"`

	// k in force, that of the regime: weight of the plain sum against the worst matrix.
	Stress float64 `json:"stress"`

	// Weight in the worst case of `fast`, `slow`, `latched_high`, `latched_low` and `floor`; they sum to 1.
	Matrices map[string]float64 `json:"matrices"`

	// Largest eigenvalue of the fast matrix over its size: 1 when everything moves together, 0 before there is any.
	AbsorptionRatio float64 `json:"absorption_ratio"`

	// Correlation regime, which decides k.
	Regime *string `json:"regime,omitempty"`
}

// DataQualityAddOn: Charges for data that are doubtful: on notional by confidence, on the requirement by staleness.
type DataQualityAddOn struct {
	// Confidence in an underlying that carries a flag, the least of several; 1 without any [ours].
	Confidence map[string]float64 `json:"confidence,omitempty"`

	// Confidence below which it is charged [ours: all of it; Derive's is 0.55, code].
	Threshold *float64 `json:"threshold,omitempty"`

	// Charge on notional per unit of missing confidence [ours; Derive's is 1 below its lower threshold, code].
	Factor *float64 `json:"factor,omitempty"`

	// g: what the requirement grows by where prices are wholly stale [ours].
	Growth *float64 `json:"growth,omitempty"`

	// Share of that growth for an underlying with a flag [ours].
	StaleShare map[string]float64 `json:"stale_share,omitempty"`

	// age0: age of a price that costs nothing, where ages are known, seconds [ours].
	AgeFreeS *float64 `json:"age_free_s,omitempty"`

	// age1: time from there to the whole growth, seconds [ours].
	AgeSpanS *float64 `json:"age_span_s,omitempty"`

	// Maintenance as a fraction of initial [code: Derive charges confidence initially only].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// DepegAddOn: Dollar tokens that lose their peg: scenarios on what is held of them, tiers on hedges across them.
type DepegAddOn struct {
	// The tokens; each takes its own worst scenario, and these are added up [ours].
	Tokens []string `json:"tokens,omitempty"`

	// Moves with the share of their loss that counts [ours; the share of the last as SPAN's extremes, doc].
	Shocks [][2]float64 `json:"shocks,omitempty"`

	// Rates on the size hedged across quote currencies [doc: OKX, unit MR9].
	HedgeTiers *MarginalTiers `json:"hedge_tiers,omitempty"`

	// Maintenance as a fraction of initial [ours; OKX's initial requirement is 1.3 times it, secondary].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// DeriveOptionParameters: Options under Derive's standard manager (defaults: mainnet configuration [code]; ranges: the contract's own).
type DeriveOptionParameters struct {
	// Initial rate on the spot at or in the money.
	MaxSpotReq *float64 `json:"max_spot_req,omitempty"`

	// Initial rate on the spot far out of the money.
	MinSpotReq *float64 `json:"min_spot_req,omitempty"`

	// Maintenance rate of a short call on the spot.
	MMCallSpotReq *float64 `json:"mm_call_spot_req,omitempty"`

	// Maintenance rate of a short put on the spot.
	MMPutSpotReq *float64 `json:"mm_put_spot_req,omitempty"`

	// Maintenance rate of a short put on its value, where that is more.
	MMPutMtmReq *float64 `json:"mm_put_mtm_req,omitempty"`

	// Initial charge on the forward for each call sold that no call bought covers.
	UnpairedIMScale *float64 `json:"unpaired_im_scale,omitempty"`

	// The same for maintenance.
	UnpairedMMScale *float64 `json:"unpaired_mm_scale,omitempty"`

	// A short put's initial margin is at least so many times its maintenance.
	MMOffsetScale *float64 `json:"mm_offset_scale,omitempty"`
}

// DeriveOracleParameters: Charges on prices that are not trusted (defaults: Derive, mainnet [code]).
type DeriveOracleParameters struct {
	// Confidence below which a perpetual is charged.
	PerpThreshold *float64 `json:"perp_threshold,omitempty"`

	// Confidence below which an expiry's shorts are charged.
	OptionThreshold *float64 `json:"option_threshold,omitempty"`

	// Confidence below which coins are charged.
	BaseThreshold *float64 `json:"base_threshold,omitempty"`

	// Part of the spot charged per missing confidence.
	Factor *float64 `json:"factor,omitempty"`
}

// DeriveStandardParameters: Derive's standard manager, one market (defaults: ETH, mainnet [code]).
type DeriveStandardParameters struct {
	// Options.
	Option *DeriveOptionParameters `json:"option,omitempty"`

	// Confidence of prices.
	Oracle *DeriveOracleParameters `json:"oracle,omitempty"`

	// Perpetuals.
	Perp *PerpetualRates `json:"perp,omitempty"`

	// Part of a coin's value that counts; BTC 0.75, USDT 0.98.
	BaseMarginFactor *float64 `json:"base_margin_factor,omitempty"`

	// Part of that which counts initially; BTC 0.93, USDT 0.98.
	BaseIMScale *float64 `json:"base_im_scale,omitempty"`

	// Price of the stable coin below which shorts and perpetuals are charged initially.
	DepegThreshold *float64 `json:"depeg_threshold,omitempty"`

	// Charge on the spot per missing price.
	DepegFactor *float64 `json:"depeg_factor,omitempty"`
}

// ExpiryVolatility: Smile of one expiry: vol(x) = atm + slope x + curvature x^2, x = ln(K/F)/sqrt(T), T in years. `x` is held at `x_min` and `x_max`: the volatility is flat outside the quoted strikes.
type ExpiryVolatility struct {
	// Kind of record.
	Kind string `json:"kind"`

	// The coin; the message key.
	Underlying string `json:"underlying"`

	// The feed.
	Source string `json:"source"`

	// The expiry, microseconds since 1970 UTC.
	ExpiryUS int64 `json:"expiry_us"`

	// Annualised volatility at the forward, decimal.
	AtmVolAnnual float64 `json:"atm_vol_annual"`

	// Venue's time, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Change of volatility per unit of x.
	Slope *float64 `json:"slope,omitempty"`

	// Change of volatility per unit of x squared.
	Curvature *float64 `json:"curvature,omitempty"`

	// Lowest quoted x.
	XMin *float64 `json:"x_min,omitempty"`

	// Highest quoted x.
	XMax *float64 `json:"x_max,omitempty"`

	// F/S - 1 of the expiry.
	ForwardBasis *float64 `json:"forward_basis,omitempty"`

	// When the recorder received it, microseconds since 1970 UTC; never decides anything.
	ReceivedTimeUS *int64 `json:"received_time_us,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// Funding: Funding rate of a perpetual, in force until the next one; longs pay shorts where it is positive. It is earned continuously, `rate` of the notional at the mark in every `interval_ms`. A rate of zero says that nothing is paid; a rate older than twice its interval is not believed any more, and nothing is earned then either.
type Funding struct {
	// Kind of record.
	Kind string `json:"kind"`

	// The perpetual; the message key.
	Instrument string `json:"instrument"`

	// The coin.
	Underlying string `json:"underlying"`

	// The feed.
	Source string `json:"source"`

	// Part of the notional paid in one interval, decimal: 0.0001 is one basis point.
	Rate float64 `json:"rate"`

	// Venue's time from which the rate is in force, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// The interval that the rate is for, milliseconds.
	IntervalMS *int64 `json:"interval_ms,omitempty"`

	// When the recorder received it, microseconds since 1970 UTC; never decides anything.
	ReceivedTimeUS *int64 `json:"received_time_us,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// FundingAddOn: Funding that perpetuals will pay over a time, if it is a cost [doc: Paradex].
type FundingAddOn struct {
	// How far ahead, hours [doc: Paradex].
	HorizonHours *float64 `json:"horizon_hours,omitempty"`

	// Rate in eight hours that either side is taken to pay where none is known [mem: common interest part].
	AssumedRate *float64 `json:"assumed_rate,omitempty"`

	// Maintenance as a fraction of initial [doc: Paradex adds it to both].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// Haircut: Haircuts on the value of a balance, slice by slice: what lies beyond a size earns less and less.
type Haircut struct {
	// Kind of record.
	Kind string `json:"kind"`

	// Share of each slice that maintenance does not count.
	MM *MarginalTiers `json:"mm,omitempty"`

	// What initial margin adds to that [code: Derive adds, it does not replace].
	IMExtra *MarginalTiers `json:"im_extra,omitempty"`
}

// Heartbeat: Time goes on: published every second so that timers and staleness live through silence.
type Heartbeat struct {
	// Kind of record.
	Kind string `json:"kind"`

	// Who publishes it; the message key.
	Source string `json:"source"`

	// The time it is, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// Instrument: A listed contract. Futures and options carry `expiry_us`, options also `strike` and `option_type`; no other type carries any of them. An inverse contract is a derivative settled in its underlying.
type Instrument struct {
	// The contract; the message key.
	Instrument string `json:"instrument"`

	// Kind of contract.
	Type string `json:"type"`

	// The coin whose price moves the contract.
	Underlying string `json:"underlying"`

	// The asset in which profit, loss and fees are paid.
	Settlement string `json:"settlement"`

	// When the listing takes effect, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Whether the contract's value moves with the price or with its inverse.
	Contract *string `json:"contract,omitempty"`

	// Coins per contract; USD of face value per contract for inverse perpetuals and futures.
	ContractSize *float64 `json:"contract_size,omitempty"`

	// Expiry, microseconds since 1970 UTC.
	ExpiryUS *int64 `json:"expiry_us,omitempty"`

	// Strike, USD per coin.
	Strike *float64 `json:"strike,omitempty"`

	// Right to buy or to sell.
	OptionType *string `json:"option_type,omitempty"`

	// Whether the contract no longer trades.
	Delisted *bool `json:"delisted,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// InstrumentVolatility: Mark volatility of one option.
type InstrumentVolatility struct {
	// Kind of record.
	Kind string `json:"kind"`

	// The coin; the message key.
	Underlying string `json:"underlying"`

	// The feed.
	Source string `json:"source"`

	// The option.
	Instrument string `json:"instrument"`

	// Annualised volatility as a decimal: 0.45 is 45 %, a year has 365 days.
	VolAnnual float64 `json:"vol_annual"`

	// Venue's time, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Expiry of the option, microseconds since 1970 UTC.
	ExpiryUS *int64 `json:"expiry_us,omitempty"`

	// F/S - 1 of the expiry.
	ForwardBasis *float64 `json:"forward_basis,omitempty"`

	// When the recorder received it, microseconds since 1970 UTC; never decides anything.
	ReceivedTimeUS *int64 `json:"received_time_us,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// Intent: What an account needs, for anyone to offer: one action of one liquidation.
type Intent struct {
	// First 32 hex digits of SHA-256 over canonical `["intent", account, episode, action]`.
	ID string `json:"id"`

	// The account; the message key.
	Account string `json:"account"`

	// Its episode.
	Episode int64 `json:"episode"`

	// Number of the action in the episode, from 1.
	Action int64 `json:"action"`

	// Id of the advice whose `view` baskets are margined against, with the awards of earlier actions on top.
	Advice *string `json:"advice,omitempty"`

	// Excess that is missing to the target, USD: what a basket has to bring, its cost counted.
	ReleaseUSD float64 `json:"release_usd"`

	// What may be traded: least and most signed contracts by instrument.
	Limits map[string][2]float64 `json:"limits"`

	// Most that all of it may cost together, USD.
	WorstCostUSD float64 `json:"worst_cost_usd"`

	// When it was opened, microseconds since 1970 UTC, by the clock that answers are stamped with.
	EventTimeUS int64 `json:"event_time_us"`

	// When it is awarded; later answers are late.
	ExpiresUS int64 `json:"expires_us"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// JointBasis: How prices of perpetuals and expiries move against the index, each bucket of tenors by its own draw [ours].
type JointBasis struct {
	// Deviation in a day, of perpetuals [ours].
	Perpetual *float64 `json:"perpetual,omitempty"`

	// Where buckets end, days to expiry, rising; there is one more behind the last [ours].
	TenorDays []float64 `json:"tenor_days,omitempty"`

	// Deviation in a day by bucket, of the price [ours: a rate that moves by 2 % a year in a day, at the buckets' end; perpetuals and weeks by what premiums move].
	Daily []float64 `json:"daily,omitempty"`
}

// JointParameters: Model D.
type JointParameters struct {
	// Confidence of value at risk and shortfall [ours].
	Confidence *float64 `json:"confidence,omitempty"`

	// Days that deviations are scaled to, by the square root [ours].
	HorizonDays *float64 `json:"horizon_days,omitempty"`

	// Time that options lose in every scenario, days [ours: none, as in models A, B and P; decay is no income].
	LookAheadDays *float64 `json:"look_ahead_days,omitempty"`

	// Whether scenarios are drawn, or the standardised returns of the past at today's volatilities.
	Scenarios *string `json:"scenarios,omitempty"`

	// Whether historical scenarios keep the correlations of the past, or take on those in force [ours: keep].
	HistoricalCorrelation *string `json:"historical_correlation,omitempty"`

	// Scenarios drawn [ours].
	Draws *int64 `json:"draws,omitempty"`

	// What the draws are made from; it belongs to the version of the parameters [ours].
	Seed *int64 `json:"seed,omitempty"`

	// Whether every second draw is the one before with its signs changed [ours].
	Antithetic *bool `json:"antithetic,omitempty"`

	// Degrees of freedom of Student t, one mixing variable for all factors of a scenario; None is normal [ours].
	DegreesOfFreedom *int64 `json:"degrees_of_freedom,omitempty"`

	// Which losses a shortfall averages: see `kernels.tail` [ours: the coherent one].
	EsConvention *string `json:"es_convention,omitempty"`

	// Maintenance requirement as a fraction of the initial one [ours].
	MMFactor *float64 `json:"mm_factor,omitempty"`

	// Name of the matrix that scenarios are drawn with, or `worst`: the one with the largest shortfall [ours]. A name that is not in force counts as `worst`.
	Correlation *string `json:"correlation,omitempty"`

	// Where correlations break to; the worst of them counts [ours].
	StressTargets []string `json:"stress_targets,omitempty"`

	// Weight of the target; None is the one in force for the portfolio's correlations [ours].
	StressK *float64 `json:"stress_k,omitempty"`

	// Least requirement, of the notional of contracts other than long options [doc: Paradex, 2 % initial and 1 % maintenance; 1 % ours].
	Floor *float64 `json:"floor,omitempty"`

	// b: weight of the long-run stress where that is above the requirement of now [mem: stress weight of EU rules].
	ProcyclicalityBlend *float64 `json:"procyclicality_blend,omitempty"`

	// Moves of the long-run stress; the worst of them counts.
	StressMoves []JointStressMove `json:"stress_moves,omitempty"`

	// Implied volatilities.
	Volatility *JointVolatility `json:"volatility,omitempty"`

	// Prices against the index.
	Basis *JointBasis `json:"basis,omitempty"`

	// Least relative move of an index and of a basis: draws beyond are held there [ours].
	LeastMove *float64 `json:"least_move,omitempty"`

	// Fewest past returns of all underlyings together that a historical requirement may rest on [ours: five beyond the 99th percentile].
	MinHistory *int64 `json:"min_history,omitempty"`

	// Past returns in a row that count as one observation of the standard error [ours: two overlaps of 10 minutes].
	HistoryGroup *int64 `json:"history_group,omitempty"`

	// Volatility of an underlying that has none, annualised, by name.
	AssumedAnnualVol map[string]float64 `json:"assumed_annual_vol,omitempty"`

	// That of dollar tokens not named; None refuses [ours].
	AssumedAnnualVolToken *float64 `json:"assumed_annual_vol_token,omitempty"`

	// That of every other not named; None refuses [ours].
	AssumedAnnualVolOther *float64 `json:"assumed_annual_vol_other,omitempty"`
}

// JointStressMove: One joint move of the long-run stress.
type JointStressMove struct {
	// What it is.
	Name string `json:"name"`

	// Relative move of the index by underlying.
	Moves map[string]float64 `json:"moves,omitempty"`

	// That of every coin not named; dollar tokens that are not named do not move.
	Other float64 `json:"other"`

	// Relative move of the volatility of a 30-day option.
	Volatility float64 `json:"volatility"`
}

// JointVolatility: How implied volatilities move with the scenarios; all figures are of a 30-day option.
type JointVolatility struct {
	// Relative rise of volatility by a fall of the index, per fall of 1 [ours: on 2026-02-05 it rose by 64 % on 13 % (BTC) and by 30 % on 13 % (ETH)].
	BetaDown *float64 `json:"beta_down,omitempty"`

	// Relative rise of volatility by a rise of the index, per rise of 1 [ours].
	BetaUp *float64 `json:"beta_up,omitempty"`

	// Volatility of volatility that the index does not explain, annualised, relative [ours: 5 % a day].
	AnnualVol *float64 `json:"annual_vol,omitempty"`

	// Correlation of these own moves between underlyings [ours].
	Common *float64 `json:"common,omitempty"`

	// Exponent of 30/days up to 30 days to expiry [doc: Deribit, Derive and Paradex].
	ShortTermPower *float64 `json:"short_term_power,omitempty"`

	// Exponent of 30/days beyond 30 days to expiry [doc: same].
	LongTermPower *float64 `json:"long_term_power,omitempty"`

	// Fewest days to expiry that moves are scaled with [doc: Derive and Paradex].
	DteFloorDays *float64 `json:"dte_floor_days,omitempty"`
}

// LeftOut: Where evaluations of an account were left out under a declared overload since its event before.
type LeftOut struct {
	// Last record of each topic before the overload, or at the event before if that came later, as [offset, index in its frame].
	Positions map[string][2]int64 `json:"positions"`

	// The same of the evaluation that began the timer which fired; absent where none did, and after a takeover.
	Timer map[string][2]int64 `json:"timer,omitempty"`
}

// Liquidity: Market depth of one underlying: of its price, and of its volatility in USD per volatility point.
type Liquidity struct {
	// V, dollars traded a day in what a liquidation may use [data: below the thinnest of seven coins, 24 million].
	DailyVolumeUSD *float64 `json:"daily_volume_usd,omitempty"`

	// k, half the spread as a fraction of the price [ours].
	HalfSpread *float64 `json:"half_spread,omitempty"`

	// Annualised volatility where the market has none, decimal [ours: coins beside the two large ones reached 1.9].
	AssumedVolAnnual *float64 `json:"assumed_vol_annual,omitempty"`

	// Vega traded a day, USD per volatility point [ours: a twentieth of ETH's].
	DailyVegaUSD *float64 `json:"daily_vega_usd,omitempty"`

	// Half the spread of options, volatility points [data: nine in ten BTC options were quoted closer].
	VegaHalfSpreadPoints *float64 `json:"vega_half_spread_points,omitempty"`

	// Daily deviation of the volatility, points [data: BTC, at the money, through the sell-off of February 2026].
	VegaDailyMovePoints *float64 `json:"vega_daily_move_points,omitempty"`
}

// LiquidityAddOn: Cost of closing positions, and market risk for as long as that takes [ours, section by section below].
type LiquidityAddOn struct {
	// eta: impact in daily deviations of trading one day's volume, by the square-root law [ours].
	Impact *float64 `json:"impact,omitempty"`

	// pi: share of the daily volume that a liquidation may be [ours].
	Participation *float64 `json:"participation,omitempty"`

	// Share of gross delta in the size to close, the rest is net: 0, since futures do net [ours].
	DeltaGrossShare *float64 `json:"delta_gross_share,omitempty"`

	// Share of gross vega in the size to close: options of several strikes do not net in a fire sale [ours].
	VegaGrossShare *float64 `json:"vega_gross_share,omitempty"`

	// Whether a position that takes h days to close carries its market risk sqrt(h) times [ours].
	ScaleMarketRisk *bool `json:"scale_market_risk,omitempty"`

	// Maintenance as a fraction of initial: at liquidation this is money that is paid [ours].
	MMFactor *float64 `json:"mm_factor,omitempty"`

	// Every underlying not named below.
	Default *Liquidity `json:"default,omitempty"`

	// Market depth by underlying: volumes of BTC and ETH below one large venue's [mem], their vega [data: median].
	Underlyings map[string]Liquidity `json:"underlyings,omitempty"`
}

// LoanToValue: Collateral by what may be borrowed against it: initial LTV, maintenance 1/2 + LTV/2 [doc: Hyperliquid].
type LoanToValue struct {
	// Kind of record.
	Kind string `json:"kind"`

	// Share of its value that may be borrowed [mem].
	LoanToValue *float64 `json:"loan_to_value,omitempty"`

	// Coins that count at most; None: any number.
	SupplyCap *float64 `json:"supply_cap,omitempty"`

	// USD that it counts for at most; None: any amount.
	BorrowCapUSD *float64 `json:"borrow_cap_usd,omitempty"`
}

// MarginTier: One tier of notional: where it begins, and its rates.
type MarginTier struct {
	// Notional at which the tier begins, USD.
	FloorUSD float64 `json:"floor_usd"`

	// Maintenance rate of the slice above the floor.
	MMRate float64 `json:"mm_rate"`

	// Initial rate of the whole notional in this tier; not below the maintenance rate.
	IMRate float64 `json:"im_rate"`
}

// MarginalTier: One slice of an amount, from the end of the slice before it.
type MarginalTier struct {
	// Rate of the slice: a fraction, or a multiplier.
	Rate float64 `json:"rate"`

	// Where the slice ends, USD; the last one has no end.
	UpToUSD *float64 `json:"up_to_usd,omitempty"`
}

// MarginalTiers: A table without gaps: slices follow each other, rates do not fall, and the last slice has no end.
type MarginalTiers struct {
	// The slices, from 0 upwards.
	Tiers []MarginalTier `json:"tiers"`
}

// MinimumAddOn: A floor under the model's requirement, by notional of delta.
type MinimumAddOn struct {
	// Rate on the net delta of an underlying [doc: Paradex].
	NetRate *float64 `json:"net_rate,omitempty"`

	// Rate on the delta that is long and short at once [doc: Paradex; that this is the smaller side is ours].
	HedgedRate *float64 `json:"hedged_rate,omitempty"`

	// The floor of maintenance as a fraction of the initial one [doc: Paradex].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// NakedShortAddOn: A charge on options sold and not covered, per coin of the underlying.
type NakedShortAddOn struct {
	// Initial rate on the index [code: Derive, mainnet; an older rule of Deribit has 0.01, doc].
	IMRate *float64 `json:"im_rate,omitempty"`

	// Maintenance rate on the index [code: same]; not above the initial one.
	MMRate *float64 `json:"mm_rate,omitempty"`

	// Whether the other type at the same strike and expiry covers [code: Derive], or nothing does.
	Cover *string `json:"cover,omitempty"`
}

// NettingParameters: Model P: how risk matrices of several underlyings are netted by correlation.
type NettingParameters struct {
	// k: weight of the plain sum against the worst matrix; 0 trusts the matrices, 1 nets nothing.
	CorrelationStress *float64 `json:"correlation_stress,omitempty"`

	// k while correlations are concentrated; that of calm times if it is larger.
	ConcentrationStress *float64 `json:"concentration_stress,omitempty"`

	// k while correlations break down; that of calm times if it is larger.
	BreakdownStress *float64 `json:"breakdown_stress,omitempty"`

	// Correlation of every two coins in the last matrix, which stands beside the estimates.
	FloorCorrelation *float64 `json:"floor_correlation,omitempty"`

	// Twice as many moves while a listed option of the underlying expires within so many days.
	FineGridDays *float64 `json:"fine_grid_days,omitempty"`

	// Four times as many moves while one expires within so many days.
	FinestGridDays *float64 `json:"finest_grid_days,omitempty"`

	// Price ranges: steps that follow volatility, or each risk matrix's own.
	Ranges *string `json:"ranges,omitempty"`

	// Underlyings that keep their own range: how far a peg breaks is not in its volatility.
	FixedRanges []string `json:"fixed_ranges,omitempty"`

	// Maintenance requirement as a fraction of the initial one.
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// OkxGroup: Underlyings that are shocked alike.
type OkxGroup struct {
	// Members.
	Underlyings []string `json:"underlyings,omitempty"`

	// MR1: price moves on each side, ascending, as fractions.
	SpotMoves []float64 `json:"spot_moves"`

	// MR4: annualised move of the basis.
	BasisMove float64 `json:"basis_move"`

	// MR6: price move on each side.
	ExtremeMove float64 `json:"extreme_move"`
}

// OkxParameters: Portfolio margin by risk units MR1 to MR9.
type OkxParameters struct {
	// Named groups of underlyings.
	Groups []OkxGroup `json:"groups,omitempty"`

	// Every underlying that no group names; its own list is not read.
	Others *OkxGroup `json:"others,omitempty"`

	// Coins that are cash: no risk unit shocks them [doc for the idea: MR9 looks at them instead].
	CashAssets []string `json:"cash_assets,omitempty"`

	// MR1, MR3: upward volatility shock of a 30-day option, relative [ours: Deribit's].
	VolatilityRangeUp *float64 `json:"volatility_range_up,omitempty"`

	// MR1, MR3: downward volatility shock of a 30-day option, relative [ours: Deribit's].
	VolatilityRangeDown *float64 `json:"volatility_range_down,omitempty"`

	// MR1, MR3: least annualised volatility after an upward shock [ours: Deribit's].
	MinVolatilityForShockUp *float64 `json:"min_volatility_for_shock_up,omitempty"`

	// Exponent of 30/days up to 30 days [ours: as three other venues].
	ShortTermVegaPower *float64 `json:"short_term_vega_power,omitempty"`

	// Exponent of 30/days beyond 30 days [ours: as three other venues].
	LongTermVegaPower *float64 `json:"long_term_vega_power,omitempty"`

	// Fewest days that volatility shocks are scaled with [ours: as two other venues].
	DteFloorDays *float64 `json:"dte_floor_days,omitempty"`

	// MR2: time that passes [doc].
	DecayHours *float64 `json:"decay_hours,omitempty"`

	// MR3: where one tenor ends and the next begins, days, ascending [ours].
	VegaTenorsDays []float64 `json:"vega_tenors_days,omitempty"`

	// MR3: share of the gains of some tenors, set against losses of others, that is charged [ours].
	VegaOffsetCharge *float64 `json:"vega_offset_charge,omitempty"`

	// MR4: fewest days that a basis moves over, those of perpetuals included [ours].
	BasisMinDays *float64 `json:"basis_min_days,omitempty"`

	// MR5: parallel move of interest rates, annual [ours].
	RateMove *float64 `json:"rate_move,omitempty"`

	// MR6: share of the loss that counts [mem].
	ExtremeShare *float64 `json:"extreme_share,omitempty"`

	// MR7: raw charge of futures and perpetuals, as a fraction of the notional [ours].
	FutureCharge *float64 `json:"future_charge,omitempty"`

	// MR7: raw charge of options, as a fraction of the notional [ours].
	OptionCharge *float64 `json:"option_charge,omitempty"`

	// MR7: multipliers of the raw charge [doc].
	MinimumCharge *MarginalTiers `json:"minimum_charge,omitempty"`

	// MR8: rates on what is owed, asset by asset [ours].
	Borrowing *MarginalTiers `json:"borrowing,omitempty"`

	// MR9: rates on the size hedged across quote currencies [doc].
	Depeg *MarginalTiers `json:"depeg,omitempty"`

	// Initial requirement as a multiple of the maintenance one [2nd].
	IMFactor *float64 `json:"im_factor,omitempty"`
}

// OpenInterestParameters: Initial rate by open interest (dYdX v4; fields [code], the form and these values, its mid tier, [mem]).
type OpenInterestParameters struct {
	// Initial rate up to the lower cap.
	BaseRate *float64 `json:"base_rate,omitempty"`

	// Open interest from which the rate grows, USD.
	LowerCapUSD *float64 `json:"lower_cap_usd,omitempty"`

	// Open interest at which it is 1, USD; 0 scales nothing.
	UpperCapUSD *float64 `json:"upper_cap_usd,omitempty"`

	// Maintenance rate as a part of the base rate; it is not scaled.
	MaintenanceFraction *float64 `json:"maintenance_fraction,omitempty"`
}

// OwnerParameters: How an owner's accounts are looked at together.
type OwnerParameters struct {
	// Share of the initial requirement that stays in an account beyond it when excess is moved [ours].
	Buffer *float64 `json:"buffer,omitempty"`

	// Time to move money out of a venue not named below, minutes [ours: an hour of confirmations and approvals].
	DefaultTransferMinutes *float64 `json:"default_transfer_minutes,omitempty"`

	// By venue, minutes.
	TransferMinutes map[string]float64 `json:"transfer_minutes,omitempty"`
}

// ParadexParameters: Portfolio margin of an account.
type ParadexParameters struct {
	// Every underlying not named below.
	Scan *ParadexScan `json:"scan,omitempty"`

	// Cells by underlying.
	Scans map[string]ParadexScan `json:"scans,omitempty"`

	// Coins that are cash and are not shocked [doc for USDC, the venue's collateral; ours for the others].
	CashAssets []string `json:"cash_assets,omitempty"`

	// Fee provision: cost of closing a contract, as a fraction of its notional [mem: a taker's fee].
	FeeRate *float64 `json:"fee_rate,omitempty"`

	// Maintenance requirement as a fraction of the net margin, provisions apart [doc].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// ParadexScan: Cells of one underlying.
type ParadexScan struct {
	// Price moves on each side, ascending; the largest goes with a rising volatility only [doc].
	Moves []float64 `json:"moves,omitempty"`

	// Cells beyond, volatility up [doc].
	Tails []ParadexTail `json:"tails,omitempty"`

	// Upward volatility shock of a 30-day option, relative [doc].
	VolatilityRangeUp *float64 `json:"volatility_range_up,omitempty"`

	// Downward volatility shock of a 30-day option, relative [doc].
	VolatilityRangeDown *float64 `json:"volatility_range_down,omitempty"`

	// Least annualised volatility after an upward shock; none [ours: the page prints none].
	MinVolatilityForShockUp *float64 `json:"min_volatility_for_shock_up,omitempty"`

	// Exponent of 30/days up to 30 days [doc].
	ShortTermVegaPower *float64 `json:"short_term_vega_power,omitempty"`

	// Exponent of 30/days beyond 30 days [doc].
	LongTermVegaPower *float64 `json:"long_term_vega_power,omitempty"`

	// Fewest days that volatility shocks are scaled with [doc].
	DteFloorDays *float64 `json:"dte_floor_days,omitempty"`

	// Minimum on the net delta, as a fraction of spot [doc].
	NetDeltaRate *float64 `json:"net_delta_rate,omitempty"`

	// Minimum on the delta that is hedged, as a fraction of spot [doc].
	HedgedDeltaRate *float64 `json:"hedged_delta_rate,omitempty"`
}

// ParadexTail: One cell beyond the scan.
type ParadexTail struct {
	// Price move, fraction.
	Move float64 `json:"move"`

	// Share of its P&L that counts.
	Weight float64 `json:"weight"`
}

// ParameterSet: A named, versioned set of parameters.
type ParameterSet struct {
	// The set; the message key.
	Name string `json:"name"`

	// When the set takes effect, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Risk matrix of every underlying not named below.
	RiskMatrix *RiskMatrixParameters `json:"risk_matrix,omitempty"`

	// Risk matrix by underlying.
	Underlyings map[string]RiskMatrixParameters `json:"underlyings,omitempty"`

	// Model P: netting over underlyings.
	Netting *NettingParameters `json:"netting,omitempty"`

	// Model A-okx: risk units.
	Okx *OkxParameters `json:"okx,omitempty"`

	// Model A-paradex: cells, floors and provisions.
	Paradex *ParadexParameters `json:"paradex,omitempty"`

	// Model D: draws, shortfall, correlation stress.
	Joint *JointParameters `json:"joint,omitempty"`

	// Model B: scenarios and contingencies by underlying.
	Pmrm *PmrmSet `json:"pmrm,omitempty"`

	// Model C: scan ranges, spreads and credits.
	Span *SpanSet `json:"span,omitempty"`

	// Model E: rates position by position.
	Standard *StandardSet `json:"standard,omitempty"`

	// What every model is charged on top.
	AddOns *AddOnParameters `json:"add_ons,omitempty"`

	// Haircuts and charges on debts, under every model.
	Collateral *CollateralParameters `json:"collateral,omitempty"`

	// How accounts of one owner are looked at together.
	Owner *OwnerParameters `json:"owner,omitempty"`

	// Account states.
	Status *StatusParameters `json:"status,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// PerpetualRates: Flat rates on the notional at the mark (defaults: Derive's standard manager, mainnet [code]).
type PerpetualRates struct {
	// Initial requirement per notional; not below the maintenance rate.
	IMRate *float64 `json:"im_rate,omitempty"`

	// Maintenance requirement per notional.
	MMRate *float64 `json:"mm_rate,omitempty"`
}

// PlanLine: One proposed reduction or hedge of a liquidation plan.
type PlanLine struct {
	// What to trade.
	Instrument string `json:"instrument"`

	// Signed contracts: positive buy, negative sell.
	Quantity float64 `json:"quantity"`

	// Requirement set free, USD.
	ExpectedReleaseUSD float64 `json:"expected_release_usd"`

	// Cost of the trade, USD.
	ExpectedCostUSD float64 `json:"expected_cost_usd"`

	// Requirement set free by one more contract, USD.
	ShadowPriceUSD float64 `json:"shadow_price_usd"`
}

// PmrmBasis: Basis contingency: the forward moves and spot does not [code].
type PmrmBasis struct {
	// Upward factor [code].
	SpotUp *float64 `json:"spot_up,omitempty"`

	// Downward factor [code].
	SpotDown *float64 `json:"spot_down,omitempty"`

	// Share of the loss that is charged at once [code].
	AddFactor *float64 `json:"add_factor,omitempty"`

	// Share of the loss that is charged on top, per year to expiry [code].
	MultFactor *float64 `json:"mult_factor,omitempty"`
}

// PmrmCollateral: What coins that are owned count for; defaults [ours], in the size of the venue's own.
type PmrmCollateral struct {
	// Part of the value that maintenance takes off.
	MMHaircut *float64 `json:"mm_haircut,omitempty"`

	// What initial margin takes off on top.
	IMHaircutExtra *float64 `json:"im_haircut_extra,omitempty"`
}

// PmrmMargin: Factors on the worst scenario, and the static discount on shocked option values.
type PmrmMargin struct {
	// Initial margin: factor on the worst loss [code].
	IMFactor *float64 `json:"im_factor,omitempty"`

	// Maintenance margin: factor on the worst loss [code].
	MMFactor *float64 `json:"mm_factor,omitempty"`

	// Discount of positive values: factor on the rate [code].
	LongRateMult *float64 `json:"long_rate_mult,omitempty"`

	// Discount of positive values: what is added to that, per year [code].
	LongRateAdd *float64 `json:"long_rate_add,omitempty"`

	// Growth of negative values: factor on the rate [code].
	ShortRateMult *float64 `json:"short_rate_mult,omitempty"`

	// Growth of negative values: what is added to that, per year [code].
	ShortRateAdd *float64 `json:"short_rate_add,omitempty"`

	// Base factor on positive values [tests]; the deployment script has 1.05, which rewards.
	LongStaticDiscount *float64 `json:"long_static_discount,omitempty"`

	// Base factor on negative values [tests]; the deployment script has 0.95, which rewards.
	ShortStaticDiscount *float64 `json:"short_static_discount,omitempty"`
}

// PmrmOther: Contingencies on notional, depeg and confidence [code].
type PmrmOther struct {
	// Price of the stable coin below which initial margin grows, USD [code].
	PegThreshold *float64 `json:"peg_threshold,omitempty"`

	// Growth of im_factor per USD below that [code].
	PegFactor *float64 `json:"peg_factor,omitempty"`

	// Confidence below which initial margin grows [code].
	ConfThreshold *float64 `json:"conf_threshold,omitempty"`

	// Charge on notional per unit of missing confidence [code].
	ConfMargin *float64 `json:"conf_margin,omitempty"`

	// Maintenance charge on the notional of perpetuals [code].
	MMPerpPct *float64 `json:"mm_perp_pct,omitempty"`

	// What initial margin adds to that [code].
	IMPerpPctExtra *float64 `json:"im_perp_pct_extra,omitempty"`

	// Maintenance charge on the notional of naked short options [code].
	MMOptionPct *float64 `json:"mm_option_pct,omitempty"`

	// What initial margin adds to that [code].
	IMOptionPctExtra *float64 `json:"im_option_pct_extra,omitempty"`
}

// PmrmParameters: Model B, for one underlying.
type PmrmParameters struct {
	// Scenarios in their order: factor on spot, direction of volatility, damping of the P&L [code].
	Scenarios []json.RawMessage `json:"scenarios,omitempty"`

	// Shock of the level of volatility.
	VolShock *PmrmVolShock `json:"vol_shock,omitempty"`

	// Factors and static discount.
	Margin *PmrmMargin `json:"margin,omitempty"`

	// Basis contingency.
	Basis *PmrmBasis `json:"basis,omitempty"`

	// Contingencies on notional, depeg and confidence.
	Other *PmrmOther `json:"other,omitempty"`

	// Shock of the skew.
	Skew *PmrmSkew `json:"skew,omitempty"`

	// Accept what `imprudence` names; results then carry it as a warning [ours].
	AllowImprudent *bool `json:"allow_imprudent,omitempty"`
}

// PmrmSet: Model B of an account: its underlyings, collateral, and how far data are trusted.
type PmrmSet struct {
	// Every underlying not named below.
	Default *PmrmParameters `json:"default,omitempty"`

	// Parameters by underlying.
	Underlyings map[string]PmrmParameters `json:"underlyings,omitempty"`

	// Coins that move with their underlying.
	Collateral *PmrmCollateral `json:"collateral,omitempty"`

	// Tokens that no scenario moves: cash, or collateral by haircut alone [ours; the venue has 2 % on USDT].
	Stable map[string]PmrmCollateral `json:"stable,omitempty"`

	// The token whose price the depeg rule looks at [code].
	CashAsset *string `json:"cash_asset,omitempty"`

	// Confidence by flag of the data, the least counts; 1 without any of these [ours: the venue's oracles give it].
	Confidence map[string]float64 `json:"confidence,omitempty"`
}

// PmrmSkew: Shock of the volatility skew: how far a slice turns (linear) and its wings rise (abs).
type PmrmSkew struct {
	// Largest relative change at no time to expiry, linear [code].
	LinearBaseCap *float64 `json:"linear_base_cap,omitempty"`

	// What that gains per root of a year, linear [code].
	LinearC *float64 `json:"linear_c,omitempty"`

	// Largest relative change at no time to expiry, abs [code].
	AbsBaseCap *float64 `json:"abs_base_cap,omitempty"`

	// What that gains per root of a year, abs [code].
	AbsC *float64 `json:"abs_c,omitempty"`

	// Least log moneyness at which the cap is reached [code]; above zero [ours], since it divides.
	MinKStar *float64 `json:"min_k_star,omitempty"`

	// Deviations at which the cap is reached [code].
	WidthScale *float64 `json:"width_scale,omitempty"`

	// Volatility of that width at no time to expiry, decimal [code].
	VolParamStatic *float64 `json:"vol_param_static,omitempty"`

	// What that gains per root of a year [code].
	VolParamScale *float64 `json:"vol_param_scale,omitempty"`
}

// PmrmVolShock: Shock of the level of volatility [code].
type PmrmVolShock struct {
	// Upward shock of a 30-day option, relative [code].
	RangeUp *float64 `json:"range_up,omitempty"`

	// Downward shock of a 30-day option, relative [code].
	RangeDown *float64 `json:"range_down,omitempty"`

	// Exponent of 30/days up to 30 days to expiry [code].
	ShortTermPower *float64 `json:"short_term_power,omitempty"`

	// Exponent of 30/days beyond 30 days to expiry [code].
	LongTermPower *float64 `json:"long_term_power,omitempty"`

	// Fewest days to expiry that shocks are scaled with [code]; above zero [ours], since it divides.
	DteFloorDays *float64 `json:"dte_floor_days,omitempty"`

	// Least annualised volatility after an upward shock, decimal [code].
	MinVolUp *float64 `json:"min_vol_up,omitempty"`
}

// PriceTick: One price of one source. A quote carries `bid` and `ask` (its price is their middle), every other kind carries `price`. Only an index tick may be without an instrument.
type PriceTick struct {
	// Kind of record.
	Kind string `json:"kind"`

	// The coin.
	Underlying string `json:"underlying"`

	// The feed: a venue, or a venue and its symbol.
	Source string `json:"source"`

	// What the price is.
	PriceKind string `json:"price_kind"`

	// Venue's time of the price, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// USD per coin; coins per coin of underlying for options of an inverse contract.
	Price *float64 `json:"price,omitempty"`

	// Best bid of a quote, in the unit of `price`.
	Bid *float64 `json:"bid,omitempty"`

	// Best ask of a quote, in the unit of `price`; not below the bid.
	Ask *float64 `json:"ask,omitempty"`

	// What was priced; absent for a pure index feed.
	Instrument *string `json:"instrument,omitempty"`

	// Whether the tick also feeds the composite index of its underlying.
	IndexSource *bool `json:"index_source,omitempty"`

	// How long this source stays fresh, milliseconds (a one-minute bar feed: three bars).
	MaxAgeMS *int64 `json:"max_age_ms,omitempty"`

	// When the recorder received it, microseconds since 1970 UTC; never decides anything.
	ReceivedTimeUS *int64 `json:"received_time_us,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// RangeStep: A step of one underlying's price range, in force for model P from its event time on. It is a function of `market.ticks.v1` alone; whoever sends it again sends the same bytes.
type RangeStep struct {
	// Kind of record.
	Kind string `json:"kind"`

	// First 32 hex digits of SHA-256 over canonical JSON `["range", underlying, event_time_us, version]`.
	ID *string `json:"id,omitempty"`

	// The coin; the message key.
	Underlying string `json:"underlying"`

	// Grows by one with every record of the underlying, from 1.
	Version int64 `json:"version"`

	// Largest standard price move, as a fraction of the price: a step of the ladder.
	PriceRange float64 `json:"price_range"`

	// By how many steps of 0.05 a requirement may go beyond the range of its parameter set, rounded up to a step; below that range from 2 on. From 10 on the range is `price_range`.
	Reach int64 `json:"reach"`

	// What it was computed from, a year, decimal.
	AnnualVolatility float64 `json:"annual_volatility"`

	// How many overlapping ten-minute returns the volatility is worth.
	Returns float64 `json:"returns"`

	// Event time, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Layout of the record.
	V int64 `json:"v"`
}

// RegimeChange: A change of correlation regime over a set of underlyings, with the digest of the matrices in force. It is a function of `market.ticks.v1` alone; whoever sends it again sends the same bytes.
type RegimeChange struct {
	// Kind of record.
	Kind string `json:"kind"`

	// First 32 hex digits of SHA-256 over canonical JSON `[underlyings joined by commas, event_time_us, regime]`.
	ID *string `json:"id,omitempty"`

	// The regime entered: `calm`, `concentration` or `breakdown`. Each parameter set has a k for each of them: `correlation_stress`, `concentration_stress`, `breakdown_stress`.
	Regime string `json:"regime"`

	// The regime left.
	RegimeFrom *string `json:"regime_from,omitempty"`

	// Why: `distance`, `absorption_rise`, `concentration`, or `over` when what led to the regime before has ended.
	Trigger *string `json:"trigger,omitempty"`

	// The coins, in the order of the matrices; joined by commas they are the message key.
	Underlyings []string `json:"underlyings"`

	// Root mean square of the differences between fast and slow correlations.
	Distance float64 `json:"distance"`

	// Share of variance in the first component of the fast correlations, 0 to 1.
	AbsorptionRatio float64 `json:"absorption_ratio"`

	// How far it stands above its lowest of the last hour.
	AbsorptionRise *float64 `json:"absorption_rise,omitempty"`

	// Version of the published matrices.
	Version *int64 `json:"version,omitempty"`

	// First 16 hex digits of SHA-256 over the matrices in force, as in account events.
	MatrixDigest string `json:"matrix_digest"`

	// Coins that gave no return at this minute because their index is held.
	Stale []string `json:"stale,omitempty"`

	// The whole minute it was judged at, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Layout of the record.
	V int64 `json:"v"`
}

// RiskArray: P&L of one long contract in each scenario of a parameter set, marked now.
type RiskArray struct {
	// The contract, or the coin itself.
	Instrument string `json:"instrument"`

	// Name of the parameter set; with the instrument, `set/instrument`, it is the message key.
	ParameterSet string `json:"parameter_set"`

	// First 16 hex digits of SHA-256 over the canonical values of the parameter set.
	ParameterHash string `json:"parameter_hash"`

	// Profit or loss in each scenario, in the order of the scenario table, USD.
	PnLUSD []float64 `json:"pnl_usd"`

	// Present value, USD.
	ValueUSD float64 `json:"value_usd"`

	// Delta, coins: of an option the composite delta that forms spreads.
	DeltaCoins float64 `json:"delta_coins"`

	// Event time, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// The margin model whose scenarios these are.
	Model *string `json:"model,omitempty"`

	// The coin: contracts on one coin are one combined commodity.
	Underlying *string `json:"underlying,omitempty"`

	// What it is; the names of contracts say nothing.
	Kind *string `json:"kind,omitempty"`

	// Right to buy or to sell, of options.
	OptionType *string `json:"option_type,omitempty"`

	// Coins per contract, USD of face value of inverse futures; counts for the short option minimum.
	ContractSize *float64 `json:"contract_size,omitempty"`

	// Expiry, microseconds since 1970 UTC: its order among those of the coin is the tier of calendar spreads.
	ExpiryUS *int64 `json:"expiry_us,omitempty"`

	// Composite index, USD per coin.
	IndexPrice *float64 `json:"index_price,omitempty"`

	// Price of a future, forward of an option, USD per coin: charges of calendar spreads are shares of it.
	Price *float64 `json:"price,omitempty"`

	// Price scan range of the coin, as a fraction: caps and measures credits between coins.
	PriceRange *float64 `json:"price_range,omitempty"`

	// Layout of the record.
	V int64 `json:"v"`
}

// RiskMatrixParameters: Risk matrix of one underlying, for models A and P (defaults: BTC as its venue publishes them).
type RiskMatrixParameters struct {
	// Largest standard price move, as a fraction of the price.
	PriceRange *float64 `json:"price_range,omitempty"`

	// Standard moves on each side of no move; model P may use two or four times as many.
	BucketsEachSide *int64 `json:"buckets_each_side,omitempty"`

	// Upward volatility shock of a 30-day option, relative.
	VolatilityRangeUp *float64 `json:"volatility_range_up,omitempty"`

	// Downward volatility shock of a 30-day option, relative.
	VolatilityRangeDown *float64 `json:"volatility_range_down,omitempty"`

	// Least annualised volatility that an upward shock is scaled on, decimal.
	MinVolatilityForShockUp *float64 `json:"min_volatility_for_shock_up,omitempty"`

	// Exponent of 30/days below 30 days to expiry.
	ShortTermVegaPower *float64 `json:"short_term_vega_power,omitempty"`

	// Exponent of 30/days above 30 days to expiry.
	LongTermVegaPower *float64 `json:"long_term_vega_power,omitempty"`

	// Fewest days to expiry that volatility shocks are scaled with.
	DteFloorDays *float64 `json:"dte_floor_days,omitempty"`

	// Moves beyond the range, as fractions of the price, weighted by range/move.
	ExtendedMoves []float64 `json:"extended_moves,omitempty"`

	// Roll shock: annualised move of the basis.
	AnnualisedMoveRisk *float64 `json:"annualised_move_risk,omitempty"`

	// Least annualised move of the basis.
	MinAnnualisedMove *float64 `json:"min_annualised_move,omitempty"`

	// Delta shock: growth of the shock per coin of delta beyond the threshold.
	DeltaShockSlope *float64 `json:"delta_shock_slope,omitempty"`

	// Delta in USD that carries no delta shock.
	DeltaShockThresholdUSD *float64 `json:"delta_shock_threshold_usd,omitempty"`

	// Largest delta shock, as a fraction of the price.
	MaxDeltaShock *float64 `json:"max_delta_shock,omitempty"`

	// Model A: maintenance requirement as a fraction of the initial one.
	MMFactor *float64 `json:"mm_factor,omitempty"`

	// Model A: share of a profit here that cancels losses of other underlyings in the same cell; 0 stands alone.
	PnLOffset *float64 `json:"pnl_offset,omitempty"`

	// Model A: the most that such a profit cancels, USD.
	MaxOffsetablePnLUSD *float64 `json:"max_offsetable_pnl_usd,omitempty"`

	// Model A: whether cells beyond the range are weighted only, or brought nearer to zero besides.
	ExtendedTable *string `json:"extended_table,omitempty"`

	// Model A, dampened table: factor on the weights.
	ExtendedFactor *float64 `json:"extended_factor,omitempty"`

	// Model A, dampened table: how much nearer to zero a cell comes for each range beyond the first, USD.
	ExtendedDampenerUSD *float64 `json:"extended_dampener_usd,omitempty"`

	// Model A: charge on an underlying's own worst case, as a fraction of it.
	CorrelationContingencyRate *float64 `json:"correlation_contingency_rate,omitempty"`

	// Model A, older rules: charge in coins for a net short option of one coin, by strike (published: 0.01).
	ShortOptionRate *float64 `json:"short_option_rate,omitempty"`

	// Model A, older rules: charge on futures that offset each other, as a fraction of the index (published: 0.01).
	FuturesOffsetRate *float64 `json:"futures_offset_rate,omitempty"`

	// Model A, older rules: share of the volatility gains set against losses of other expiries (published: 0.25).
	VegaOffsetRate *float64 `json:"vega_offset_rate,omitempty"`
}

// RollAddOn: A charge on the delta of each expiry, long and short alike: bases do not move together.
type RollAddOn struct {
	// Every underlying not named below.
	Default *RollRates `json:"default,omitempty"`

	// Moves by underlying [doc: Deribit, for BTC and ETH; ours for dollar tokens].
	Underlyings map[string]RollRates `json:"underlyings,omitempty"`

	// Maintenance as a fraction of initial [doc: Deribit, where it is part of the risk matrix margin].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// RollRates: Moves of one underlying's term structure.
type RollRates struct {
	// Annualised move of the basis [ours: three times ETH's].
	AnnualisedMove *float64 `json:"annualised_move,omitempty"`

	// Least move of the basis of an expiry [ours: three times ETH's].
	MinMove *float64 `json:"min_move,omitempty"`
}

// ShadowPrice: What closing the first contract of a position releases, and costs.
type ShadowPrice struct {
	// What is held.
	Instrument string `json:"instrument"`

	// Initial requirement that it releases, USD; below zero where the position hedges and is better kept.
	ReleaseUSD float64 `json:"release_usd"`

	// What it costs, impact aside, USD.
	CostUSD float64 `json:"cost_usd"`
}

// SingleTrade: The one trade that reaches the target alone at the least cost, hedges with perpetuals included.
type SingleTrade struct {
	// What to trade.
	Instrument string `json:"instrument"`

	// Signed contracts: positive buy, negative sell.
	Quantity float64 `json:"quantity"`

	// Its cost, USD.
	CostUSD float64 `json:"cost_usd"`
}

// SizeParameters: Weights by the size of one position (Drift, form [code]; 0 is [ours]: the venue has a factor for each market).
type SizeParameters struct {
	// Growth of a weight per root of a coin.
	Imf *float64 `json:"imf,omitempty"`
}

// SpanCalendarSpread: A spread of two expiries of one underlying, by their number, 0 the nearest.
type SpanCalendarSpread struct {
	// One expiry.
	TierA int64 `json:"tier_a"`

	// The other expiry.
	TierB int64 `json:"tier_b"`

	// Coins of delta of the one in one spread.
	RatioA *float64 `json:"ratio_a,omitempty"`

	// Coins of delta of the other in one spread.
	RatioB *float64 `json:"ratio_b,omitempty"`

	// Charge of one spread, as a fraction of the price of the later expiry.
	Rate float64 `json:"rate"`
}

// SpanInterSpread: A credit for deltas of opposite sign in different commodities.
type SpanInterSpread struct {
	// The legs, on both sides.
	Legs []SpanLeg `json:"legs"`

	// Share of the legs' price risk that is credited.
	Rate float64 `json:"rate"`

	// Price risk of one unit of delta: the commodity's own, that but at most its scan range, or the scan range [ours: the lesser of the other two].
	Method *string `json:"method,omitempty"`
}

// SpanLeg: One leg of an inter-commodity spread.
type SpanLeg struct {
	// The commodity.
	Underlying string `json:"underlying"`

	// Legs A and B have deltas of opposite sign; which of them is long does not matter.
	Side string `json:"side"`

	// Delta in one spread, USD: a ratio in coins would change its meaning with the prices [ours].
	Ratio *float64 `json:"ratio,omitempty"`
}

// SpanParameters: Model C of one underlying.
type SpanParameters struct {
	// Move of scenarios 15 and 16, in scan ranges [doc: Indian clearing; 3 elsewhere, mem].
	ExtremeMultiplier *float64 `json:"extreme_multiplier,omitempty"`

	// Weight of scenarios 15 and 16 [doc: Indian clearing; 0.33 elsewhere, mem].
	CoveredFraction *float64 `json:"covered_fraction,omitempty"`

	// Whether a volatility scan is added, in points, or is a share of the volatility [doc: both are in use].
	VolatilityScan *string `json:"volatility_scan,omitempty"`

	// Time that options are repriced ahead, days [doc].
	LookAheadDays *float64 `json:"look_ahead_days,omitempty"`

	// Weights of the composite delta at 0, +1/3, -1/3, +2/3, -2/3, +1, -1 scan ranges [mem], by share of their sum.
	DeltaWeights []float64 `json:"delta_weights,omitempty"`

	// Price scan range in daily deviations [ours, after the Indian index rule, doc].
	PriceSigmas *float64 `json:"price_sigmas,omitempty"`

	// Days that the deviation is scaled to, by the square root [ours, same].
	HorizonDays *float64 `json:"horizon_days,omitempty"`

	// Volatility of the coin where none is known yet, annualised [ours]; results then say so.
	AssumedAnnualVol *float64 `json:"assumed_annual_vol,omitempty"`

	// Least price scan range, fraction of the price [doc: Indian index contracts; 0.142 for stocks].
	PriceFloor *float64 `json:"price_floor,omitempty"`

	// Largest price scan range, fraction [ours: a volatility of 190 % would give 84 %].
	PriceCap *float64 `json:"price_cap,omitempty"`

	// Volatility scan as a share of the annualised volatility [doc].
	VolatilityShare *float64 `json:"volatility_share,omitempty"`

	// Least volatility scan, points as a decimal [doc: index; 0.10 for stocks].
	VolatilityFloor *float64 `json:"volatility_floor,omitempty"`

	// Charge of a spread of one coin between two expiries, of the later price [doc: NSE index; 0.022 for stocks].
	CalendarRate *float64 `json:"calendar_rate,omitempty"`

	// Spreads in order of priority; none given: every two expiries, neighbours first, at `calendar_rate` [ours].
	CalendarSpreads []SpanCalendarSpread `json:"calendar_spreads,omitempty"`

	// Short option minimum of one coin, as a fraction of the index [doc: Deribit's older rule, 0.01 BTC an option].
	ShortOptionRate *float64 `json:"short_option_rate,omitempty"`

	// Whether an option's value is credited (its premium was paid) or settled daily [doc: both exist].
	OptionStyle *string `json:"option_style,omitempty"`
}

// SpanSet: Model C of an account: its underlyings, and what stands between them.
type SpanSet struct {
	// Every underlying not named below.
	Default *SpanParameters `json:"default,omitempty"`

	// Parameters by underlying.
	Underlyings map[string]SpanParameters `json:"underlyings,omitempty"`

	// Credits between underlyings in order of priority; none by default [ours: no venue publishes any for coins].
	InterSpreads []SpanInterSpread `json:"inter_spreads,omitempty"`

	// Whether short calls and puts count together or only the larger side [code: both in the files; sum is ours].
	ShortOptionSide *string `json:"short_option_side,omitempty"`

	// Maintenance requirement as a fraction of the initial one [ours: as models A and P; files carry it by product].
	MMFactor *float64 `json:"mm_factor,omitempty"`
}

// StandardOptionParameters: Options one by one, rates on the underlying (defaults: Deribit, standard margin [doc]).
type StandardOptionParameters struct {
	// Initial rate of a short at or in the money.
	MaxInitial *float64 `json:"max_initial,omitempty"`

	// Initial rate of a short far out of the money; not above `max_initial`.
	MinInitial *float64 `json:"min_initial,omitempty"`

	// Maintenance rate of a short; not above `min_initial`.
	Maintenance *float64 `json:"maintenance,omitempty"`

	// Maintenance rate of a short put on its own mark, where that is more.
	PutMarkMaintenance *float64 `json:"put_mark_maintenance,omitempty"`
}

// StandardParameters: All forms of model E; an account uses those of its positions.
type StandardParameters struct {
	// Isolated and cross margin of futures and perpetuals.
	Perpetual *PerpetualRates `json:"perpetual,omitempty"`

	// Tiered maintenance.
	Tiered *TierParameters `json:"tiered,omitempty"`

	// Initial rates by open interest.
	OpenInterest *OpenInterestParameters `json:"open_interest,omitempty"`

	// Weights by size.
	Size *SizeParameters `json:"size,omitempty"`

	// Standard margin of options.
	Option *StandardOptionParameters `json:"option,omitempty"`

	// Derive's standard manager.
	Derive *DeriveStandardParameters `json:"derive,omitempty"`
}

// StandardSet: Model E of an account: its underlyings.
type StandardSet struct {
	// Every underlying not named below.
	Default *StandardParameters `json:"default,omitempty"`

	// Parameters by underlying (defaults: Derive, mainnet [code]).
	Underlyings map[string]StandardParameters `json:"underlyings,omitempty"`

	// The token whose price Derive's depeg rule looks at [code]; it is cash there.
	CashAsset *string `json:"cash_asset,omitempty"`

	// Confidence by flag of the data, the least counts; 1 without any of these [ours: the venue's oracles give it].
	Confidence map[string]float64 `json:"confidence,omitempty"`
}

// StatusParameters: Thresholds and dwell times of the account states; u = MM/equity, v = IM/equity, times are event time.
type StatusParameters struct {
	// v at which a warning starts.
	WarningEnterV *float64 `json:"warning_enter_v,omitempty"`

	// v below which a warning ends; not above its start.
	WarningLeaveV *float64 `json:"warning_leave_v,omitempty"`

	// v at which a margin call starts.
	MarginCallEnterV *float64 `json:"margin_call_enter_v,omitempty"`

	// v below which a margin call ends; not above its start.
	MarginCallLeaveV *float64 `json:"margin_call_leave_v,omitempty"`

	// How long v has to stay there before the call, milliseconds.
	MarginCallDwellMS *int64 `json:"margin_call_dwell_ms,omitempty"`

	// u at which liquidation starts.
	LiquidationEnterU *float64 `json:"liquidation_enter_u,omitempty"`

	// v at or below which liquidation ends.
	LiquidationLeaveV *float64 `json:"liquidation_leave_v,omitempty"`

	// How long a leave condition has to hold, milliseconds.
	LeaveDwellMS *int64 `json:"leave_dwell_ms,omitempty"`

	// How long an account stays recovered, milliseconds.
	RecoveredDwellMS *int64 `json:"recovered_dwell_ms,omitempty"`

	// Longest data hold before a human is called, milliseconds.
	MaxDataHoldMS *int64 `json:"max_data_hold_ms,omitempty"`

	// How long an event may be acted on, milliseconds.
	EventValidityMS *int64 `json:"event_validity_ms,omitempty"`
}

// SviVolatility: Raw SVI of one expiry in total variance: w(k) = a + b (rho (k-m) + sqrt((k-m)^2 + sigma^2)), k = ln(K/F). The smallest total variance of the slice, a + b sigma sqrt(1 - rho^2), may not be negative.
type SviVolatility struct {
	// Kind of record.
	Kind string `json:"kind"`

	// The coin; the message key.
	Underlying string `json:"underlying"`

	// The feed.
	Source string `json:"source"`

	// The expiry, microseconds since 1970 UTC.
	ExpiryUS int64 `json:"expiry_us"`

	// Level, total variance.
	A float64 `json:"a"`

	// Slope of the wings, total variance per unit of k.
	B float64 `json:"b"`

	// Rotation.
	Rho float64 `json:"rho"`

	// Shift along k.
	M float64 `json:"m"`

	// Roundness of the vertex, in units of k.
	Sigma float64 `json:"sigma"`

	// Venue's time, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Lowest quoted k; total variance is flat below.
	KMin *float64 `json:"k_min,omitempty"`

	// Highest quoted k; total variance is flat above.
	KMax *float64 `json:"k_max,omitempty"`

	// F/S - 1 of the expiry.
	ForwardBasis *float64 `json:"forward_basis,omitempty"`

	// When the recorder received it, microseconds since 1970 UTC; never decides anything.
	ReceivedTimeUS *int64 `json:"received_time_us,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// Taken: One answer of which something was taken.
type Taken struct {
	// The answer's id.
	Answer string `json:"answer"`

	// Who made it.
	Solver string `json:"solver"`

	// Share of its basket, above 0 and at most 1.
	Share float64 `json:"share"`

	// Signed contracts.
	Trades map[string]float64 `json:"trades"`

	// Cost of that share, USD.
	CostUSD float64 `json:"cost_usd"`

	// Excess that it brought on top of those before it, by the exact model, its cost counted, USD.
	ReleaseUSD float64 `json:"release_usd"`
}

// TierParameters: Maintenance by slices of notional (defaults: Binance, BTCUSDT, 2021-03-18 [doc]).
type TierParameters struct {
	// Tiers by rising notional, the first from 0; rates do not fall from tier to tier.
	Tiers []MarginTier `json:"tiers,omitempty"`
}

// Trade: A fill.
type Trade struct {
	// The venue's id of the fill; a repeated id is applied once.
	TradeID string `json:"trade_id"`

	// The account that traded; the message key.
	Account string `json:"account"`

	// What was traded, as listed on `market.instruments.v1`.
	Instrument string `json:"instrument"`

	// Signed contracts: positive bought, negative sold.
	Quantity float64 `json:"quantity"`

	// USD per coin; coins per coin of underlying for options of an inverse contract.
	Price float64 `json:"price"`

	// Venue's time of the fill, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Cost in the settlement asset; negative is a rebate.
	Fee *float64 `json:"fee,omitempty"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// Transfer: A deposit or withdrawal of one asset.
type Transfer struct {
	// The venue's id of the transfer; a repeated id is applied once.
	TransferID string `json:"transfer_id"`

	// The account; the message key.
	Account string `json:"account"`

	// The asset that moved.
	Asset string `json:"asset"`

	// Units of the asset: positive deposited, negative withdrawn.
	Amount float64 `json:"amount"`

	// Venue's time of the transfer, microseconds since 1970 UTC.
	EventTimeUS int64 `json:"event_time_us"`

	// Layout of the record.
	V *int64 `json:"v,omitempty"`
}

// UnderlyingRisk: One underlying's part of a requirement, with its worst scenario.
type UnderlyingRisk struct {
	// The coin.
	Underlying string `json:"underlying"`

	// Composite index, USD per coin.
	IndexPrice float64 `json:"index_price"`

	// Present value of everything held in this underlying, its coins included, USD.
	ValueUSD float64 `json:"value_usd"`

	// Worst loss over the scenarios, USD.
	ScanUSD float64 `json:"scan_usd"`

	// Roll shock, USD.
	RollUSD float64 `json:"roll_usd"`

	// Delta shock, USD.
	DeltaShockUSD float64 `json:"delta_shock_usd"`

	// This underlying's part of the initial requirement, USD; the parts sum to it. Model A: scan, roll and delta shock together. Model P: the loss of the worst mixture, negative where this underlying hedges the others. Model D: of the shortfall alone.
	IMUSD float64 `json:"im_usd"`

	// Net delta, coins.
	DeltaCoins float64 `json:"delta_coins"`

	// Worst scenario of this underlying alone: its number in the scenario table, the lowest of equals.
	Scenario int64 `json:"scenario"`

	// Price move of the worst scenario, as a fraction of the price.
	PriceMove float64 `json:"price_move"`

	// Volatility shock of the worst scenario.
	VolShock string `json:"vol_shock"`

	// Profit or loss in the worst scenario, USD.
	ScenarioPnLUSD float64 `json:"scenario_pnl_usd"`

	// Model P: loss at the end of the range that a perpetual would hedge and that is netted by correlation, USD.
	HedgeUSD *float64 `json:"hedge_usd,omitempty"`

	// Models other than A and P: the scenario that costs most, in words. `scan_usd` is then all of `im_usd`, and the number and the moves of a scenario say nothing.
	Worst *string `json:"worst,omitempty"`

	// Model P: the scenarios of the worst mixture over all underlyings, largest weight first, none below 1e-12.
	Mixture []WorstCell `json:"mixture,omitempty"`
}

// WorstCell: One scenario of the mixture that makes a netted requirement.
type WorstCell struct {
	// Its number in the scenario table.
	Scenario int64 `json:"scenario"`

	// Price move, as a fraction of the price.
	PriceMove float64 `json:"price_move"`

	// Volatility shock.
	VolShock string `json:"vol_shock"`

	// Its share of the mixture; the weights of one underlying sum to 1.
	Weight float64 `json:"weight"`

	// Profit or loss in it, USD.
	PnLUSD float64 `json:"pnl_usd"`
}

// Required are the fields that each type always has.
var Required = map[string][]string{
	"AccountConfig":            {"account", "event_time_us"},
	"AccountEvent":             {"id", "kind", "account", "episode", "sequence", "state_from", "state_to", "data_hold", "jump", "event_time_us", "valid_until_us", "cause", "positions", "model", "parameter_set", "parameter_hash", "equity_usd", "im_requirement_usd", "mm_requirement_usd", "shortfall_usd", "reason", "underlyings", "v"},
	"AccountState":             {"account", "status", "data_hold", "episode", "sequence", "version", "event_time_us", "equity_usd", "im_requirement_usd", "mm_requirement_usd", "model", "parameter_set", "parameter_hash", "positions", "v"},
	"AddOnParameters":          {},
	"Advice":                   {"id", "event", "kind", "account", "episode", "sequence", "event_time_us", "positions", "model", "parameter_hash", "outcome", "target_v", "equity_usd", "im_requirement_usd", "mm_requirement_usd", "deposit_usd", "v"},
	"AdvisedTrade":             {"instrument", "quantity", "held", "expected_price_usd", "cost_usd"},
	"Answer":                   {"id", "intent", "account", "solver", "basket", "cost_usd", "event_time_us"},
	"AssetCollateral":          {},
	"AttributionBase":          {"sequence", "event_time_us", "im_requirement_usd"},
	"AttributionPart":          {"group", "change_usd"},
	"Award":                    {"intent", "account", "episode", "action", "taken", "refused", "left_usd", "event_time_us"},
	"Cause":                    {"topic"},
	"CollateralParameters":     {},
	"CorrelationState":         {"version", "digest", "stress", "matrices", "absorption_ratio"},
	"DataQualityAddOn":         {},
	"DepegAddOn":               {},
	"DeriveOptionParameters":   {},
	"DeriveOracleParameters":   {},
	"DeriveStandardParameters": {},
	"ExpiryVolatility":         {"kind", "underlying", "source", "expiry_us", "atm_vol_annual", "event_time_us"},
	"Funding":                  {"kind", "instrument", "underlying", "source", "rate", "event_time_us"},
	"FundingAddOn":             {},
	"Haircut":                  {"kind"},
	"Heartbeat":                {"kind", "source", "event_time_us"},
	"Instrument":               {"instrument", "type", "underlying", "settlement", "event_time_us"},
	"InstrumentVolatility":     {"kind", "underlying", "source", "instrument", "vol_annual", "event_time_us"},
	"Intent":                   {"id", "account", "episode", "action", "release_usd", "limits", "worst_cost_usd", "event_time_us", "expires_us"},
	"JointBasis":               {},
	"JointParameters":          {},
	"JointStressMove":          {"name", "other", "volatility"},
	"JointVolatility":          {},
	"LeftOut":                  {"positions"},
	"Liquidity":                {},
	"LiquidityAddOn":           {},
	"LoanToValue":              {"kind"},
	"MarginTier":               {"floor_usd", "mm_rate", "im_rate"},
	"MarginalTier":             {"rate"},
	"MarginalTiers":            {"tiers"},
	"MinimumAddOn":             {},
	"NakedShortAddOn":          {},
	"NettingParameters":        {},
	"OkxGroup":                 {"spot_moves", "basis_move", "extreme_move"},
	"OkxParameters":            {},
	"OpenInterestParameters":   {},
	"OwnerParameters":          {},
	"ParadexParameters":        {},
	"ParadexScan":              {},
	"ParadexTail":              {"move", "weight"},
	"ParameterSet":             {"name", "event_time_us"},
	"PerpetualRates":           {},
	"PlanLine":                 {"instrument", "quantity", "expected_release_usd", "expected_cost_usd", "shadow_price_usd"},
	"PmrmBasis":                {},
	"PmrmCollateral":           {},
	"PmrmMargin":               {},
	"PmrmOther":                {},
	"PmrmParameters":           {},
	"PmrmSet":                  {},
	"PmrmSkew":                 {},
	"PmrmVolShock":             {},
	"PriceTick":                {"kind", "underlying", "source", "price_kind", "event_time_us"},
	"RangeStep":                {"kind", "underlying", "version", "price_range", "reach", "annual_volatility", "returns", "event_time_us", "v"},
	"RegimeChange":             {"kind", "regime", "underlyings", "distance", "absorption_ratio", "matrix_digest", "event_time_us", "v"},
	"RiskArray":                {"instrument", "parameter_set", "parameter_hash", "pnl_usd", "value_usd", "delta_coins", "event_time_us", "v"},
	"RiskMatrixParameters":     {},
	"RollAddOn":                {},
	"RollRates":                {},
	"ShadowPrice":              {"instrument", "release_usd", "cost_usd"},
	"SingleTrade":              {"instrument", "quantity", "cost_usd"},
	"SizeParameters":           {},
	"SpanCalendarSpread":       {"tier_a", "tier_b", "rate"},
	"SpanInterSpread":          {"legs", "rate"},
	"SpanLeg":                  {"underlying", "side"},
	"SpanParameters":           {},
	"SpanSet":                  {},
	"StandardOptionParameters": {},
	"StandardParameters":       {},
	"StandardSet":              {},
	"StatusParameters":         {},
	"SviVolatility":            {"kind", "underlying", "source", "expiry_us", "a", "b", "rho", "m", "sigma", "event_time_us"},
	"Taken":                    {"answer", "solver", "share", "trades", "cost_usd", "release_usd"},
	"TierParameters":           {},
	"Trade":                    {"trade_id", "account", "instrument", "quantity", "price", "event_time_us"},
	"Transfer":                 {"transfer_id", "account", "asset", "amount", "event_time_us"},
	"UnderlyingRisk":           {"underlying", "index_price", "value_usd", "scan_usd", "roll_usd", "delta_shock_usd", "im_usd", "delta_coins", "scenario", "price_move", "vol_shock", "scenario_pnl_usd"},
	"WorstCell":                {"scenario", "price_move", "vol_shock", "weight", "pnl_usd"},
}
