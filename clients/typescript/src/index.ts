/** Margin calls and liquidations: decoded, verified, each once. */

export type { Message, Reason } from "./message.js";
export type * from "./records.js";
export { type Alert, type Refusal, Screen, type ScreenOptions, TOPICS, WINDOW } from "./screen.js";
export { type Keys, readKeys } from "./signature.js";
export { ENOUGH, LOOK_BACK, Subscription, type SubscribeOptions } from "./subscription.js";
