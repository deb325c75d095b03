/** As much of JSON Schema as the published records use. */

interface Schema {
  readonly [keyword: string]: unknown;
}

/** What a value breaks of a schema of `types`, with its place; null if nothing. */
export function broken(types: Readonly<Record<string, unknown>>, name: string, value: unknown): string | null {
  return check(types, { $ref: `#/$defs/${name}` }, value, name);
}

function check(types: Readonly<Record<string, unknown>>, schema: Schema, value: unknown, at: string): string | null {
  if (typeof schema["$ref"] === "string") {
    const found = types[schema["$ref"].slice(schema["$ref"].lastIndexOf("/") + 1)] as Schema | undefined;
    return found === undefined ? `${at}: ${schema["$ref"]} is not known` : check(types, found, value, at);
  }
  const choices = (schema["anyOf"] ?? schema["oneOf"]) as readonly Schema[] | undefined;
  if (choices !== undefined && choices.every((choice) => check(types, choice, value, at) !== null)) {
    return `${at}: none of its forms`;
  }
  const values = schema["enum"] as readonly unknown[] | undefined;
  if (values !== undefined && !values.includes(value)) return `${at}: ${JSON.stringify(value)} is none of its values`;
  if (typeof schema["type"] === "string" && !isOf(schema["type"], value)) return `${at}: no ${schema["type"]}`;
  if (typeof value === "number") return range(schema, "minimum", "maximum", value, at);
  if (typeof value === "string") {
    const pattern = schema["pattern"];
    if (typeof pattern === "string" && !new RegExp(pattern, "u").test(value)) return `${at}: not ${pattern}`;
    return range(schema, "minLength", "maxLength", [...value].length, at);
  }
  if (Array.isArray(value)) return items(types, schema, value, at);
  if (typeof value === "object" && value !== null) return fields(types, schema, value as Record<string, unknown>, at);
  return null;
}

function isOf(type: string, value: unknown): boolean {
  if (type === "integer") return Number.isSafeInteger(value);
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function range(schema: Schema, least: string, most: string, value: number, at: string): string | null {
  const [low, high] = [schema[least], schema[most]];
  const outside = (typeof low === "number" && value < low) || (typeof high === "number" && value > high);
  return outside ? `${at}: ${value} is out of range` : null;
}

function items(types: Readonly<Record<string, unknown>>, schema: Schema, value: readonly unknown[], at: string): string | null {
  const size = range(schema, "minItems", "maxItems", value.length, at);
  if (size !== null) return size;
  const places = (schema["prefixItems"] ?? []) as readonly Schema[];
  for (const [index, item] of value.entries()) {
    const rule = places[index] ?? schema["items"];
    if (rule === false) return `${at}: too many items`;
    const found = typeof rule === "object" ? check(types, rule as Schema, item, `${at}[${index}]`) : null;
    if (found !== null) return found;
  }
  return null;
}

function fields(types: Readonly<Record<string, unknown>>, schema: Schema, value: Record<string, unknown>, at: string): string | null {
  for (const name of (schema["required"] ?? []) as readonly string[]) {
    if (!Object.hasOwn(value, name)) return `${at}: ${name} is missing`;
  }
  const known = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  for (const [name, item] of Object.entries(value)) {
    const rule = Object.hasOwn(known, name) ? known[name] : schema["additionalProperties"];
    if (rule === false) return `${at}: ${name} is not known`;
    const found = typeof rule === "object" ? check(types, rule as Schema, item, `${at}.${name}`) : null;
    if (found !== null) return found;
  }
  return null;
}
