import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { readKeys, Screen } from "./index.js";

interface Case {
  readonly name: string;
  readonly keys: boolean;
  readonly allow_unsigned: boolean;
  readonly now_us: number;
  readonly messages: ReadonlyArray<{
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly key: string | null;
    readonly value: string | null;
    readonly headers: ReadonlyArray<readonly [string, string]>;
  }>;
  readonly expect: readonly string[];
}

const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, "base64"));
const file = new URL("../../conformance.json", import.meta.url);
const all = JSON.parse(readFileSync(file, "utf8")) as { readonly key_file: string; readonly cases: readonly Case[] };
const keyFile = join(mkdtempSync(join(tmpdir(), "liqmon-")), "keys");
writeFileSync(keyFile, `# keys\n\n${all.key_file}\n`);
const keys = readKeys(keyFile);

for (const one of all.cases) {
  test(one.name, () => {
    const screen = new Screen({ keys: one.keys ? keys : undefined, allowUnsigned: one.allow_unsigned });
    const verdicts = one.messages.map((given) => {
      const result = screen.judge(
        {
          ...given, offset: String(given.offset), key: bytes(given.key), value: bytes(given.value),
          headers: given.headers.map(([name, value]) => [name, Buffer.from(value, "base64")] as const),
        },
        one.now_us,
      );
      return "reason" in result ? result.reason : "delivered";
    });
    assert.deepEqual(verdicts, one.expect);
  });
}
