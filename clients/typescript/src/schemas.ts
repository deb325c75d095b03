// Generated from the record types by `python -m schemas`. DO NOT EDIT.

export const schemas = {
 "AccountEvent": {
  "title": "AccountEvent",
  "description": "One transition of one account: what, how short, why, and computed at which positions. The id is fixed before the event is sent; a second delivery has the same bytes. Bodies hold no wall-clock time.",
  "type": "object",
  "properties": {
   "id": {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$(?!\\n)",
    "description": "First 32 hex digits of SHA-256 over canonical JSON `[account, episode, sequence, kind]`."
   },
   "kind": {
    "enum": [
     "bankrupt",
     "data_hold",
     "liquidation",
     "margin_call",
     "recovered",
     "resolved",
     "warning"
    ],
    "description": "What happened."
   },
   "account": {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}$(?!\\n)",
    "description": "The account; the message key."
   },
   "episode": {
    "type": "integer",
    "minimum": 0,
    "description": "Grows each time the account leaves healthy."
   },
   "sequence": {
    "type": "integer",
    "minimum": 0,
    "description": "Grows with every event of the account and is never reset; a hole means a lost event."
   },
   "state_from": {
    "enum": [
     "bankrupt",
     "healthy",
     "liquidation",
     "margin_call",
     "recovered",
     "warning"
    ],
    "description": "Status before."
   },
   "state_to": {
    "enum": [
     "bankrupt",
     "healthy",
     "liquidation",
     "margin_call",
     "recovered",
     "warning"
    ],
    "description": "Status after; the same for a data hold."
   },
   "data_hold": {
    "type": "boolean",
    "description": "Whether decisions are held because data are stale or contradictory; its own event raises and releases it."
   },
   "jump": {
    "type": "boolean",
    "description": "Whether this is a liquidation without an earlier call in its episode."
   },
   "event_time_us": {
    "type": "integer",
    "description": "Event time of the transition, microseconds since 1970 UTC."
   },
   "valid_until_us": {
    "type": "integer",
    "description": "Until when the event may be acted on, microseconds since 1970 UTC; later, ask `risk.account-states.v1` first."
   },
   "cause": {
    "$ref": "#/$defs/Cause",
    "description": "What made the account cross."
   },
   "positions": {
    "type": "object",
    "additionalProperties": {
     "type": "array",
     "minItems": 2,
     "maxItems": 2,
     "prefixItems": [
      {
       "type": "integer"
      },
      {
       "type": "integer"
      }
     ],
     "items": false
    },
    "description": "Last record applied of each topic, as [offset, index in its frame]: what the event was computed at."
   },
   "model": {
    "type": "string",
    "description": "Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up."
   },
   "parameter_set": {
    "type": "string",
    "description": "Name of the parameter set."
   },
   "parameter_hash": {
    "type": "string",
    "pattern": "^[0-9a-f]{16}$(?!\\n)",
    "description": "First 16 hex digits of SHA-256 over the canonical values of the parameter set."
   },
   "equity_usd": {
    "type": "number",
    "description": "Collateral and unrealised profit and loss, USD."
   },
   "im_requirement_usd": {
    "type": "number",
    "description": "Initial requirement (IM), USD."
   },
   "mm_requirement_usd": {
    "type": "number",
    "description": "Maintenance requirement (MM), USD."
   },
   "shortfall_usd": {
    "type": "number",
    "description": "Equity missing, USD: to zero for a bankruptcy, to MM for a liquidation or data hold, otherwise to IM."
   },
   "reason": {
    "type": "string",
    "maxLength": 512,
    "description": "One sentence for people."
   },
   "underlyings": {
    "type": "array",
    "items": {
     "$ref": "#/$defs/UnderlyingRisk"
    },
    "description": "Contribution of each underlying, the largest requirement first."
   },
   "data_quality": {
    "type": "array",
    "items": {
     "type": "string"
    },
    "default": [],
    "description": "Flags of the data behind the decision, as `stale:BTC`."
   },
   "components": {
    "anyOf": [
     {
      "type": "object",
      "additionalProperties": {
       "type": "number"
      }
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Models other than A and P: parts of the initial requirement by name, USD, which sum to it."
   },
   "correlation": {
    "anyOf": [
     {
      "$ref": "#/$defs/CorrelationState"
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Correlation state in force; absent in models without one, and for accounts in a single underlying."
   },
   "attribution": {
    "anyOf": [
     {
      "type": "array",
      "items": {
       "$ref": "#/$defs/AttributionPart"
      }
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Why the initial requirement changed since `attribution_base`: eight parts in the order of replacement, which sum\n    to the change; absent where either requirement could not be computed."
   },
   "attribution_base": {
    "anyOf": [
     {
      "$ref": "#/$defs/AttributionBase"
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "What the attribution counts from."
   },
   "conflated_records": {
    "type": "integer",
    "minimum": 0,
    "default": 0,
    "description": "Under a declared overload: market records that moved the account's underlyings between its last evaluation and\n    this one, and were folded without an evaluation of their own."
   },
   "left_out": {
    "anyOf": [
     {
      "$ref": "#/$defs/LeftOut"
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Since where, under a declared overload, not every record was evaluated; absent where every one was."
   },
   "plan": {
    "anyOf": [
     {
      "type": "array",
      "items": {
       "$ref": "#/$defs/PlanLine"
      }
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "What a liquidation should do; absent where not computed."
   },
   "v": {
    "enum": [
     1
    ],
    "description": "Layout of the record."
   }
  },
  "required": [
   "id",
   "kind",
   "account",
   "episode",
   "sequence",
   "state_from",
   "state_to",
   "data_hold",
   "jump",
   "event_time_us",
   "valid_until_us",
   "cause",
   "positions",
   "model",
   "parameter_set",
   "parameter_hash",
   "equity_usd",
   "im_requirement_usd",
   "mm_requirement_usd",
   "shortfall_usd",
   "reason",
   "underlyings",
   "v"
  ]
 },
 "AccountState": {
  "title": "AccountState",
  "description": "Latest state of one account, compacted by account: for late joiners and for a bot's re-check.",
  "type": "object",
  "properties": {
   "account": {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}$(?!\\n)",
    "description": "The account; the message key."
   },
   "status": {
    "enum": [
     "bankrupt",
     "healthy",
     "liquidation",
     "margin_call",
     "recovered",
     "warning"
    ],
    "description": "Present status."
   },
   "data_hold": {
    "type": "boolean",
    "description": "Whether decisions are held because data are stale or contradictory."
   },
   "episode": {
    "type": "integer",
    "minimum": 0,
    "description": "Grows each time the account leaves healthy."
   },
   "sequence": {
    "type": "integer",
    "minimum": 0,
    "description": "Sequence of the account's latest event."
   },
   "version": {
    "type": "integer",
    "minimum": 0,
    "description": "Grows with every write of the account's state."
   },
   "event_time_us": {
    "type": "integer",
    "description": "Event time of the figures, microseconds since 1970 UTC."
   },
   "equity_usd": {
    "type": "number",
    "description": "Collateral and unrealised profit and loss, USD."
   },
   "im_requirement_usd": {
    "type": "number",
    "description": "Initial requirement, USD."
   },
   "mm_requirement_usd": {
    "type": "number",
    "description": "Maintenance requirement, USD."
   },
   "model": {
    "type": "string",
    "description": "Margin model."
   },
   "parameter_set": {
    "type": "string",
    "description": "Name of the parameter set."
   },
   "parameter_hash": {
    "type": "string",
    "pattern": "^[0-9a-f]{16}$(?!\\n)",
    "description": "First 16 hex digits of SHA-256 over the canonical values of the parameter set."
   },
   "positions": {
    "type": "object",
    "additionalProperties": {
     "type": "array",
     "minItems": 2,
     "maxItems": 2,
     "prefixItems": [
      {
       "type": "integer"
      },
      {
       "type": "integer"
      }
     ],
     "items": false
    },
    "description": "Last record applied of each topic, as [offset, index in its frame]."
   },
   "path": {
    "type": "array",
    "items": {
     "type": "object",
     "additionalProperties": {
      "type": "array",
      "minItems": 2,
      "maxItems": 2,
      "prefixItems": [
       {
        "type": "integer"
       },
       {
        "type": "integer"
       }
      ],
      "items": false
     }
    },
    "default": [],
    "description": "Positions right behind each of the account's own records since its state before, oldest first, the newest 64.\n\n    Topics that are not named are as in `positions`.\n    "
   },
   "closed": {
    "type": "boolean",
    "default": false,
    "description": "Whether the account is closed."
   },
   "v": {
    "enum": [
     1
    ],
    "description": "Layout of the record."
   }
  },
  "required": [
   "account",
   "status",
   "data_hold",
   "episode",
   "sequence",
   "version",
   "event_time_us",
   "equity_usd",
   "im_requirement_usd",
   "mm_requirement_usd",
   "model",
   "parameter_set",
   "parameter_hash",
   "positions",
   "v"
  ]
 },
 "AttributionBase": {
  "title": "AttributionBase",
  "description": "What an attribution counts from: the account's previous event, or else its latest own record.",
  "type": "object",
  "properties": {
   "sequence": {
    "type": "integer",
    "minimum": 0,
    "description": "Sequence of the previous event; 0 if there was none."
   },
   "event_time_us": {
    "type": "integer",
    "description": "Market time then, microseconds since 1970 UTC."
   },
   "im_requirement_usd": {
    "type": "number",
    "description": "Initial requirement then, USD."
   }
  },
  "required": [
   "sequence",
   "event_time_us",
   "im_requirement_usd"
  ]
 },
 "AttributionPart": {
  "title": "AttributionPart",
  "description": "Part of the change of the initial requirement since the account's previous event that is due to one group.",
  "type": "object",
  "properties": {
   "group": {
    "enum": [
     "basis",
     "collateral",
     "correlation",
     "parameters",
     "price",
     "time",
     "trades",
     "vol"
    ],
    "description": "What changed."
   },
   "change_usd": {
    "type": "number",
    "description": "Its part of the change, USD."
   }
  },
  "required": [
   "group",
   "change_usd"
  ]
 },
 "Cause": {
  "title": "Cause",
  "description": "The record that made an account cross, or what acted at its own moment without one (then `topic` says which).",
  "type": "object",
  "properties": {
   "topic": {
    "type": "string",
    "maxLength": 512,
    "description": "Name of the topic in the topic table. Without a record: `timer` (a deadline of the account's), `expiry` (a\n    settlement), `time` (a price became too old, an option lost time value) or `recovery`."
   },
   "partition": {
    "type": "integer",
    "default": 0,
    "description": "Partition of the record."
   },
   "offset": {
    "type": "integer",
    "default": -1,
    "description": "Offset of the record; -1 when no record was the cause."
   },
   "index": {
    "type": "integer",
    "default": 0,
    "description": "Place of the record in its frame, from 0; 0 for a single record."
   }
  },
  "required": [
   "topic"
  ]
 },
 "CorrelationState": {
  "title": "CorrelationState",
  "description": "The correlations that a netted requirement rests on.",
  "type": "object",
  "properties": {
   "version": {
    "type": "integer",
    "minimum": 0,
    "description": "Version of the published matrices; 0 before there are any."
   },
   "digest": {
    "type": "string",
    "description": "First 16 hex digits of SHA-256 over the published matrices; empty before there are any."
   },
   "stress": {
    "type": "number",
    "description": "k in force, that of the regime: weight of the plain sum against the worst matrix."
   },
   "matrices": {
    "type": "object",
    "additionalProperties": {
     "type": "number"
    },
    "description": "Weight in the worst case of `fast`, `slow`, `latched_high`, `latched_low` and `floor`; they sum to 1."
   },
   "absorption_ratio": {
    "type": "number",
    "description": "Largest eigenvalue of the fast matrix over its size: 1 when everything moves together, 0 before there is any."
   },
   "regime": {
    "enum": [
     "breakdown",
     "calm",
     "concentration"
    ],
    "default": "calm",
    "description": "Correlation regime, which decides k."
   }
  },
  "required": [
   "version",
   "digest",
   "stress",
   "matrices",
   "absorption_ratio"
  ]
 },
 "LeftOut": {
  "title": "LeftOut",
  "description": "Where evaluations of an account were left out under a declared overload since its event before.",
  "type": "object",
  "properties": {
   "positions": {
    "type": "object",
    "additionalProperties": {
     "type": "array",
     "minItems": 2,
     "maxItems": 2,
     "prefixItems": [
      {
       "type": "integer"
      },
      {
       "type": "integer"
      }
     ],
     "items": false
    },
    "description": "Last record of each topic before the overload, or at the event before if that came later, as [offset, index in\n    its frame]."
   },
   "timer": {
    "anyOf": [
     {
      "type": "object",
      "additionalProperties": {
       "type": "array",
       "minItems": 2,
       "maxItems": 2,
       "prefixItems": [
        {
         "type": "integer"
        },
        {
         "type": "integer"
        }
       ],
       "items": false
      }
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "The same of the evaluation that began the timer which fired; absent where none did, and after a takeover."
   }
  },
  "required": [
   "positions"
  ]
 },
 "PlanLine": {
  "title": "PlanLine",
  "description": "One proposed reduction or hedge of a liquidation plan.",
  "type": "object",
  "properties": {
   "instrument": {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}$(?!\\n)",
    "description": "What to trade."
   },
   "quantity": {
    "type": "number",
    "description": "Signed contracts: positive buy, negative sell."
   },
   "expected_release_usd": {
    "type": "number",
    "description": "Requirement set free, USD."
   },
   "expected_cost_usd": {
    "type": "number",
    "description": "Cost of the trade, USD."
   },
   "shadow_price_usd": {
    "type": "number",
    "description": "Requirement set free by one more contract, USD."
   }
  },
  "required": [
   "instrument",
   "quantity",
   "expected_release_usd",
   "expected_cost_usd",
   "shadow_price_usd"
  ]
 },
 "UnderlyingRisk": {
  "title": "UnderlyingRisk",
  "description": "One underlying's part of a requirement, with its worst scenario.",
  "type": "object",
  "properties": {
   "underlying": {
    "type": "string",
    "pattern": "^[A-Z0-9][A-Za-z0-9.]{0,15}$(?!\\n)",
    "description": "The coin."
   },
   "index_price": {
    "type": "number",
    "description": "Composite index, USD per coin."
   },
   "value_usd": {
    "type": "number",
    "description": "Present value of everything held in this underlying, its coins included, USD."
   },
   "scan_usd": {
    "type": "number",
    "description": "Worst loss over the scenarios, USD."
   },
   "roll_usd": {
    "type": "number",
    "description": "Roll shock, USD."
   },
   "delta_shock_usd": {
    "type": "number",
    "description": "Delta shock, USD."
   },
   "im_usd": {
    "type": "number",
    "description": "This underlying's part of the initial requirement, USD; the parts sum to it. Model A: scan, roll and delta shock\n    together. Model P: the loss of the worst mixture, negative where this underlying hedges the others. Model D: of the\n    shortfall alone."
   },
   "delta_coins": {
    "type": "number",
    "description": "Net delta, coins."
   },
   "scenario": {
    "type": "integer",
    "description": "Worst scenario of this underlying alone: its number in the scenario table, the lowest of equals."
   },
   "price_move": {
    "type": "number",
    "description": "Price move of the worst scenario, as a fraction of the price."
   },
   "vol_shock": {
    "enum": [
     "down",
     "same",
     "up"
    ],
    "description": "Volatility shock of the worst scenario."
   },
   "scenario_pnl_usd": {
    "type": "number",
    "description": "Profit or loss in the worst scenario, USD."
   },
   "hedge_usd": {
    "anyOf": [
     {
      "type": "number"
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Model P: loss at the end of the range that a perpetual would hedge and that is netted by correlation, USD."
   },
   "worst": {
    "anyOf": [
     {
      "type": "string",
      "maxLength": 512
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Models other than A and P: the scenario that costs most, in words. `scan_usd` is then all of `im_usd`, and the\n    number and the moves of a scenario say nothing."
   },
   "mixture": {
    "anyOf": [
     {
      "type": "array",
      "items": {
       "$ref": "#/$defs/WorstCell"
      }
     },
     {
      "type": "null"
     }
    ],
    "default": null,
    "description": "Model P: the scenarios of the worst mixture over all underlyings, largest weight first, none below 1e-12."
   }
  },
  "required": [
   "underlying",
   "index_price",
   "value_usd",
   "scan_usd",
   "roll_usd",
   "delta_shock_usd",
   "im_usd",
   "delta_coins",
   "scenario",
   "price_move",
   "vol_shock",
   "scenario_pnl_usd"
  ]
 },
 "WorstCell": {
  "title": "WorstCell",
  "description": "One scenario of the mixture that makes a netted requirement.",
  "type": "object",
  "properties": {
   "scenario": {
    "type": "integer",
    "description": "Its number in the scenario table."
   },
   "price_move": {
    "type": "number",
    "description": "Price move, as a fraction of the price."
   },
   "vol_shock": {
    "enum": [
     "down",
     "same",
     "up"
    ],
    "description": "Volatility shock."
   },
   "weight": {
    "type": "number",
    "description": "Its share of the mixture; the weights of one underlying sum to 1."
   },
   "pnl_usd": {
    "type": "number",
    "description": "Profit or loss in it, USD."
   }
  },
  "required": [
   "scenario",
   "price_move",
   "vol_shock",
   "weight",
   "pnl_usd"
  ]
 }
} as const;
