/**
 * `/`: the page, or a list of endpoints if there is no page. Links are relative, so that the page works behind any prefix of a
 * proxy. The page loads nothing from anywhere, asks this port alone, and runs no other script than its own: the header names its hash.
 */
import { createHash } from "node:crypto";
import type { Answer } from "./answer.ts";

const ENTRIES: readonly (readonly [title: string, path: string])[] = [
  ["General", "varz"],
  ["Connections", "connz"],
  ["Routes", "routez"],
  ["Subscriptions", "subsz"],
  ["Accounts", "accountz"],
  ["Account statistics", "accstatz"],
  ["Health", "healthz"],
  ["Readiness", "readyz"],
  ["Start", "startupz"],
  ["Life", "livez"],
  ["Departure", "drainz"],
  ["Cluster", "clusterz"],
  ["Member", "memberz"],
  ["Doctor", "doctorz"],
  ["JetStream", "jsz"],
  ["Leaf nodes", "leafz"],
  ["Gateways", "gatewayz"],
  ["Runtime", "debug/vars"],
];

const PLAIN_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>shoal</title></head>
<body>
<h1>shoal</h1>
<!--endpoints-->
</body>
</html>
`;

/** What stands between the tags of `<script>` and `<style>`. */
const INLINE = /<(script|style)(?: type="module")?>([\s\S]*?)<\/\1>/g;

/** `basePath` is "/" or "/prefix"; the page itself has no slash at its end. */
export function indexPage(basePath: string, page: string | null): () => Answer {
  const last = basePath.slice(basePath.lastIndexOf("/") + 1);
  const prefix = last === "" ? "" : `${encodeURIComponent(last)}/`;
  const links = ENTRIES.map(([title, path]) => `<li><a href="./${prefix}${path}">${title}</a> /${path}</li>`);
  const html = page ?? PLAIN_PAGE;
  const body = html.replace(
    "<!--endpoints-->",
    () => `<ul data-prefix="./${prefix}">\n${links.join("\n")}\n</ul>`,
  );
  const headers = {
    "Content-Security-Policy": policy(html),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
  };
  return () => ({ status: 200, contentType: "text/html; charset=utf-8", headers, body: [body] });
}

function policy(html: string): string {
  const hashes: Record<string, string> = { script: "'none'", style: "'none'" };
  for (const [, tag = "", text = ""] of html.matchAll(INLINE)) {
    hashes[tag] = `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  }
  return [
    "default-src 'none'",
    `script-src ${hashes["script"]}`,
    `style-src ${hashes["style"]}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
