/** How the broker is spoken to, by the LIQMON_* variables that liqmon itself reads. */

import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";

import type { KafkaConfig } from "kafkajs";

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/;

/** What kafkajs needs besides the brokers; throws where plain text would leave this machine unasked. */
export function protection(
  brokers: readonly string[], insecure: boolean, env: NodeJS.ProcessEnv = process.env,
): Pick<KafkaConfig, "ssl" | "sasl"> {
  const protocol = env["LIQMON_SECURITY_PROTOCOL"] || "plaintext";
  if (protocol === "plaintext") {
    const away = insecure ? undefined : brokers.find((broker) => !LOOPBACK.test(broker));
    if (away === undefined) return {};
    throw new Error(
      `${away} is not on this machine, and nothing protects the way there: ` +
        "set LIQMON_SECURITY_PROTOCOL, or say --insecure on a network that you trust",
    );
  }
  if (protocol !== "ssl" && protocol !== "sasl_ssl") throw new Error("LIQMON_SECURITY_PROTOCOL: plaintext, ssl or sasl_ssl");
  return protocol === "ssl" ? { ssl: tls(env) } : { ssl: tls(env), sasl: user(env) };
}

function tls(env: NodeJS.ProcessEnv): ConnectionOptions {
  const options: ConnectionOptions = { minVersion: "TLSv1.2" };
  const [ca, certificate] = [env["LIQMON_TLS_CA_FILE"], env["LIQMON_TLS_CERTIFICATE_FILE"]];
  if (ca) options.ca = readFileSync(ca);
  if (certificate) {
    options.cert = readFileSync(certificate);
    options.key = readFileSync(env["LIQMON_TLS_KEY_FILE"] || certificate);
  }
  return options;
}

function user(env: NodeJS.ProcessEnv): NonNullable<KafkaConfig["sasl"]> {
  const file = env["LIQMON_SASL_PASSWORD_FILE"];
  const password = file ? readFileSync(file, "utf8").split("\n")[0]?.trim() : env["LIQMON_SASL_PASSWORD"];
  const username = env["LIQMON_SASL_USERNAME"];
  if (!username || !password) {
    throw new Error("sasl_ssl needs LIQMON_SASL_USERNAME, and LIQMON_SASL_PASSWORD_FILE or LIQMON_SASL_PASSWORD");
  }
  return env["LIQMON_SASL_MECHANISM"] === "SCRAM-SHA-256"
    ? { mechanism: "scram-sha-256", username, password }
    : { mechanism: "scram-sha-512", username, password };
}
